"""Joins stores of different locations, such as the shards of one collection, into one."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow

from seco.data.atomic import write_atomic
from seco.data.description import (
    HISTOGRAM_FILE,
    INDEX_FILE,
    LABEL_FOLDER,
    REJECTED_FILE,
    SETTINGS_FILE,
    StoreDescription,
    read_settings,
)
from seco.data.statistics import DigitalNumberHistogram, count_patches
from seco.data.store import MEND_PATCH, Store
from seco.data.tables import read_labels, read_rejected, write_parquet
from seco.data.writer import check_new_folder, commit_store, written_whole
from seco.errors import ConfigError, StoreError
from seco.track import Track, untracked


def merge_stores(
    stores: Sequence[Store],
    out: str | Path,
    *,
    track: Track = untracked,
) -> int:
    """Write the locations of all stores into one; its statistics are exact, its patches hard links where that can be.

    Args:
        stores: Loose stores with the same settings and no location in common, of whatever sources; of a collection in
            shards, all shards.
        out: New or empty folder.
        track: How progress is shown.

    Returns:
        Number of locations.

    Raises:
        ConfigError: If there is no store.
        StoreError: If the stores do not go together, ``out`` is in use, or a patch cannot be read.
    """
    out = Path(out)
    if not stores:
        raise ConfigError("stores: expected one or more, got none; name those to merge")
    check_new_folder(out)
    description, settings = _common_description(stores), _common_settings(stores)
    _check_locations(stores)
    histogram = DigitalNumberHistogram(len(description.bands), np.dtype(description.dtype))
    for store in stores:
        _add_histogram(histogram, store)
    with written_whole(out):
        out.mkdir(parents=True, exist_ok=True)
        patches = [(store.path, file) for store in stores for file in store.sources_of_rows(np.arange(len(store.times)))]
        for folder, file in track(patches, "patches linked"):
            loose = cast(Path, file)  # as all of stores that are merged
            _link(loose, out / loose.relative_to(folder))
        for file in (file for store in stores for file in (store.path / LABEL_FOLDER).glob("*.tif")):
            _link(file, out / LABEL_FOLDER / file.name)
        if settings:
            write_atomic(out / SETTINGS_FILE, (json.dumps(settings, indent=2) + "\n").encode())
        _merge_rejected(stores, out)
        write_atomic(out / HISTOGRAM_FILE, histogram.to_bytes())
        whole = replace(description, statistics=histogram.by_band([band.name for band in description.bands]))
        commit_store(out, whole, _merge_indices(stores), _merge_labels(stores))
    return sum(map(len, stores))


def _common_description(stores: Sequence[Store]) -> StoreDescription:
    """What all stores say of themselves, statistics apart; where their sources differ, all of them."""
    first = stores[0]
    for store in stores:
        if store.packed or not store.has_checksums:
            raise StoreError(f"{store.path}: expected a store of loose patches, got another; merge first, then pack")
        for name, value in asdict(store.description).items():
            expected = asdict(first.description)[name]
            if name not in {"statistics", "source"} and value != expected:
                raise StoreError(
                    f"{store.path}: expected a store with {name} {_short(expected)} as {first.path} has, got "
                    f"{_short(value)}; merge stores of one kind"
                )
    return replace(first.description, source="; ".join(dict.fromkeys(store.description.source for store in stores)))


def _short(value: Any) -> Any:  # noqa: ANN401 - of a description
    """Bands by their names."""
    return ",".join(band["name"] for band in value) if isinstance(value, tuple) else value


def _common_settings(stores: Sequence[Store]) -> dict[str, Any]:
    """Settings of the collection that the stores are all shards of; empty if they are of none."""
    found = [read_settings(store.path) for store in stores]
    if not all(found):
        return {}
    shards = sorted(settings["shard"] for settings in found)
    for store, settings in zip(stores, found, strict=True):
        for name in settings.keys() - {"tool_version", "shard"}:
            if settings[name] != found[0].get(name):
                raise StoreError(
                    f"{store.path}: expected a collection with {name} {found[0].get(name)} as {stores[0].path} is, got "
                    f"{settings[name]}; merge shards of one collection"
                )
    if shards != list(range(found[0]["num_shards"])):
        raise StoreError(
            f"{stores[0].path}: expected all {found[0]['num_shards']} shards of its collection, got {shards}; name each once"
        )
    return found[0] | {"num_shards": 1, "shard": 0}


def _check_locations(stores: Sequence[Store]) -> None:
    owners: dict[str, Path] = {}
    for store in stores:
        for name in store.locations["id"].tolist():
            if name in owners:
                raise StoreError(
                    f"{store.path}: expected locations of its own, got {name}, which {owners[name]} has; merge other "
                    "stores, or import a place again from a folder of another name"
                )
            owners[name] = store.path


def _add_histogram(histogram: DigitalNumberHistogram, store: Store) -> None:
    file = store.path / HISTOGRAM_FILE
    if file.is_file():
        histogram.add_bytes(file.read_bytes())
    else:
        count_patches(histogram, store.sources_of_rows(np.arange(len(store.times))))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError as error:
        raise StoreError(f"{source}: expected a patch, got none; {MEND_PATCH}") from error
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(source, target)


def _merge_indices(stores: Sequence[Store]) -> Any:  # noqa: ANN401 - a GeoDataFrame
    import geopandas
    import pandas

    frames = [geopandas.read_parquet(store.path / INDEX_FILE) for store in stores]
    return pandas.concat(frames).astype({"time": "datetime64[s]"})  # as they were written; Parquet has no seconds


def _merge_labels(stores: Sequence[Store]) -> dict[str, str]:
    return {name: label for store in stores for name, label in read_labels(store.path).items()}


def _merge_rejected(stores: Sequence[Store], out: Path) -> None:
    tables = [table for store in stores if (table := read_rejected(store.path)) is not None]
    if tables:
        table = pyarrow.concat_tables(tables).sort_by([("location_id", "ascending"), ("attempt", "ascending")])
        write_parquet(out / REJECTED_FILE, table)
