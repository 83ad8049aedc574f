"""Pairs of images of one place with what changed between them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from seco.evaluate.datasets.images import DataSet


class ChangePairs(DataSet, Protocol):
    """Pairs of images, before and after, each pair of its own size, with a mask of change."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each pair."""

    @property
    def splits(self) -> Mapping[str, Sequence[int]]:
        """Numbers of the pairs of ``train`` and ``test``."""

    @property
    def split_source(self) -> str:
        """In words, where the split comes from, for the result."""

    def read(self, index: int, bands: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One pair: pixels before and after ``(C, H, W)``, and the mask, int8 ``(H, W)``.

        The mask is 1 where something changed, 0 where nothing did, -1 where nobody knows.

        Raises:
            DataError: If a file cannot be read; the text names it.
        """
