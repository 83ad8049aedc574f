"""Pairs of images of one place with what changed between them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from seco.data.reflectance import Reflectance
from seco.data.statistics import BandStatistics


class ChangePairs(Protocol):
    """Pairs of images, before and after, each pair of its own size, with a mask of change."""

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
        """What the digital numbers mean; None: brightness of stretched pictures."""

    @property
    def statistics(self) -> dict[str, BandStatistics]:
        """Statistics of each band in digital numbers, over the training pairs."""

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

    def describe(self) -> dict[str, Any]:
        """What identifies the data, for a result that can be repeated."""
