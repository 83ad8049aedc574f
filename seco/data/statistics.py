"""Exact statistics of digital numbers, in one pass and constant memory."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seco.data.reflectance import NODATA
from seco.errors import DataError
from seco.ops.geotiff import FileSlice, decode_geotiff

BATCH = 64  # patches decoded at once


@dataclass(frozen=True, slots=True)
class BandStatistics:
    """Statistics of one band over all pixels with data, in digital numbers.

    Attributes:
        mean: Arithmetic mean.
        std: Standard deviation of the population.
        q02: 2 % quantile: the smallest number that at least 2 % of the pixels do not exceed.
        q98: 98 % quantile, likewise.
    """

    mean: float
    std: float
    q02: float
    q98: float


def count_numbers(pixels: np.ndarray) -> NDArray[np.int64]:
    """How often each number from 0 to the greatest occurs in unsigned integers of any shape: int64 ``[greatest + 1]``."""
    # Numbers above the greatest have no place in the result: most patches use a small part of 2^16.
    return np.bincount(pixels.ravel())


def count_patches(histogram: "DigitalNumberHistogram", sources: Sequence[Path | FileSlice]) -> None:
    """Count the patches in GeoTIFFs.

    Raises:
        GeoTiffError: If one cannot be read.
    """
    for first in range(0, len(sources), BATCH):
        for pixels in decode_geotiff(sources[first : first + BATCH]):
            histogram.add(pixels)


class DigitalNumberHistogram:
    """Counts of every digital number of every band: mean, deviation and quantiles follow exactly; nodata do not count.

    Args:
        num_bands: Number of bands.
        dtype: Unsigned integer type of the pixels, of at most 16 bits.
    """

    def __init__(self, num_bands: int, dtype: np.dtype) -> None:
        self._counts = np.zeros((num_bands, np.iinfo(dtype).max + 1), dtype=np.int64)

    def add(self, pixels: np.ndarray) -> None:
        """Count the pixels of one patch, shape ``(bands, height, width)``."""
        self.add_counts([count_numbers(band) for band in pixels])

    def add_counts(self, seen: Sequence[NDArray[np.int64]]) -> None:
        """Add what :func:`count_numbers` found: an array ``[greatest + 1]`` a band."""
        for counts, more in zip(self._counts, seen, strict=True):
            counts[: len(more)] += more

    def to_bytes(self) -> bytes:
        """A NumPy archive with ``counts``, int64 ``[bands, digital numbers]``."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, counts=self._counts)
        return buffer.getvalue()

    def add_bytes(self, content: bytes) -> None:
        """Add what :meth:`to_bytes` gave."""
        with np.load(io.BytesIO(content)) as archive:
            self.add_counts(archive["counts"])

    def statistics(self, band: int) -> BandStatistics:
        """Statistics of one band.

        Raises:
            DataError: If the band holds nothing but nodata.
        """
        counts = self._counts[band].copy()
        counts[NODATA] = 0
        total = int(counts.sum())
        if total == 0:
            raise DataError(f"pixels: expected data in band {band + 1}, got only nodata; drop the band")
        values = np.arange(len(counts), dtype=np.float64)
        mean = float(values @ counts) / total
        variance = float(np.square(values - mean) @ counts) / total
        cumulative = np.cumsum(counts)
        q02, q98 = (float(np.searchsorted(cumulative, share * total)) for share in (0.02, 0.98))
        return BandStatistics(mean=mean, std=float(np.sqrt(variance)), q02=q02, q98=q98)

    def by_band(self, names: Sequence[str]) -> dict[str, BandStatistics]:
        """Statistics of every band, by their ``names``.

        Raises:
            DataError: As :meth:`statistics`.
        """
        return {name: self.statistics(i) for i, name in enumerate(names)}
