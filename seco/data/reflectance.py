"""What digital numbers mean."""

from dataclasses import dataclass

import numpy as np

NODATA = 0  # digital number


@dataclass(frozen=True, slots=True)
class Reflectance:
    """``reflectance = (dn + offset) / quantification``.

    Attributes:
        quantification: Digital numbers per unit reflectance.
        offset: Digital numbers.
    """

    quantification: float
    offset: float

    def __str__(self) -> str:
        moved = f"(DN {'-' if self.offset < 0 else '+'} {abs(self.offset):g})" if self.offset else "DN"
        return f"{moved} / {self.quantification:g}"

    @classmethod
    def of_gdal(cls, scale: float, offset: float) -> "Reflectance":
        """From GDAL's scale, above 0, and offset of a band: ``reflectance = dn * scale + offset``."""
        return cls(1 / scale, offset / scale)


SENTINEL2 = Reflectance(10_000.0, 0.0)  # products of ESA before processing baseline 04.00, and those brought to them


def offset_of_baseline(baseline: float) -> float:
    """Added to digital numbers first: from processing baseline 04.00 on they are 1000 higher.

    Source: ``BOA_ADD_OFFSET`` and ``RADIO_ADD_OFFSET`` of the products; ESA, Sentinel-2 processing baseline 04.00, 2022.
    """
    return -1000.0 if baseline >= 4.0 else 0.0


def without_offset(pixels: np.ndarray, offset: float) -> np.ndarray:
    """Digital numbers of any shape as such whose offset is 0, same type; nodata stays 0, and nothing else becomes it."""
    if offset == 0:
        return pixels
    top = np.iinfo(pixels.dtype).max
    moved: np.ndarray = (pixels.astype(np.float64) + offset).clip(1, top).round().astype(pixels.dtype)
    return np.where(pixels == NODATA, NODATA, moved).astype(pixels.dtype)
