"""Opening and reading stores, whole and damaged."""

import json

import numpy as np
import pyarrow.parquet
import pytest
import rasterio
import torch

import seco
from seco.bands import SENTINEL2_L2A
from seco.data.store import open_store
from seco.errors import ArrayError, GeoTiffError, StoreError
from seco.ops.geotiff import decode_geotiff


def edit_description(store, **changes):
    file = store / "dataset.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def rewrite_index(store, change):
    file = store / "index.parquet"
    pyarrow.parquet.write_table(change(pyarrow.parquet.read_table(file)), file)


def test_locations_and_dates_come_sorted(make_store):
    store = open_store(make_store())
    assert len(store) == 3
    assert store.locations["id"].tolist() == ["a", "b", "c"]
    assert store.locations["longitude"].tolist() == [4.0, 3.0, 5.0]
    assert store.locations["latitude"].tolist() == [42.0] * 3
    assert store.locations["first_row"].tolist() == [0, 3, 6]
    assert store.locations["num_dates"].tolist() == [3, 3, 3]
    expected = np.array(["2020-01-15T10:36:29", "2020-04-01T10:00:00", "2021-07-01T10:00:00"], "datetime64[s]")
    assert store.dates(1).dtype == expected.dtype
    np.testing.assert_array_equal(store.dates(1), expected)
    assert store.sources(1)[0].name == "20200115T103629.tif"
    assert store.sources(-1) == store.sources(2)


@pytest.mark.parametrize(("dtype", "bands"), [("uint16", SENTINEL2_L2A), ("uint8", SENTINEL2_L2A[1:4])])
def test_pixels_come_back_as_they_were_written(make_store, dtype, bands):
    store = open_store(make_store(dtype=dtype, bands=bands))
    random = np.random.default_rng(0)
    top = 255 if dtype == "uint8" else 9000
    written = [[random.integers(1, top, (len(bands), 8, 8), dtype=dtype) for _ in range(3)] for _ in range(3)]
    for i, location in enumerate(["b", "a", "c"]):
        dates, pixels = store[store.locations["id"].tolist().index(location)]
        assert (pixels.dtype, store.dtype) == (np.dtype(dtype), np.dtype(dtype))
        assert len(dates) == 3
        np.testing.assert_array_equal(pixels, [written[i][k] for k in (1, 2, 0)])  # in the order of dates


def test_description_is_at_hand(make_store):
    store = open_store(make_store())
    assert store.bands == SENTINEL2_L2A
    assert store.band_names[:3] == ("B01", "B02", "B03")
    assert store.patch_size == 8
    assert store.description.quantification == 10_000
    assert repr(store).endswith("3 locations, 9 patches, bands B01,B02,B03,B04,B05,B06,B07,B08,B8A,B09,B11,B12)")


def test_package_offers_open_store(make_store):
    assert len(seco.open_store(str(make_store()))) == 3


def test_opening_reads_no_pixels(make_store):
    path = make_store()
    for file in path.glob("patches/*/*.tif"):
        file.unlink()
    store = open_store(path)
    assert len(store.dates(0)) == 3
    with pytest.raises(GeoTiffError, match=r"20200115T103629.tif"):
        store[0]


def test_locations_may_have_different_numbers_of_dates(make_store):
    path = make_store()
    rewrite_index(path, lambda table: table.take([0, 3, 4, 5, 7, 8]))
    store = open_store(path)
    assert store.locations["num_dates"].tolist() == [1, 3, 2]
    assert [file.parent.name for i in range(3) for file in store.sources(i)] == list("abbbcc")


def test_location_out_of_range_is_an_index_error(make_store):
    store = open_store(make_store())
    with pytest.raises(IndexError, match="location: expected a number below 3, got 3"):
        store.dates(3)
    with pytest.raises(TypeError, match="location: expected a number below 3, got slice"):
        store[:2]


@pytest.mark.parametrize("kind", [np.array, torch.tensor, np.int64])
def test_numbers_of_any_library_are_locations(make_store, kind):
    store = open_store(make_store())
    assert (store.dates(kind(2)) == store.dates(2)).all()


@pytest.mark.parametrize("rows", [[-1], [100], [0.5], [True], [[0]]])
def test_rows_that_are_not_there_are_refused(make_store, rows):
    with pytest.raises(ArrayError, match="rows: expected numbers 0"):
        open_store(make_store()).read(rows)


@pytest.mark.parametrize("dtype", [">i8", ">u2", "uint64"])
def test_rows_are_whole_numbers_of_any_type(make_store, dtype):
    store = open_store(make_store())
    np.testing.assert_array_equal(store.read(np.array([2, 0], dtype)), store.read([2, 0]))


def test_no_file_has_a_number_that_is_no_row(make_store):
    with pytest.raises(ArrayError, match="rows: expected numbers 0"):
        open_store(make_store()).read_bytes(-1)


def test_no_rows_have_no_pixels(make_store):
    assert open_store(make_store()).read([]).shape[0] == 0


@pytest.mark.parametrize("band", [-1, 12, 10**6])
def test_bands_that_are_not_there_are_refused(make_store, band):
    with pytest.raises(ArrayError, match="bands: expected numbers 0 … 11"):
        open_store(make_store()).read([0], bands=[band])


def test_the_package_offers_its_operations():
    assert seco.ops.decode_geotiff is decode_geotiff
    assert {"ops", "open_store"} <= set(dir(seco))


def test_labels_are_numbered_by_sorted_name(make_store):
    names, classes = open_store(make_store(labels={"a": "wood", "c": "crops"})).labels()
    assert names == ["crops", "wood"]
    assert classes.dtype == np.int64
    assert classes.tolist() == [1, -1, 0]


def test_labels_of_other_locations_are_no_classes(make_store):
    store = open_store(make_store(labels={"a": "wood"}))
    table = {"location_id": ["a", "elsewhere"], "label": ["wood", "sea"]}
    pyarrow.parquet.write_table(pyarrow.table(table), store.path / "labels.parquet")
    assert store.labels()[0] == ["wood"]
    pyarrow.parquet.write_table(pyarrow.table(table).slice(1), store.path / "labels.parquet")
    with pytest.raises(StoreError, match="locations such as a, got those of others such as elsewhere; write the names"):
        store.labels()


def test_store_without_labels_says_so(make_store):
    with pytest.raises(StoreError, match="expected labels, got"):
        open_store(make_store()).labels()


def test_fingerprint_follows_content(make_store):
    same, again = open_store(make_store("one")), open_store(make_store("two"))
    assert same.fingerprint == again.fingerprint
    assert same.fingerprint != open_store(make_store("other", seed=1)).fingerprint


def test_missing_and_foreign_folders_are_named(tmp_path):
    with pytest.raises(StoreError, match="nowhere: expected a patch store, got no such folder"):
        open_store(tmp_path / "nowhere")
    with pytest.raises(StoreError, match=r"got a folder without dataset\.json"):
        open_store(tmp_path)


def test_newer_format_asks_for_an_update(make_store):
    path = make_store()
    edit_description(path, format_version=2)
    with pytest.raises(StoreError, match=r"written by a newer seco \(format 2, this one reads up to 1\): update seco"):
        open_store(path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format_version": 1}', '{"format_version": "one"}'])
def test_damaged_description_is_one_line(make_store, text):
    path = make_store()
    (path / "dataset.json").write_text(text)
    with pytest.raises(StoreError, match=r"^[^\n]*expected a valid dataset.json[^\n]*$"):
        open_store(path)


def test_damaged_index_is_one_line(make_store):
    path = make_store()
    content = (path / "index.parquet").read_bytes()
    for damaged in (b"", b"not parquet", content[: len(content) // 2]):
        (path / "index.parquet").write_bytes(damaged)
        with pytest.raises(StoreError, match=r"^[^\n]*index.parquet: expected a readable Parquet[^\n]*$"):
            open_store(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop_columns(["location_id"]), "readable Parquet file with location_id"),
        (lambda table: table.take(list(range(8, -1, -1))), "expected an index sorted by location and time"),
        (lambda table: table.take([0, 0, 1]), "expected an index sorted by location and time"),
        (lambda table: table.slice(0, 0), "expected an index sorted by location and time"),
    ],
)
def test_index_of_another_form_is_refused(make_store, change, message):
    path = make_store()
    rewrite_index(path, change)
    with pytest.raises(StoreError, match=message):
        open_store(path)


def with_column(table, name, values):
    return table.set_column(table.column_names.index(name), name, pyarrow.array(values))


@pytest.mark.parametrize("geometry", [None, b"no point"])
def test_an_index_without_a_point_is_refused(make_store, geometry):
    path = make_store()
    rewrite_index(path, lambda table: with_column(table, "geometry", [geometry, *table["geometry"].to_pylist()[1:]]))
    with pytest.raises(StoreError, match="expected an index with a point for every location, got one without"):
        open_store(path)


def test_an_index_of_categories_is_refused(make_store):
    path = make_store()
    rewrite_index(path, lambda t: with_column(t, "location_id", t["location_id"].combine_chunks().dictionary_encode()))
    with pytest.raises(StoreError, match="expected an index with location_id as text, got dictionary"):
        open_store(path)


def test_an_index_without_a_path_is_refused(make_store):
    path = make_store()
    rewrite_index(path, lambda table: with_column(table, "path", [None, *table["path"].to_pylist()[1:]]))
    with pytest.raises(StoreError, match="expected an index with a file for every patch, got one without"):
        open_store(path).read([3])


def test_files_are_read_by_rasterio_too(make_store):
    store = open_store(make_store())
    with rasterio.open(store.sources(2)[1]) as dataset:
        np.testing.assert_array_equal(dataset.read(), store[2][1][1])
