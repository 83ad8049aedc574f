"""Merging: the shards of a collection give the store that one run gives; what does not go together is refused."""

import errno
import os
import shutil

import pyarrow.parquet
import pytest

from seco.bands import SENTINEL2_L2A
from seco.data.merge import merge_stores
from seco.data.packing import pack_store
from seco.data.store import open_store
from seco.errors import ConfigError, DataError, StoreError


def test_statistics_and_index_are_those_of_one_store(tmp_path, make_store):
    parts = [make_store(name, locations=tuple(name), seed=0) for name in ("ac", "b")]
    merged = tmp_path / "merged"
    assert merge_stores([open_store(part) for part in parts], merged) == 3
    store = open_store(merged)
    assert store.locations["id"].tolist() == ["a", "b", "c"]
    files = [part / row for part in parts for row in open_store(part).read_index(["path"])["path"].to_pylist()]
    for file in files:
        assert (merged / file.relative_to(file.parents[2])).samefile(file)
    for row in range(9):
        store.read_bytes(row)  # compares with the checksum
    values = [store[i][1] for i in range(3)]
    total = sum(v[:, 0].astype(float).sum() for v in values)
    assert store.statistics["B01"].mean == pytest.approx(total / (9 * 64), rel=1e-12)
    assert pyarrow.parquet.read_schema(merged / "index.parquet").metadata[b"geo"]


def test_labels_are_merged(tmp_path, make_store):
    parts = [make_store(name, locations=(name,), labels={name: f"class {name}"}, seed=0) for name in "ab"]
    (parts[0] / "labels").mkdir()
    (parts[0] / "labels" / "a.tif").write_bytes(b"a map of classes")
    merge_stores([open_store(part) for part in parts], tmp_path / "merged")
    assert open_store(tmp_path / "merged").labels()[0] == ["class a", "class b"]
    assert (tmp_path / "merged/labels/a.tif").samefile(parts[0] / "labels/a.tif")


def test_no_store_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="stores: expected one or more, got none"):
        merge_stores([], tmp_path / "merged")


def test_folders_may_be_text(tmp_path, make_store):
    merge_stores([open_store(make_store())], str(tmp_path / "merged"))
    pack_store(open_store(tmp_path / "merged"), str(tmp_path / "packed"))
    assert len(open_store(tmp_path / "packed")) == 3


def test_other_settings_are_refused_by_name(tmp_path, make_store):
    parts = [make_store("a", locations=("a",), seed=0), make_store("b", locations=("b",), seed=1)]
    with pytest.raises(StoreError, match=r"expected a store with seed 0 as .*, got 1"):
        merge_stores([open_store(part) for part in parts], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_other_bands_are_refused_by_their_names(tmp_path, make_store):
    parts = [make_store("a", locations=("a",)), make_store("b", locations=("b",), bands=SENTINEL2_L2A[:2])]
    with pytest.raises(StoreError, match=r"expected a store with bands B01,.*,B12 as .*, got B01,B02;"):
        merge_stores([open_store(part) for part in parts], tmp_path / "merged")


def test_a_location_in_two_stores_is_refused(tmp_path, make_store):
    parts = [open_store(make_store(name, seed=0)) for name in ("one", "two")]
    with pytest.raises(StoreError, match="expected locations of its own, got a"):
        merge_stores(parts, tmp_path / "merged")


def test_packed_stores_are_refused(tmp_path, make_store):
    pack_store(open_store(make_store()), tmp_path / "packed")
    with pytest.raises(StoreError, match="merge first, then pack"):
        merge_stores([open_store(tmp_path / "packed")], tmp_path / "merged")


def test_a_missing_patch_leaves_nothing(tmp_path, make_store):
    store = open_store(make_store())
    next((store.path / "patches/a").iterdir()).unlink()
    with pytest.raises(DataError, match=r"20200115|20200401|20210701"):
        merge_stores([store], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_full_disk_is_named(tmp_path, make_store, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "a source")

    monkeypatch.setattr(os, "link", full)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(
        StoreError, match="merged: expected a place to write to, got No space left on device; choose another"
    ):
        merge_stores([open_store(make_store())], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
