"""Finds clouds in a series of one place by comparing it with itself."""

from dataclasses import dataclass

import numpy as np

BLUE = "B02"


@dataclass(frozen=True, slots=True)
class CloudRule:
    """When a pixel is cloudy, and when a date is rejected.

    Clouds are bright in blue, where soil, plants and water are dark at every season. Snow is bright too:
    a short snow cover is rejected like cloud, one that lasts for half of the dates is not.

    Attributes:
        max_fraction: A date is rejected when more than this share of its pixels is cloudy.
        excess: A pixel is cloudy when blue exceeds its median over the dates by more than this reflectance.
    """

    max_fraction: float = 0.2
    excess: float = 0.1

    def __str__(self) -> str:
        return (
            f"a pixel is cloudy when {BLUE} exceeds its own median over all dates by more than "
            f"{self.excess:g} reflectance; a date is rejected when more than {self.max_fraction:.0%} of its "
            "pixels are cloudy"
        )


def cloud_mask(blue: np.ndarray, *, excess: float) -> np.ndarray:
    """Mark pixels that are brighter in blue than they usually are.

    Args:
        blue: Digital numbers of the blue band, shape ``(T, H, W)``, dtype uint16; 0 is nodata.
        excess: Digital numbers above the median that make a cloud.

    Returns:
        int8 ``(T, H, W)``: 1 cloudy, 0 clear, -1 nodata.
    """
    valid = blue > 0
    # Nodata sorts first. Of an even number the lower median is taken: clear if half of the dates are cloudy.
    count = valid.sum(axis=0)
    middle = np.where(count > 0, len(blue) - count + (count - 1) // 2, 0)
    median = np.take_along_axis(np.sort(blue, axis=0), middle[None], axis=0)
    cloudy = blue.astype(np.float32) - median > excess
    return np.where(valid, cloudy, -1).astype(np.int8)


def count_cloudy(mask: np.ndarray) -> np.ndarray:
    """Cloudy pixels of each date, and pixels with data, int64 ``(T, 2)``, in a :func:`cloud_mask` ``(T, H, W)``."""
    return np.stack([(mask == 1).sum(axis=(1, 2)), (mask >= 0).sum(axis=(1, 2))], axis=1)


def cloud_fraction(counts: np.ndarray) -> np.ndarray:
    """Share of cloudy pixels, 0 … 1, among those with data, float64 ``(…)``; NaN where none has data.

    Args:
        counts: ``(…, 2)``, sums of what :func:`count_cloudy` gives.
    """
    cloudy, seen = counts[..., 0], counts[..., 1]
    return np.where(seen > 0, cloudy / np.maximum(seen, 1), np.nan)
