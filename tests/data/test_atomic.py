"""Folders that are filled whole or left as they were."""

import pytest

from seco.data.atomic import all_or_nothing


def fill(folder, *, making):
    with all_or_nothing(folder):
        making.mkdir(parents=True, exist_ok=True)
        raise OSError("full")


def fail(folder, *, making):
    with pytest.raises(OSError, match="full"):
        fill(folder, making=making)


def test_an_error_leaves_a_folder_and_those_above_as_they_were(tmp_path):
    (tmp_path / "empty").mkdir()
    fail(tmp_path / "empty", making=tmp_path / "empty" / "deep")
    new = tmp_path / "new" / "newer"
    fail(new, making=new / "deep")
    fail(new, making=new.parent)
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_what_somebody_has_put_there_meanwhile_stays(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    fail(tmp_path, making=tmp_path / "deep")
    assert (tmp_path / "thesis.txt").exists()
