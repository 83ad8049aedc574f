"""Some patches of a run's store, and what its encoder makes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seco.data.spread import spread_evenly
from seco.data.store import open_store
from seco.errors import DataError
from seco.evaluate.datasets import StorePatches
from seco.evaluate.embed import describe_rows
from seco.evaluate.encoders import from_checkpoint
from seco.evaluate.features import extract_features
from seco.evaluate.similarity import unit_vectors
from seco.evaluate.unreadable import find_unreadable
from seco.report.page.pictures import patch_pictures
from seco.report.page.run import RecordedRun

MOST_PATCHES = 400  # that are encoded and can be told apart on a map
MOST_DATES = 8  # of a location
SIDE = 64  # pixels of a screen


@dataclass(frozen=True, eq=False)
class Sample:
    """Some locations of a store with their dates.

    Attributes:
        rows: Of the index, int64 ``(n,)``, location by location.
        places: Number of the location of each in the store, int64 ``(n,)``.
        dates: datetime64[s] ``(n,)``.
        names: Of the locations, ``(n,)``.
        classes: Of the locations, ``(n,)``; empty where there is none.
        pictures: Data URIs.
        unreadable: Number of patches that were left out, for they cannot be read.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    dates: NDArray[np.datetime64]
    names: NDArray[np.str_]
    classes: NDArray[np.str_]
    pictures: Sequence[str]
    unreadable: int

    def caption(self, i: int) -> str:
        """Place and date of a patch."""
        return f"{self.names[i]}, {str(self.dates[i])[:10]}"


def encode_sample(run: RecordedRun) -> tuple[Sample, NDArray[np.float64]]:
    """A sample of the run's store, and its vectors of length 1, ``(n, d)``, by the last checkpoint.

    Raises:
        SecoError: If store or checkpoint cannot be read, or there are too few patches.
    """
    file = run.checkpoint
    changed = file.stat().st_mtime_ns if file.is_file() else 0
    sample = _sample(run.store.path, run.store.fingerprint)
    return sample, _vectors(file, changed, run.store.path, run.store.fingerprint)


@lru_cache(maxsize=4)  # a changed store has another fingerprint
def _sample(path: Path, fingerprint: str) -> Sample:
    images = StorePatches(open_store(path))
    store = images.store
    per_place = np.minimum(store.locations["num_dates"], MOST_DATES)
    places = spread_evenly(len(store), max(2, MOST_PATCHES // int(per_place.max())))
    rows = [
        int(store.locations["first_row"][place]) + date
        for place in places
        for date in spread_evenly(int(store.locations["num_dates"][place]), MOST_DATES)
    ]
    index = np.array(rows, np.int64)
    unreadable = find_unreadable(images, rows=index)
    index = np.setdiff1d(index, list(unreadable))
    told, pictures = describe_rows(images)(index), patch_pictures(store, index, SIDE)
    classes = told.get("class", np.full(len(index), ""))
    return Sample(index, images.locations[index], told["date"], told["location"], classes, pictures, len(unreadable))


@lru_cache(maxsize=4)  # a new checkpoint has another time
def _vectors(file: Path, changed_ns: int, path: Path, fingerprint: str) -> NDArray[np.float64]:
    images = StorePatches(open_store(path))
    encoder = from_checkpoint(file, images).encoder
    rows = _sample(path, fingerprint).rows
    if len(rows) < 3:
        raise DataError(f"{path}: expected at least 3 patches to compare, got {len(rows)}")
    features = extract_features(encoder, images, rows=rows, batch_size=64)
    return unit_vectors(features).numpy()
