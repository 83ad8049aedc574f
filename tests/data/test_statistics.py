"""Statistics by histogram, against NumPy over all pixels at once."""

import numpy as np
import pytest

from seco.data.statistics import DigitalNumberHistogram
from seco.errors import DataError


@pytest.mark.parametrize(("dtype", "top"), [("uint16", 65535), ("uint8", 255)])
@pytest.mark.parametrize("patches", [1, 7])
def test_statistics_match_numpy(dtype, top, patches):
    random = np.random.default_rng(patches)
    pixels = random.integers(0, top + 1, (patches, 2, 9, 9), dtype=dtype)
    pixels[0, :, 0, :3] = (0, 1, top)
    histogram = DigitalNumberHistogram(2, np.dtype(dtype))
    for patch in pixels:
        histogram.add(patch)
    for band in range(2):
        values = pixels[:, band][pixels[:, band] > 0].astype(np.float64)
        got = histogram.statistics(band)
        # Sums of integers below 2^53 are exact; the deviations are rounded once per pixel.
        rounding = len(values) * np.finfo(np.float64).eps
        assert got.mean == pytest.approx(values.mean(), rel=rounding)
        assert got.std == pytest.approx(values.std(), rel=rounding)
        assert (got.q02, got.q98) == tuple(np.quantile(values, (0.02, 0.98), method="inverted_cdf"))


def test_constant_band_has_no_deviation():
    histogram = DigitalNumberHistogram(1, np.dtype(np.uint16))
    histogram.add(np.full((1, 4, 4), 700, dtype=np.uint16))
    got = histogram.statistics(0)
    assert (got.mean, got.std, got.q02, got.q98) == (700, 0, 700, 700)


def test_band_of_nodata_is_refused():
    histogram = DigitalNumberHistogram(2, np.dtype(np.uint16))
    histogram.add(np.stack([np.ones((3, 3)), np.zeros((3, 3))]).astype(np.uint16))
    with pytest.raises(DataError, match="expected data in band 2, got only nodata"):
        histogram.statistics(1)
