"""Pixels of an open raster as digital numbers: its mask, its nodata, and what GDAL's scale and offset say of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from seco.data.reflectance import Reflectance
from seco.errors import DataError


def read_unmasked(raster: Any, numbers: int | Sequence[int] | None, window: Window) -> np.ndarray:  # noqa: ANN401
    """Pixels of a window of an open raster; 0 where its internal or ``.msk`` mask, if it has one, leaves them out.

    Args:
        raster: To read from.
        numbers: Of the bands, from 1, as rasterio takes them.
        window: Part to read, within the raster.
    """
    pixels: np.ndarray = raster.read(numbers, window=window)
    if raster.mask_flag_enums[0] != [MaskFlags.per_dataset]:  # nodata and alpha are no such masks
        return pixels
    return np.where(raster.read_masks(1, window=window) > 0, pixels, pixels.dtype.type(0))


def units_of(raster: Any) -> Reflectance:  # noqa: ANN401
    """What GDAL's scale and offset of an open raster's bands say; a quantification of 1 says nothing.

    Raises:
        DataError: If bands differ, or the scale is none.
    """
    (scale, offset), *others = dict.fromkeys(zip(raster.scales, raster.offsets, strict=True))
    if others or not scale > 0:
        got = ", ".join(f"{scale:g} with {offset:g}" for scale, offset in [(scale, offset), *others])
        raise DataError(f"{raster.name}: expected one scale above 0 and one offset of all bands, got {got}; convert it")
    return Reflectance.of_gdal(scale, offset)


def to_digital_numbers(pixels: np.ndarray, nodata: float | None) -> np.ndarray:
    """Pixels of a raster, of any shape, as uint16; its nodata becomes 0.

    Negative numbers are dark where the raster says what its nodata is, and become 1; else they are taken for nodata.
    """
    if nodata is not None:
        pixels = np.where(pixels == nodata, 0, pixels)
    return np.where(pixels < 0, nodata is not None, pixels).astype(np.uint16)
