"""Collections of the synthetic source: their files, interruptions, shards and estimates."""

import multiprocessing
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from small_collections import files_of
from waiting import is_running, until

from seco.bands import SENTINEL2_L2A
from seco.collect.settings import claim_folder
from seco.collect.synthetic.classes import CLASSES, NAMES
from seco.collect.synthetic.estimate import estimate
from seco.collect.synthetic.series import Request
from seco.collect.synthetic.source import collect
from seco.data.merge import merge_stores
from seco.data.store import open_store
from seco.errors import ConfigError, RunError, StoreError


def test_store_does_not_depend_on_the_number_of_workers(tmp_path):
    request = Request(locations=4, seed=2, patch_size=12, dates=2)
    for workers in (1, 3):
        collect(request, tmp_path / str(workers), workers=workers)
    names = [sorted(p.relative_to(tmp_path / w) for p in (tmp_path / w).rglob("*") if p.is_file()) for w in ("1", "3")]
    assert names[0] == names[1]
    assert len(names[0]) == 4 * 2 + 4 + 6  # patches, label rasters, and what is in the folder of a store
    for name in names[0]:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "3" / name).read_bytes()


def test_store_holds_labels_georeferencing_and_statistics(tmp_path):
    collect(Request(locations=3, seed=12, patch_size=18, dates=2), tmp_path / "store")
    store = open_store(tmp_path / "store")
    assert (len(store), store.patch_size, store.band_names) == (
        3,
        18,
        tuple(band.name for band in SENTINEL2_L2A),
    )
    names, labels = store.labels()
    for index, location in enumerate(store.locations):
        with rasterio.open(tmp_path / "store" / "labels" / f"{location['id']}.tif") as raster:
            classes = raster.read(1)
            colours = raster.colormap(1)
            label_grid = (raster.crs, raster.transform)
        with rasterio.open(store.sources(index)[0]) as raster:
            assert (raster.crs, raster.transform) == label_grid
        most_frequent = np.bincount(classes.ravel()).argmax()
        assert names[labels[index]] == NAMES[most_frequent - 1]
        assert colours[1][:3] == CLASSES[0].colour
        assert store.dates(index)[0] < store.dates(index)[1]


def test_existing_store_is_left_alone(tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"expected a new or empty folder"):
        collect(Request(locations=1, seed=0, patch_size=8), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept.txt"]


REQUEST = Request(locations=6, seed=0, patch_size=8, dates=2)


def interrupt_after(count):
    def progress(done):
        if done == count:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("lost", [False, True])
def test_an_interrupted_collection_is_gone_on_with(tmp_path, lost):
    collect(REQUEST, tmp_path / "whole")
    for done in (1, 4):
        with pytest.raises(KeyboardInterrupt):
            collect(REQUEST, tmp_path / "store", progress=interrupt_after(done))
        with pytest.raises(StoreError, match="not finished"):
            open_store(tmp_path / "store")
    if lost:
        next((tmp_path / "store/patches/000002").iterdir()).unlink()
    counts = []
    assert collect(REQUEST, tmp_path / "store", progress=counts.append)
    assert counts[0] == 4 - lost
    assert files_of(tmp_path / "store") == files_of(tmp_path / "whole")
    assert not collect(REQUEST, tmp_path / "store")


@pytest.mark.parametrize("lost", ["patches/000002", "labels/000003.tif", "dataset.json"])
def test_a_finished_store_that_lost_files_is_mended_with_its_labels(tmp_path, lost):
    collect(REQUEST, tmp_path / "store")
    whole, path = files_of(tmp_path / "store"), tmp_path / "store" / lost
    (next(path.iterdir()) if path.is_dir() else path).unlink()
    assert collect(REQUEST, tmp_path / "store")
    assert files_of(tmp_path / "store") == whole


def test_labels_of_a_store_that_is_mended_are_needed(tmp_path):
    collect(REQUEST, tmp_path / "store")
    labels = tmp_path / "store/labels.parquet"
    kept = labels.read_bytes()
    labels.unlink()
    next((tmp_path / "store/patches/000002").iterdir()).unlink()
    for _ in range(2):
        with pytest.raises(StoreError, match=r"labels\.parquet: expected the label of every location, got 1; bring it back"):
            collect(REQUEST, tmp_path / "store")
    labels.write_bytes(kept)
    assert collect(REQUEST, tmp_path / "store")
    assert not collect(REQUEST, tmp_path / "store")


def test_patches_without_books_are_left_alone(tmp_path):
    folder = tmp_path / "store"
    collect(REQUEST, folder)
    index, whole = folder / "index.parquet", files_of(folder)
    index.unlink()
    with pytest.raises(StoreError, match="its writing did not finish"):
        open_store(folder)
    for _ in range(2):
        with pytest.raises(StoreError, match=r"got patches without index\.parquet or journal\.sqlite; bring one back"):
            collect(REQUEST, folder)
    index.write_bytes(whole["index.parquet"])
    assert files_of(folder) == whole


def test_all_that_begin_at_once_may_claim_the_folder(tmp_path):
    for round_ in range(30):
        folder = tmp_path / str(round_)
        with ThreadPoolExecutor(4) as pool:
            for claimed in [pool.submit(claim_folder, folder, REQUEST) for _ in range(4)]:
                claimed.result()


@pytest.mark.parametrize("until", ["2021-13-45", "soon", "NaT"])
def test_a_day_that_is_none_is_refused_before_anything_is_written(until):
    with pytest.raises(ConfigError, match="until: expected a day such as"):
        replace(REQUEST, until=until)


def test_numbers_of_numpy_are_settings(tmp_path):
    request = replace(REQUEST, seed=np.int64(0), until=np.datetime64("2021-12-31"))
    collect(request, tmp_path / "store")
    assert not collect(REQUEST, tmp_path / "store")


def test_other_settings_are_refused(tmp_path):
    collect(REQUEST, tmp_path / "store")
    with pytest.raises(StoreError, match="expected a collection with seed 1, got one begun with 0"):
        collect(replace(REQUEST, seed=1), tmp_path / "store")


def test_merged_shards_are_the_store_of_one_run(tmp_path):
    collect(REQUEST, tmp_path / "whole")
    shards = [tmp_path / str(shard) for shard in range(2)]
    for shard, folder in enumerate(shards):
        collect(replace(REQUEST, num_shards=2, shard=shard), folder)
    merge_stores([open_store(folder) for folder in shards], tmp_path / "merged")
    assert files_of(tmp_path / "merged") == files_of(tmp_path / "whole")


def test_an_estimate_counts_the_bytes_of_the_files(tmp_path):
    collect(REQUEST, tmp_path / "store")
    found = estimate(REQUEST)
    assert found.bytes_drawn == 6 * 2 * 12 * 8 * 8 * 2
    assert found.bytes_on_disk == sum(file.stat().st_size for file in (tmp_path / "store").rglob("*.tif"))
    many = estimate(replace(REQUEST, locations=600))
    assert many.bytes_drawn == 100 * found.bytes_drawn
    assert many.bytes_on_disk == pytest.approx(100 * found.bytes_on_disk, rel=0.3)


def children_of(process):
    return [int(number) for number in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def begin_long_one(folder):
    """A process that collects for hours, once there are some patches."""
    words = ["collect", "--source", "synthetic", "--out", folder, "--locations", "100000", "--seed", "0"]
    words += ["--dates", "2", "--patch-size", "16", "--workers", "2"]
    process = subprocess.Popen([sys.executable, "-m", "seco.cli", *map(str, words)], stderr=subprocess.PIPE, text=True)
    until(lambda: len(list(folder.glob("patches/*/*.tif"))) >= 10)
    return process


def test_a_kill_leaves_no_process(tmp_path):
    with begin_long_one(tmp_path / "store") as process:
        children = children_of(process)
        process.kill()
    assert len(children) >= 2
    until(lambda: not any(map(is_running, children)))


def test_a_time_limit_leaves_what_is_gone_on_with_and_no_chatter(tmp_path):
    with begin_long_one(tmp_path / "store") as process:
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "resource_tracker" not in told
    assert "Traceback" not in told
    request, counts = Request(locations=100_000, seed=0, patch_size=16, dates=2), []

    def stop_at_once(done):
        counts.append(done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect(request, tmp_path / "store", progress=stop_at_once)
    assert counts[0] >= 4


@pytest.mark.parametrize(
    "change",
    [
        {"locations": 0},
        {"seed": -1},
        {"seed": 2**64},
        {"patch_size": 7},
        {"dates": 0},
        {"cloud_percent": 101.0},
    ],
)
def test_request_out_of_range_names_the_field(change):
    (name,) = change
    with pytest.raises(ConfigError, match=f"^{name}: expected"):
        Request(**{"locations": 1, "seed": 0, **change})


def test_workers_out_of_range_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match=r"^workers: expected"):
        collect(Request(locations=1, seed=0), tmp_path / "store", workers=0)
    assert not (tmp_path / "store").exists()


def test_worker_that_dies_is_an_error_and_leaves_what_is_gone_on_with(tmp_path):
    def kill(done):
        if done:
            for worker in multiprocessing.active_children():
                worker.kill()

    request = Request(locations=20, seed=0, patch_size=8)
    with pytest.raises(RunError, match=r"^workers: expected all to finish"):
        collect(request, tmp_path / "store", workers=2, progress=kill)
    with pytest.raises(StoreError):
        open_store(tmp_path / "store")
    assert collect(request, tmp_path / "store", workers=2)
    assert len(open_store(tmp_path / "store")) == 20
