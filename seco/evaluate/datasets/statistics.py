"""Statistics of images that bring none."""

import numpy as np

from seco.data.statistics import BandStatistics, DigitalNumberHistogram

from .images import Images

_BATCH = 256


def statistics_of(images: Images, rows: np.ndarray) -> dict[str, BandStatistics]:
    """Statistics of each band over the images of ``rows`` ``(N,)``, in digital numbers; 0 is nodata."""
    histogram = DigitalNumberHistogram(len(images.band_names), images.dtype, nodata=0)
    for start in range(0, len(rows), _BATCH):
        for pixels in images.read(rows[start : start + _BATCH], images.band_names):
            histogram.add(pixels)
    return {name: histogram.statistics(i) for i, name in enumerate(images.band_names)}
