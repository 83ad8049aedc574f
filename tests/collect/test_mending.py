"""Stores that lost files: the same command mends them, and takes nothing away."""

import sqlite3
from contextlib import closing

import pyarrow.parquet
import pytest
from small_collections import files_of, quick_gate, run

from seco.data.store import open_store
from seco.errors import SourceError, StoreError


def test_a_lost_patch_is_fetched_again(tmp_path, poor_stub):
    run(tmp_path / "whole", poor_stub)

    def interrupt(progress):
        if progress.accepted == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "store", poor_stub, report=interrupt)
    with closing(sqlite3.connect(tmp_path / "store/journal.sqlite")) as journal:
        (name,) = journal.execute("SELECT location_id FROM patches LIMIT 1").fetchone()
    next((tmp_path / "store/patches" / name).iterdir()).unlink()
    run(tmp_path / "store", poor_stub)
    assert files_of(tmp_path / "store") == files_of(tmp_path / "whole")


def lose_two_patches(folder):
    first, second, *_ = sorted((folder / "patches").rglob("*.tif"))
    first.unlink()
    second.write_bytes(second.read_bytes()[:100])
    return {first.parent.name, second.parent.name}


def interrupt(progress):
    raise KeyboardInterrupt


@pytest.mark.parametrize("interrupted", [False, True])
def test_patches_lost_since_the_end_are_fetched_again(tmp_path, poor_stub, interrupted):
    folder = tmp_path / "store"
    run(folder, poor_stub)
    whole = files_of(folder)
    lost = lose_two_patches(folder)
    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            run(folder, poor_stub, report=interrupt)
        assert len(open_store(folder)) == 12, "it opens as before"
    before = poor_stub.requests
    progress = run(folder, poor_stub)
    assert progress.accepted - progress.accepted_before == len(lost)
    assert poor_stub.requests - before < 10
    assert files_of(folder) == whole
    assert run(folder, poor_stub) is None


def test_labels_that_a_user_put_there_stay(tmp_path, poor_stub):
    folder = tmp_path / "store"
    run(folder, poor_stub)
    table = pyarrow.table({"location_id": ["000000"], "label": ["wood"], "surveyor": ["me"]})
    pyarrow.parquet.write_table(table, folder / "labels.parquet")
    whole = files_of(folder)
    lose_two_patches(folder)
    run(folder, poor_stub)
    assert files_of(folder) == whole


def test_damaged_reasons_are_named_and_not_needed(tmp_path, poor_stub):
    folder = tmp_path / "store"
    run(folder, poor_stub)
    whole = files_of(folder / "patches")
    lose_two_patches(folder)
    (folder / "rejected.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"rejected\.parquet: expected a readable Parquet file .*; delete it"):
        run(folder, poor_stub)
    (folder / "rejected.parquet").unlink()
    run(folder, poor_stub)
    assert files_of(folder / "patches") == whole


def test_a_server_that_is_gone_takes_no_store_away(tmp_path, poor_stub):
    folder = tmp_path / "store"
    run(folder, poor_stub)
    lose_two_patches(folder)
    poor_stub.faults = lambda number, path: "drop"
    with pytest.raises(SourceError):
        run(folder, poor_stub, gate=quick_gate(tries=1))
    assert len(open_store(folder)) == 12


@pytest.mark.parametrize("finished", [True, False])
def test_patches_of_a_disk_that_went_away_are_not_collected_again(tmp_path, poor_stub, finished):
    folder = tmp_path / "store"
    if finished:
        run(folder, poor_stub)
    else:
        with pytest.raises(KeyboardInterrupt):
            run(folder, poor_stub, report=lambda progress: interrupt(progress) if progress.accepted == 6 else None)
    kept = files_of(folder / "patches")
    (folder / "patches").rename(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(StoreError, match=r"expected the patches of .* locations, got none at all; bring them back"):
            run(folder, poor_stub)
        (folder / "patches").mkdir(exist_ok=True)  # a mount point
    (folder / "patches").rmdir()
    (tmp_path / "elsewhere").rename(folder / "patches")
    run(folder, poor_stub)
    assert files_of(folder / "patches").items() >= kept.items()


def test_a_damaged_index_is_one_line(tmp_path, stub):
    run(tmp_path / "store", stub)
    (tmp_path / "store/index.parquet").write_bytes(b"no parquet")
    with pytest.raises(StoreError, match=r"index\.parquet: expected a readable Parquet file"):
        run(tmp_path / "store", stub)
