"""Wheels that are carried in parts."""

import numpy as np
import pytest

from benchmarks.gpu_wheels import MANIFEST, join, split


@pytest.fixture
def carried(tmp_path):
    random = np.random.default_rng(0)
    files = [tmp_path / name for name in ("a.whl", "b.whl", "c.whl")]
    for file, size in zip(files, (100_000, 10, 70_001), strict=True):
        file.write_bytes(random.bytes(size))
    split(files, tmp_path / "parts", part_bytes=30_000)
    return files, tmp_path / "parts"


def test_parts_are_small_and_make_the_files_again(carried, tmp_path):
    files, parts = carried
    assert all(part.stat().st_size <= 30_000 for part in parts.iterdir())
    joined = join(parts, tmp_path / "joined")
    assert [file.name for file in joined] == ["a.whl", "b.whl", "c.whl"]
    assert [file.read_bytes() for file in joined] == [file.read_bytes() for file in files]


def test_missing_and_damaged_parts_are_named(carried, tmp_path):
    _, parts = carried
    (parts / "part-01").unlink()
    (parts / "part-03").write_bytes(b"?")
    with pytest.raises(ValueError, match="expected 7 whole parts, got none of part-01, part-03; carry them again"):
        join(parts, tmp_path / "joined")
    assert (parts / MANIFEST).exists()
