"""The window of a patch in a raster, read where it is: a file, or a URL through range requests."""

import logging
import os
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.session import DummySession
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from seco.collect.locations import PIXEL_M, Location
from seco.data.raster_pixels import read_unmasked, to_digital_numbers
from seco.errors import SceneError, SourceError, reason_of

# Of GDAL.
OPTIONS = {
    "GDAL_HTTP_CONNECTTIMEOUT": "10",  # s
    "GDAL_HTTP_TIMEOUT": "60",
    "GDAL_HTTP_MAX_RETRY": "0",  # the gate tries again
    "CPL_VSIL_CURL_NON_CACHED": "/vsicurl/",  # else it keeps a failure, and gives it again
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_HTTP_NETRC": "NO",
    "GDAL_HTTP_AUTH": "ANYSAFE",  # an empty password is sent to nobody who does not ask
    "AWS_NO_SIGN_REQUEST": "YES",
    "GS_NO_SIGN_REQUEST": "YES",
    "AZURE_NO_SIGN_REQUEST": "YES",
}
# What GDAL would send to every server if the environment has it.
SECRETS = ("GDAL_HTTP_USERPWD", "GDAL_HTTP_HEADERS", "GDAL_HTTP_HEADER_FILE", "GDAL_HTTP_COOKIE")
ON_GRID_PX = 1e-6  # grids agree where they differ by less
REFUSED = ("401", "403")
NOT_THERE = ("404", "410")
LINE = "CURL error"  # in GDAL's words for a line that fails

# GDAL's own words quote URLs, and those may hold a token.
logging.getLogger("rasterio").setLevel(logging.CRITICAL)


class RefusedError(SourceError):
    """The server of a file does not give it out (HTTP 401, 403): a token may have ended, or there is too much to do."""


def read_window(file: str, location: Location, patch_size: int, *, numbers: Sequence[int] = (1,)) -> NDArray[np.uint16]:
    """Pixels of a patch in some bands of a raster, on the patch's grid of 10 m.

    Nothing is resampled where the raster is in the patch's UTM zone on the grid of its own pixels, of 10 m or a multiple:
    coarser pixels are repeated. Elsewhere the nearest pixel is taken.

    Args:
        file: Path or URL.
        location: Where the patch is.
        patch_size: Height and width of the patch, px of 10 m.
        numbers: Of the bands in the file, from 1.

    Returns:
        Digital numbers as the file has them ``[bands, patch_size, patch_size]``; 0 outside of it and of its mask, and for
        its nodata.

    Raises:
        SceneError: If the file is not there, or no raster; retriable where a line that failed may have made it look so.
        SourceError: If its server does not answer, or refuses (:class:`RefusedError`); asking again may help.
    """
    try:
        with _no_account(), rasterio.open(file) as raster:
            if raster.crs is None or not (raster.crs.is_projected or raster.crs.is_geographic):
                got = raster.crs or "none"
                raise SceneError(f"{_name_of(file)}: expected a raster on Earth, got coordinates {got}; check the catalogue")
            start = _native_start(raster, location)
            if start is None:
                pixels = _warp(raster, location, patch_size, list(numbers))
            else:
                pixels = _repeat(raster, start, patch_size, list(numbers))
            return to_digital_numbers(pixels, raster.nodata)
    except RasterioError as error:
        raise _translate(file, error) from None


def _no_account() -> Any:  # noqa: ANN401
    """GDAL's options without credentials; a session of its own, since rasterio's default would look for some."""
    return rasterio.Env(session=DummySession(), **OPTIONS, **{name: "" for name in SECRETS if name in os.environ})


def _native_start(raster: Any, location: Location) -> tuple[int, int, int] | None:  # noqa: ANN401 - rasterio has no types
    """Row and column of the patch's corner in pixels of 10 m from the raster's, and how many of these a pixel of it spans.

    None where the grids do not agree.
    """
    if raster.crs.to_epsg() != location.epsg:
        return None
    x0, dx, rx, y0, ry, dy = raster.transform.to_gdal()
    repeats = round(dx / PIXEL_M)
    if repeats < 1 or (dx, rx, ry, dy) != (repeats * PIXEL_M, 0.0, 0.0, -repeats * PIXEL_M):
        return None
    column, row = (location.transform[0] - x0) / PIXEL_M, (y0 - location.transform[3]) / PIXEL_M
    if abs(column - round(column)) > ON_GRID_PX or abs(row - round(row)) > ON_GRID_PX:
        return None
    return round(row), round(column), repeats


def _repeat(raster: Any, start: tuple[int, int, int], patch_size: int, numbers: list[int]) -> np.ndarray:  # noqa: ANN401
    """The patch at native pixels, each repeated to 10 m."""
    row, column, repeats = start
    first_row, first_column = row // repeats, column // repeats
    last_row, last_column = -(-(row + patch_size) // repeats), -(-(column + patch_size) // repeats)
    fill = 0 if raster.nodata is None else raster.nodata
    native = np.full((len(numbers), last_row - first_row, last_column - first_column), fill, raster.dtypes[0])
    top, left = max(first_row, 0), max(first_column, 0)
    height, width = min(last_row, raster.height) - top, min(last_column, raster.width) - left
    if height > 0 and width > 0:
        inside = np.s_[:, top - first_row : top - first_row + height, left - first_column : left - first_column + width]
        native[inside] = read_unmasked(raster, numbers, Window(left, top, width, height))
    row, column = row - first_row * repeats, column - first_column * repeats
    fine: np.ndarray = native.repeat(repeats, axis=1).repeat(repeats, axis=2)
    return fine[:, row : row + patch_size, column : column + patch_size]


def _warp(raster: Any, location: Location, patch_size: int, numbers: list[int]) -> np.ndarray:  # noqa: ANN401
    nodata = 0 if raster.nodata is None else raster.nodata
    grid = {"crs": f"EPSG:{location.epsg}", "transform": Affine.from_gdal(*location.transform)}
    size = {"width": patch_size, "height": patch_size}
    # GDAL heeds the raster's mask by itself.
    with WarpedVRT(raster, **grid, **size, resampling=Resampling.nearest, src_nodata=nodata, nodata=nodata) as warped:
        return warped.read(numbers)


def _translate(file: str, error: RasterioError) -> SourceError:
    """An error without query, where a token may be."""
    words = f"{error} {error.__cause__ or ''}"
    status = re.search(r"HTTP (?:response code|error code)\D*(\d{3})", words)
    if "://" in file and (status or LINE in words) and (status is None or status[1] not in NOT_THERE):
        return unanswered(file, status and status[1])
    got = f"HTTP {status[1]}" if status else "none" if "://" in file else reason_of(error.__cause__ or error)
    return SceneError(
        f"{_name_of(file)}: expected a raster that can be read, got {got}; check the catalogue",
        retriable="://" in file and status is None,
    )


def unanswered(file: str, status: str | None) -> SourceError:
    """The server of a file gave no answer but a status of HTTP, if that; asking again may help."""
    kind = RefusedError if status in REFUSED else SourceError
    remedy = "" if status in REFUSED else "check the network, then "
    return kind(
        f"{_name_of(file)}: expected an answer of {urlsplit(file).hostname}, got {f'HTTP {status}' if status else 'none'}; "
        f"{remedy}run the same command again",
        retriable=True,
        quota=status == "429",
    )


def _name_of(file: str) -> str:
    return urlsplit(file).path.rpartition("/")[2]
