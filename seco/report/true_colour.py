"""Patches as people see them: which bands, and how bright."""

from collections.abc import Sequence

import numpy as np

from seco.bands import RGB
from seco.data.statistics import BandStatistics


def visible_bands(names: Sequence[str]) -> list[int]:
    """Where red, green and blue are among some bands; the first band, for grey, if one of them is missing."""
    return [list(names).index(name) for name in RGB] if set(RGB) <= set(names) else [0]


def stretch(pixels: np.ndarray, statistics: Sequence[BandStatistics]) -> np.ndarray:
    """Map digital numbers ``(bands, height, width)`` to 0 to 1 between the 2 % and 98 % quantiles.

    Returns:
        float32 ``(height, width, bands)``.
    """
    low = np.array([each.q02 for each in statistics], dtype=np.float32)
    high = np.array([each.q98 for each in statistics], dtype=np.float32)
    stretched = (np.moveaxis(pixels, 0, -1) - low) / np.maximum(high - low, 1)
    return stretched.clip(0, 1)
