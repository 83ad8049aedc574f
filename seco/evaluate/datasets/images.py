"""What an evaluation asks of a data set: pixels by row, and, where it has labels, classes and a split."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from seco.data.reflectance import Reflectance
from seco.data.statistics import BandStatistics


class DataSet(Protocol):
    """Pixels of one list of bands."""

    @property
    def path(self) -> Path:
        """Where they are."""

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the bands that can be read."""

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels: uint8 or uint16."""

    @property
    def reflectance(self) -> Reflectance | None:
        """What the digital numbers mean; None: brightness of stretched pictures, which nothing leads back from."""

    @property
    def statistics(self) -> dict[str, BandStatistics]:
        """Statistics of each band in digital numbers; of classes and of pairs, over those that train."""

    def describe(self) -> dict[str, Any]:
        """What identifies the data, for a result that can be repeated."""


class Images(DataSet, Protocol):
    """Images of one size, read in batches."""

    @property
    def patch_size(self) -> int:
        """Height and width, pixels."""

    def __len__(self) -> int: ...

    def read(self, rows: np.ndarray, bands: Sequence[str], threads: int | None = None) -> np.ndarray:
        """Pixels ``(n, C, H, W)`` of the images ``rows``, int64 ``(n,)``, in their order, with ``bands`` in the order given.

        Raises:
            DataError: If an image cannot be read; the text names it.
        """


class LabelledImages(Images, Protocol):
    """Images with classes, divided into those to learn from and those to be judged by."""

    @property
    def class_names(self) -> Sequence[str]:
        """Names of the classes, by number."""

    @property
    def labels(self) -> np.ndarray:
        """One class an image: int64 ``(N,)``, -1 where nobody knows. Several: bool ``(N, classes)``."""

    @property
    def splits(self) -> Mapping[str, np.ndarray]:
        """Rows, int64 ascending, of ``train``, ``test`` and, where one is published, ``validation``."""

    @property
    def split_source(self) -> str:
        """In words, where the split comes from, for the result."""

    @property
    def groups(self) -> np.ndarray:
        """The place of each image, int64 ``(N,)``: images of one place never stand on both sides of a comparison."""
