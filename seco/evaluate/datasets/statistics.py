"""Statistics of images that bring none."""

import numpy as np

from seco.data.statistics import BandStatistics, DigitalNumberHistogram
from seco.evaluate.datasets.change_pairs import ChangePairs
from seco.evaluate.datasets.images import Images

_BATCH = 256


def statistics_of(images: Images, rows: np.ndarray) -> dict[str, BandStatistics]:
    """Statistics of each band over the images of ``rows`` ``(N,)``, in digital numbers; 0 is nodata."""
    histogram = DigitalNumberHistogram(len(images.band_names), images.dtype)
    for start in range(0, len(rows), _BATCH):
        for pixels in images.read(rows[start : start + _BATCH], images.band_names):
            histogram.add(pixels)
    return histogram.by_band(images.band_names)


def statistics_of_pairs(pairs: ChangePairs) -> dict[str, BandStatistics]:
    """Statistics of each band over both dates of the training pairs, in digital numbers; 0 is nodata."""
    histogram = DigitalNumberHistogram(len(pairs.band_names), pairs.dtype)
    for index in pairs.splits["train"]:
        for pixels in pairs.read(index, pairs.band_names)[:2]:
            histogram.add(np.ascontiguousarray(pixels))
    return histogram.by_band(pairs.band_names)
