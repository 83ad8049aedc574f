"""What goes wrong around a run: killed processes, damaged patches, full disks, stores that change."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from small_runs import SMALL, metrics, run

from seco.data.store import open_store
from seco.pretrain import ranks
from seco.pretrain.checkpoint import read_checkpoint


@pytest.fixture
def store(make_store):
    return make_store(locations=tuple("abcdefghijklm"))


def model_of(path):
    return read_checkpoint(path / "checkpoints" / "last.pt")["model"]


def test_twenty_random_kills_change_no_bit(store, tmp_path):
    script = Path(__file__).with_name("killed_run.py")
    words = [sys.executable, "-P", str(script), str(store), str(tmp_path), "20", "0"]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "20"
    whole, killed = (model_of(tmp_path / name) for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "killed")


def damage(store, how):
    """The first date of location 2, changed."""
    opened = open_store(store)
    (file, other) = (opened.sources(i)[0] for i in (2, 3))
    if how == "missing":
        file.unlink()
    elif how == "truncated":
        file.write_bytes(file.read_bytes()[:600])
    elif how == "noise":
        content = bytearray(file.read_bytes())
        for frame in re.finditer(re.escape(b"\x28\xb5\x2f\xfd"), bytes(content)):
            content[frame.end()] = 0x18  # a frame header with its reserved bit set
        file.write_bytes(content)
    elif how == "other bytes":
        file.write_bytes(other.read_bytes())
    else:
        from seco.data.geotiff_writer import encode_geotiff

        shape = (12, 9, 9) if how == "size" else (3, 8, 8)
        place = {"epsg": 32631, "transform": (0.0, 10.0, 0.0, 0.0, 0.0, -10.0)}
        file.write_bytes(encode_geotiff(np.ones(shape, np.uint16), band_names=["B"] * shape[0], **place))
    return file


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("missing", "No such file"),
        ("truncated", "truncated"),
        ("noise", "damaged"),
        ("size", "has 12 bands of 9 x 9 px uint16, not 12 bands of 8 x 8 px uint16"),
        ("bands", "has 3 bands of 8 x 8 px uint16, not 12 bands of 8 x 8 px uint16"),
        ("other bytes", "got other bytes (checksum)"),
    ],
)
def test_a_bad_patch_is_named_counted_and_replaced(store, tmp_path, how, text):
    file = damage(store, how)
    train = ["--data", store, *SMALL, "--epochs", 2, "--max-bad-fraction", 0.03]
    train += ["--verify"] if how == "other bytes" else []
    error = run(*train, "--out", tmp_path / "one").stderr
    warnings = [line for line in error.splitlines() if line.startswith("Warning: ")]
    assert len(warnings) == 1
    assert str(file) in warnings[0]
    assert text in warnings[0]
    assert metrics(tmp_path / "one")[-1]["bad_patches"] == 1
    run(*train, "--out", tmp_path / "two", "--threads", 3)
    one, two = (model_of(tmp_path / name) for name in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_too_many_bad_patches_stop_the_run_with_the_list(store, tmp_path):
    file = damage(store, "truncated")
    line = run("--data", store, *SMALL, "--out", tmp_path / "run", code=1).stderr.splitlines()[-1]
    assert line.startswith("Error: ")
    assert "expected at most 1.000% of 39 patches to be unreadable, got 1" in line
    assert str(file) in line


def test_bad_patches_of_other_processes_count(store, tmp_path, monkeypatch):
    monkeypatch.setattr(ranks, "union", lambda own: {**own, "there.tif": "there.tif: expected a readable GeoTIFF"})
    line = run("--data", store, *SMALL, "--out", tmp_path / "run", code=1).stderr.splitlines()[-1]
    assert "expected at most 1.000% of 39 patches to be unreadable, got 1: there.tif: expected" in line


def test_a_store_that_changes_under_a_run_ends_it(store, make_store, tmp_path, monkeypatch):
    from seco.data.loader import Loader

    epoch = Loader.epoch

    def rewriting(self, number, start_step=0):
        yield from epoch(self, number, start_step)
        index = store / "index.parquet"
        index.write_bytes(index.read_bytes() + b" ")

    monkeypatch.setattr(Loader, "epoch", rewriting)
    line = run("--data", store, *SMALL, "--epochs", 2, "--out", tmp_path / "run", code=1).stderr.splitlines()[-1]
    assert line.startswith("Error: ")
    assert "got one that changed since" in line
    assert read_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt")["step"] == 3


def test_a_full_disk_is_one_line_and_loses_no_checkpoint(store, tmp_path):
    """Files that may not grow beyond a limit fail as on a full disk."""
    out = tmp_path / "run"
    train = ["--data", store, *SMALL, "--epochs", 2, "--steps", 2]
    run(*train, "--out", out, "--steps", 1)
    size = (out / "checkpoints" / "last.pt").stat().st_size
    words = [sys.executable, "-m", "seco.cli", "pretrain", *map(str, train), "--out", str(out), "--resume"]
    result = subprocess.run(
        words,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, size // 2)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stderr
    error = result.stderr.splitlines()[-1]
    assert error.startswith("Error: ")
    assert "File too large; free some space or mend it, then go on with --resume" in error
    assert "Traceback" not in result.stderr
    assert read_checkpoint(out / "checkpoints" / "last.pt")["step"] == 1
    assert [p.name for p in (out / "checkpoints").iterdir() if p.name.startswith(".")] == []
    run(*train, "--out", out, "--resume")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no folder here that nobody may write to")  # noqa: PTH112
def test_a_folder_that_may_not_be_written_is_one_line(store):
    line = run("--data", store, *SMALL, "--out", "/proc/self/run", code=1).stderr
    assert line.startswith("Error: /proc/self/run: expected a place to write")
    assert line.count("\n") == 1
