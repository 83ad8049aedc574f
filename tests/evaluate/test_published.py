"""Checksums of archives, of checksum files and of lists."""

import hashlib

import pytest

from seco.errors import DataError
from seco.evaluate.datasets import published


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "1.jpg").write_bytes(b"picture")
    return folder


def test_an_archive_beside_the_data(data, monkeypatch):
    archive = data.parent / "EuroSAT.zip"
    archive.write_bytes(b"archive")
    with pytest.raises(DataError, match=r"EuroSAT\.zip: expected the checksum c8fa014336c82ac7804f0398fcb19387"):
        published.verify(data)
    monkeypatch.setitem(published.ARCHIVES, "EuroSAT.zip", hashlib.md5(b"archive").hexdigest())
    assert published.verify(data) == {"archives": ["EuroSAT.zip"], "files": {}}


@pytest.mark.parametrize(("name", "algorithm"), [("SHA256SUMS", "sha256"), ("md5sums.txt", "md5"), ("a.sha512", "sha512")])
def test_a_checksum_file(data, name, algorithm):
    digest = hashlib.new(algorithm, b"picture").hexdigest()
    (data / name).write_text(f"# of pictures\n{digest.upper()} *a/1.jpg\n")
    assert published.verify(data) == {"archives": [], "files": {name: 1}}
    (data / "a" / "1.jpg").write_bytes(b"another")
    with pytest.raises(DataError, match=rf"a/1\.jpg: expected the checksum {digest}, that of {name}, got "):
        published.verify(data)
    (data / "a" / "1.jpg").unlink()
    with pytest.raises(DataError, match=r"a/1\.jpg: expected a readable file"):
        published.verify(data)


def test_nothing_to_compare(data):
    with pytest.raises(DataError, match="expected an archive or a checksum file"):
        published.verify(data)


def test_lists_are_known_by_their_content(data, monkeypatch):
    (data / "train.csv").write_bytes(b"a\n")
    assert not published.is_published(data / "train.csv")
    monkeypatch.setattr(published, "LISTS", {hashlib.sha256(b"a\n").hexdigest()})
    assert published.is_published(data / "train.csv")
