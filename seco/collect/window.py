"""The window of a patch out of a raster of 10, 20 or 60 m, local or on a server."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from seco.collect.locations import PIXEL_M, Location
from seco.data.geotiff_writer import NODATA
from seco.errors import SceneError, SourceError

TIMEOUT_S = 60.0
# No listing of folders, no second try (the collector makes it), no credentials of the user's, an end to everything.
GDAL_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_MAX_RETRY": 0,
    "GDAL_HTTP_CONNECTTIMEOUT": 10,
    "GDAL_HTTP_TIMEOUT": TIMEOUT_S,
    "GDAL_HTTP_NETRC": "NO",
    "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/",  # a failure would be remembered, too
    "AWS_NO_SIGN_REQUEST": "YES",
}
CLOUDS = (8, 9, 10)  # of the scene classification: medium and high probability, thin cirrus
MISSING = ("404", "403", "410", "does not exist", "no such file", "not recognized")


@contextmanager
def quiet_gdal() -> Iterator[None]:
    """GDAL with the settings for collecting, in this thread; nothing of it on the terminal."""
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)
    with rasterio.Env(**GDAL_OPTIONS):
        yield


def read_window(path: str, location: Location, patch_size: int, *, band: int = 1) -> NDArray[Any]:
    """A band of a raster over a patch, on the patch's grid of 10 m.

    Pixels of 20 m and 60 m are repeated, which is exact on the lattice of 60 m. A raster in another coordinate reference
    system, or off the lattice, is resampled to the nearest pixel.

    Args:
        path: What GDAL opens.
        location: Of the patch.
        patch_size: Height and width of the patch, px of 10 m.
        band: Number of the band, from 1.

    Returns:
        ``[patch_size, patch_size]`` of the raster's type; outside of the raster :data:`NODATA`.

    Raises:
        SceneError: If there is no such raster, or GDAL cannot read it.
        SourceError: If its server does not answer; asking again may help.
    """
    try:
        with rasterio.open(path) as raster:
            read = _read_lattice if _is_on_lattice(raster, location) else _read_warped
            pixels = read(raster, location, patch_size, band)
            return pixels if raster.nodata is None else np.where(pixels == raster.nodata, NODATA, pixels)
    except RasterioError as error:
        reason = str(error).splitlines()[0]
        if "://" in path and not any(sign in reason.lower() for sign in MISSING):
            raise SourceError(f"expected pixels, got {reason}; run the same command again later", retriable=True) from None
        raise SceneError(f"expected a raster, got {reason}") from None


def _is_on_lattice(raster: Any, location: Location) -> bool:  # noqa: ANN401 - rasterio publishes no types
    a, b, left, d, e, top = raster.transform[:6]
    if raster.crs is None or raster.crs.to_epsg() != location.epsg or b or d or a != -e or a % PIXEL_M:
        return False
    return bool((location.transform[0] - left) % PIXEL_M == 0 and (top - location.transform[3]) % PIXEL_M == 0)


def _read_lattice(raster: Any, location: Location, patch_size: int, band: int) -> NDArray[Any]:  # noqa: ANN401
    step = int(raster.transform.a) // PIXEL_M  # patch pixels in one of the raster
    right = round((location.transform[0] - raster.transform.c) / PIXEL_M)
    down = round((raster.transform.f - location.transform[3]) / PIXEL_M)
    first = [math.floor(offset / step) for offset in (down, right)]
    count = [math.ceil((offset + patch_size) / step) - begin for offset, begin in zip((down, right), first, strict=True)]
    window = Window(first[1], first[0], count[1], count[0])
    pixels = raster.read(band, window=window, boundless=True, fill_value=NODATA)
    top, left = down - first[0] * step, right - first[1] * step
    repeated: NDArray[Any] = pixels.repeat(step, axis=0).repeat(step, axis=1)
    return repeated[top : top + patch_size, left : left + patch_size]


def _read_warped(raster: Any, location: Location, patch_size: int, band: int) -> NDArray[Any]:  # noqa: ANN401
    grid = {"crs": f"EPSG:{location.epsg}", "transform": rasterio.Affine.from_gdal(*location.transform)}
    with WarpedVRT(
        raster, **grid, width=patch_size, height=patch_size, resampling=Resampling.nearest, nodata=NODATA
    ) as warped:
        pixels: NDArray[Any] = warped.read(band)
        return pixels


def read_cloud_fraction(classification: str | None, location: Location, patch_size: int) -> float:
    """Share of a patch under cloud by the scene classification (SCL), 0 to 1; NaN where there is none.

    Args:
        classification: What GDAL opens, or None.
        location: Of the patch.
        patch_size: Height and width of the patch, px of 10 m.
    """
    if classification is None:
        return math.nan
    classes = read_window(classification, location, patch_size)
    seen = classes[classes != NODATA]
    return float(np.isin(seen, CLOUDS).mean()) if seen.size else 1.0


def to_offset_zero(numbers: NDArray[Any], offset: int) -> NDArray[np.uint16]:
    """Digital numbers of a product whose reflectance is ``(number + offset) / 10000``, as those of offset 0.

    What would be 0 or less becomes 1: dark is not missing. Numbers that are nodata stay so.
    """
    moved = np.clip(numbers.astype(np.int32) + offset, 1, np.iinfo(np.uint16).max)
    return np.where(numbers == NODATA, NODATA, moved).astype(np.uint16)
