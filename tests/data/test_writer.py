"""What the writer leaves on disk, when all goes well and when not."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from time import sleep

import geopandas
import numpy as np
import pandas
import pyarrow.parquet
import pytest
import rasterio
import torch

from seco.bands import SENTINEL2_L2A, Band
from seco.data import writer as writer_module
from seco.data.atomic import write_atomic
from seco.data.statistics import DigitalNumberHistogram
from seco.data.store import open_store
from seco.data.writer import StoreWriter, check_new_folder
from seco.errors import ConfigError, DataError, StoreError

SETTINGS = {
    "bands": SENTINEL2_L2A[:2],
    "patch_size": 4,
    "dtype": "uint16",
    "quantification": 1e4,
    "offset": 0.0,
    "product_level": "L2A",
    "sensor": "Sentinel-2",
    "seed": 3,
    "source": "a test",
    "licence": "CC0-1.0",
}
PATCH = {
    "location_id": "000001",
    "time": np.datetime64("2020-06-21T10:36:29"),
    "pixels": np.arange(1, 33, dtype=np.uint16).reshape(2, 4, 4),
    "epsg": 32631,
    "transform": (500_000.0, 10.0, 0.0, 4_649_970.0, 0.0, -10.0),
    "scene_id": "S2B_20200621",
    "cloud_fraction": 0.5,
    "longitude": 3.0,
    "latitude": 42.0,
}


def test_geotiff_has_the_profile_and_its_place_on_earth(tmp_path):
    with StoreWriter(tmp_path / "store", **SETTINGS) as writer:
        writer.add(**PATCH)
    with rasterio.open(tmp_path / "store/patches/000001/20200621T103629.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), PATCH["pixels"])
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        expected = {"COMPRESSION": "ZSTD", "INTERLEAVE": "BAND", "PREDICTOR": "2"}
        assert {key: structure[key] for key in expected} == expected
        assert dataset.block_shapes == [(4, 4), (4, 4)]
        assert dataset.profile["tiled"] is False
        assert dataset.descriptions == ("B01", "B02")
        assert dataset.nodata == 0
        assert dataset.crs.to_epsg() == 32631
        assert dataset.transform.to_gdal() == PATCH["transform"]


def test_index_opens_in_geopandas_and_plain_pyarrow(make_store):
    store = make_store()
    frame = geopandas.read_parquet(store / "index.parquet")
    table = pyarrow.parquet.read_table(store / "index.parquet")
    assert frame.crs.to_epsg() == 4326
    assert table.num_rows == len(frame) == 9
    assert frame["location_id"].tolist() == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    assert frame["time"].tolist()[:3] == sorted(frame["time"].tolist()[:3])
    assert (frame.geometry.x[0], frame.geometry.y[0]) == (4.0, 42.0)
    assert frame["epsg"].unique().tolist() == [32631]
    assert list(frame["geotransform"][0]) == [500_080.0, 10.0, 0.0, 4_649_970.0, 0.0, -10.0]
    assert frame["scene_id"][0] == "scene-2020-01-15"
    assert frame["cloud_fraction"].unique().tolist() == [0.25]
    for path, size, checksum in zip(frame["path"], frame["bytes"], frame["checksum"], strict=True):
        content = (store / path).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (size, checksum)


def test_description_says_what_was_declared(make_store):
    content = json.loads((make_store(seed=5) / "dataset.json").read_text())
    assert content["format_version"] == 1
    assert (content["quantification"], content["offset"], content["seed"]) == (10_000.0, -1000.0, 5)
    assert (content["patch_size"], content["resolution_m"], content["dtype"]) == (8, 10, "uint16")
    assert content["bands"][8] == {"name": "B8A", "wavelength_nm": 864.7, "resolution_m": 20}
    assert set(content["statistics"]["B8A"]) == {"mean", "std", "q02", "q98"}


def test_statistics_are_those_of_all_pixels(make_store):
    store = make_store()
    pixels = np.stack([rasterio.open(file).read() for file in sorted(store.glob("patches/*/*.tif"))])
    for i, band in enumerate(SENTINEL2_L2A):
        got = open_store(store).statistics[band.name]
        values = pixels[:, i].astype(np.float64)
        rounding = values.size * np.finfo(np.float64).eps
        assert got.mean == pytest.approx(values.mean(), rel=rounding)
        assert got.std == pytest.approx(values.std(), rel=rounding)
        assert [got.q02, got.q98] == np.quantile(values, (0.02, 0.98), method="inverted_cdf").tolist()


def test_error_while_writing_takes_everything_back(tmp_path, monkeypatch):
    path, synced = tmp_path / "store", []

    def fail():
        with StoreWriter(path, **SETTINGS) as writer:
            writer.add(**PATCH)
            raise KeyboardInterrupt

    def full_after_the_index(folder):
        synced.append(folder)
        if (path / "index.parquet").exists():
            raise OSError("no space left on device")

    def fail_at_the_end():
        with StoreWriter(path, **SETTINGS) as writer:
            writer.add(**PATCH)
            writer.add_label(PATCH["location_id"], "water")
            monkeypatch.setattr(writer_module, "sync", full_after_the_index)

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(path.iterdir()) == []
    with pytest.raises(OSError, match="no space left"):
        fail_at_the_end()
    monkeypatch.undo()
    assert synced
    assert list(path.iterdir()) == []
    with StoreWriter(path, **SETTINGS) as writer:  # a second try finds no leftovers
        writer.add(**PATCH)
    assert len(open_store(path)) == 1


def test_crash_before_the_index_leaves_no_store(tmp_path, monkeypatch):
    def crash(path, content):
        if path.name == "index.parquet":
            raise OSError("no space left on device")
        write_atomic(path, content)

    monkeypatch.setattr(writer_module, "write_atomic", crash)
    writer = StoreWriter(tmp_path / "store", **SETTINGS)
    writer.add(**PATCH)
    with pytest.raises(OSError, match="no space left"):
        writer.close()
    with pytest.raises(StoreError, match=r"without index.parquet .*writing did not finish"):
        open_store(tmp_path / "store")


def test_interrupted_file_leaves_the_old_one(tmp_path, monkeypatch):
    file = tmp_path / "file"
    write_atomic(file, b"old")

    def crash(descriptor):
        raise OSError("power cut")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="power cut"):
        write_atomic(file, b"new")
    assert file.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixels": np.ones((2, 4, 5), np.uint16)}, r"pixels: expected uint16 of shape \(2, 4, 4\)"),
        ({"pixels": np.ones((2, 4, 4), np.int16)}, "pixels: expected uint16 .* got int16"),
        ({"pixels": PATCH["pixels"].astype(">u2")}, "pixels: expected uint16 .* got >u2"),
        ({"pixels": PATCH["pixels"].tolist()}, "pixels: expected uint16 .* got list"),
        ({"pixels": torch.ones(2, 4, 4)}, "pixels: expected uint16 .* got Tensor"),
        ({"time": np.datetime64("NaT")}, "time: expected a date .* got NaT"),
        ({"time": pandas.NaT}, "time: expected a date, got NaT"),
        ({"time": "midsummer"}, "time: expected a date, got 'midsummer'"),
        ({"location_id": 7}, "location_id: expected letters"),
        ({"location_id": "../up"}, "location_id: expected letters"),
        ({"location_id": ".."}, "location_id: expected letters"),
        ({"transform": (0.0, 1.0, 0.0)}, "transform: expected six finite numbers"),
        ({"epsg": 1}, "epsg: expected a known EPSG code, got 1"),
        ({"cloud_fraction": 20.0}, "cloud_fraction: expected 0 to 1 or NaN, got 20.0"),
        ({"longitude": 500_000.0}, "longitude, latitude: expected degrees"),
    ],
)
def test_wrong_patch_is_refused_and_nothing_written(tmp_path, capfd, change, message):
    writer = StoreWriter(tmp_path / "store", **SETTINGS)
    with pytest.raises(DataError, match=message):
        writer.add(**PATCH | change)
    assert list(tmp_path.rglob("*.tif")) == []
    assert capfd.readouterr().err == ""  # PROJ has a word of its own for a code that it does not know


def test_same_date_twice_is_refused(tmp_path):
    writer = StoreWriter(tmp_path / "store", **SETTINGS)
    writer.add(**PATCH)
    with pytest.raises(DataError, match="expected each date once, got 2020-06-21T10:36:29 twice at 000001"):
        writer.add(**PATCH)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bands": ()}, "bands: expected one or more distinct bands"),
        ({"bands": (Band("B02", 492.4, 10),) * 2}, "bands: expected one or more distinct bands"),
        ({"bands": (Band("B02", "blue", 10),)}, "bands: expected a wavelength in nm, got 'blue' of B02"),
        ({"bands": (Band("B02", 492.4, None),)}, "resolution_m: expected a positive number of metres, got None"),
        ({"patch_size": 0}, "patch_size: expected a positive number"),
        ({"patch_size": 4.5}, "patch_size: expected a positive number"),
        ({"dtype": "float32"}, "dtype: expected uint8 or uint16, got float32"),
        ({"dtype": ">u2"}, "dtype: expected uint8 or uint16, got >u2"),
        ({"seed": "a"}, "seed: expected a whole number or None, got 'a'"),
        ({"seed": 1.5}, "seed: expected a whole number or None, got 1.5"),
        ({"resolution_m": -1}, "resolution_m: expected a positive number of metres, got -1"),
        ({"resolution_m": float("nan")}, "resolution_m: expected a positive number of metres, got nan"),
        ({"resolution_m": "10"}, "resolution_m: expected a positive number of metres, got '10'"),
        ({"quantification": 0.0}, "quantification: expected a positive number"),
    ],
)
def test_wrong_setting_is_refused_before_a_folder_is_made(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        StoreWriter(tmp_path / "store", **SETTINGS | change)
    assert not (tmp_path / "store").exists()


def test_folder_in_use_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="expected a new or empty folder, got one in use"):
        StoreWriter(tmp_path, **SETTINGS)
    with pytest.raises(StoreError, match="expected a new or empty folder"):
        StoreWriter(tmp_path / "notes.txt", **SETTINGS)


def test_an_unfinished_store_is_called_so(tmp_path):
    (tmp_path / "patches").mkdir()
    with pytest.raises(StoreError, match="got a store that was not finished; choose another or delete it"):
        check_new_folder(tmp_path)


def test_empty_store_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected at least one patch to write, got none"):
        StoreWriter(tmp_path / "store", **SETTINGS).close()


def test_label_of_unknown_location_and_second_label_are_refused(tmp_path):
    writer = StoreWriter(tmp_path / "store", **SETTINGS)
    writer.add(**PATCH)
    writer.add_label("000002", "water")
    with pytest.raises(DataError, match="got a second for 000002"):
        writer.add_label("000002", "wood")
    with pytest.raises(DataError, match="expected a location of the store, got 000002"):
        writer.close()


def test_masked_pixels_are_nodata_in_the_file_and_in_the_statistics(tmp_path):
    with StoreWriter(tmp_path / "store", **SETTINGS) as writer:
        writer.add(**PATCH | {"pixels": np.ma.masked_less(PATCH["pixels"], 9)})
    store = open_store(tmp_path / "store")
    np.testing.assert_array_equal(store[0][1][0], np.where(PATCH["pixels"] < 9, 0, PATCH["pixels"]))
    assert store.statistics["B01"].mean == 12.5  # of 9 ... 16


def test_numbers_of_numpy_and_paths_are_written_as_pythons(tmp_path):
    bands = (Band("r", np.float32(665), np.int64(10)), Band("n", np.float64(842.5), np.float32(2.5)))
    changes = {"bands": bands, "seed": np.int64(3), "resolution_m": np.float32(2.5), "source": Path("a/place")}
    with StoreWriter(tmp_path / "store", **SETTINGS | changes) as writer:
        writer.add(**PATCH | {"scene_id": Path("scene")})
        writer.add(**PATCH | {"scene_id": None, "time": np.datetime64("2022-01-01")})
    store = open_store(tmp_path / "store")
    assert [asdict(band) for band in store.bands] == [asdict(band) for band in bands]
    assert (store.description.seed, store.description.resolution_m, store.description.source) == (3, 2.5, "a/place")
    assert store.read_index(["scene_id"])["scene_id"].to_pylist() == ["scene", None]


@pytest.mark.parametrize(
    "time",
    [
        "2020-06-21T10:36:29",
        datetime(2020, 6, 21, 10, 36, 29, 5),
        datetime(2020, 6, 21, 12, 36, 29, tzinfo=timezone(timedelta(hours=2))),
        pandas.Timestamp("2020-06-21T10:36:29"),
        pandas.Timestamp("2020-06-21T12:36:29", tz="Europe/Paris"),
    ],
)
def test_times_of_any_library_are_utc_seconds(tmp_path, time):
    with StoreWriter(tmp_path / "store", **SETTINGS) as writer:
        writer.add(**PATCH | {"time": time})
    assert open_store(tmp_path / "store").dates(0).tolist() == [datetime(2020, 6, 21, 10, 36, 29)]


def test_threads_may_add_at_once(tmp_path, monkeypatch):
    add = DigitalNumberHistogram.add

    def slowly(histogram, pixels):  # another thread's numbers come in between unless they are kept out
        before = histogram._counts.copy()
        add(histogram, pixels)
        counted = histogram._counts.copy()
        sleep(0.001)
        np.testing.assert_array_equal(histogram._counts, counted)
        assert (counted - before).sum() == pixels.size

    monkeypatch.setattr(DigitalNumberHistogram, "add", slowly)
    times = [PATCH["time"] + np.timedelta64(second, "s") for second in range(60)]
    with StoreWriter(tmp_path / "store", **SETTINGS) as writer, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda time: writer.add(**PATCH | {"time": time}), times))
    assert open_store(tmp_path / "store").dates(0).tolist() == [time.item() for time in times]


def test_of_threads_that_write_one_patch_one_does(tmp_path, monkeypatch):
    started = Barrier(2)
    encode = writer_module.encode_geotiff

    def together(*arguments, **settings):
        with suppress(BrokenBarrierError):
            started.wait(0.2)
        return encode(*arguments, **settings)

    def add(number):
        try:
            writer.add(**PATCH | {"pixels": np.full_like(PATCH["pixels"], number)})
        except DataError as error:
            return str(error)

    monkeypatch.setattr(writer_module, "encode_geotiff", together)
    with StoreWriter(tmp_path / "store", **SETTINGS) as writer, ThreadPoolExecutor(2) as pool:
        refused = [text for text in pool.map(add, (1, 2)) if text]
    assert len(refused) == 1
    assert "expected each date once" in refused[0]
    assert len(open_store(tmp_path / "store").read_bytes(0)) > 0  # compares with the checksum


def test_a_patch_that_was_refused_may_be_given_again(tmp_path):
    with StoreWriter(tmp_path / "store", **SETTINGS) as writer:
        with pytest.raises(DataError, match="epsg"):
            writer.add(**PATCH | {"epsg": 1})
        writer.add(**PATCH)
    assert len(open_store(tmp_path / "store")) == 1


def test_a_closed_store_takes_nothing_more(tmp_path):
    writer = StoreWriter(tmp_path / "store", **SETTINGS)
    writer.add(**PATCH)
    writer.close()
    with pytest.raises(StoreError, match="expected a store in the making, got one that is closed"):
        writer.add(**PATCH | {"location_id": "000002"})
    with pytest.raises(StoreError, match="expected a store in the making, got one that is closed"):
        writer.add_label("000001", "water")


@pytest.mark.parametrize("label", [3, None, float("nan")])
def test_labels_are_text(tmp_path, label):
    with pytest.raises(DataError, match="label: expected text, got"):
        StoreWriter(tmp_path / "store", **SETTINGS).add_label("000001", label)
