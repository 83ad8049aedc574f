"""The patches of a store as images to evaluate on."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from seco.data.store import Store
from seco.errors import DataError
from seco.evaluate.datasets.split import AUTO, Split, SplitChoice, make_split


class StorePatches:
    """All patches of a store: location by location, each in the order of its dates.

    Args:
        store: The store.
        split: Of its locations; by default half of each class, by hash.

    Attributes:
        store: The store; its path, bands, type, size, units and statistics are those of the patches.
        locations: Number of the location of each patch, int64 ``(N,)``.
        groups: The same.
    """

    def __init__(self, store: Store, split: SplitChoice = AUTO) -> None:
        self.store = store
        self._choice = split
        self.path, self.band_names, self.dtype, self.patch_size = store.path, store.band_names, store.dtype, store.patch_size
        self.reflectance, self.statistics = store.description.reflectance, store.statistics
        self.locations = self.groups = np.repeat(np.arange(len(store)), store.locations["num_dates"])

    def __len__(self) -> int:
        return len(self.locations)

    @cached_property
    def class_names(self) -> Sequence[str]:
        """Names of the classes.

        Raises:
            DataError: If fewer than two classes are labelled.
        """
        return self._labelled[0]

    @property
    def labels(self) -> np.ndarray:
        """Class of the location of each patch, int64 ``(N,)``; -1: none."""
        return self._labelled[1]

    @property
    def splits(self) -> Mapping[str, np.ndarray]:
        """Rows ``(n,)`` to train on and to test on: no location is in both."""
        return self._split.rows

    @property
    def split_source(self) -> str:
        """How the split was made."""
        return self._split.source

    @cached_property
    def _split(self) -> Split:
        of_location, places = self.store.labels()[1], self.store.locations
        made = make_split(
            self._choice,
            names=places["id"].tolist(),
            labels=of_location,
            folders=(),
            positions=lambda: np.stack([places["longitude"], places["latitude"]], axis=1),
            halves="half of the locations of each class for training, by SHA-256 of their names",
        )
        known = self.labels >= 0
        rows = {part: np.flatnonzero(np.isin(self.locations, of_part) & known) for part, of_part in made.rows.items()}
        return Split(rows, made.source)

    @cached_property
    def _labelled(self) -> tuple[Sequence[str], np.ndarray]:
        names, of_location = self.store.labels()
        labels: np.ndarray = of_location[self.locations]
        if len(np.unique(labels[labels >= 0])) < 2:
            raise DataError(f"{self.path}: expected labels of at least two classes, got fewer; label more")
        return names, labels

    def read(self, rows: np.ndarray, bands: Sequence[str], threads: int | None = None) -> np.ndarray:
        """Pixels ``(n, C, H, W)`` of some patches."""
        indices = [self.band_names.index(name) for name in bands]
        return self.store.read(rows, bands=indices, threads=threads)

    def describe(self) -> dict[str, Any]:
        """Path, size and fingerprint of the store."""
        return {
            "kind": "store",
            "path": str(self.store.path),
            "fingerprint": self.store.fingerprint,
            "locations": len(self.store),
            "patches": len(self),
        }
