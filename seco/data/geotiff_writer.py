"""The one GeoTIFF profile that patch stores hold."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from seco.data.reflectance import NODATA
from seco.errors import DataError

# One strip a band: a reader that wants three bands of twelve inflates exactly three strips,
# and the horizontal predictor pays best over long strips (docs of the store format have the numbers).
PROFILE = {
    "driver": "GTiff",
    "interleave": "band",
    "tiled": False,
    "compress": "zstd",
    "zstd_level": 1,
    "predictor": 2,
    "photometric": "minisblack",
    "nodata": NODATA,
}


@lru_cache(maxsize=256)
def _crs(epsg: int) -> CRS:
    try:
        with rasterio.Env():  # outside of one PROJ prints its own error
            return CRS.from_epsg(epsg)
    except CRSError as error:
        raise DataError(f"epsg: expected a known EPSG code, got {epsg}; give the code of the CRS") from error


def encode_geotiff(pixels: np.ndarray, *, epsg: int, transform: tuple[float, ...], band_names: Sequence[str]) -> bytes:
    """Encode one patch as a planar, ZSTD-compressed GeoTIFF with one strip a band.

    Args:
        pixels: Digital numbers, shape ``(bands, height, width)``, dtype uint8 or uint16; 0 is nodata.
        epsg: Code of the coordinate reference system.
        transform: GDAL geotransform, ``(x0, dx, rx, y0, ry, dy)`` in units of the CRS.
        band_names: Names of the bands, written as their descriptions.

    Returns:
        The bytes of the file.

    Raises:
        DataError: If PROJ does not know the EPSG code.
    """
    count, height, width = pixels.shape
    with (
        MemoryFile() as memory,
        memory.open(
            **PROFILE,
            dtype=pixels.dtype.name,
            count=count,
            height=height,
            width=width,
            blockysize=height,
            crs=_crs(epsg),
            transform=Affine.from_gdal(*transform),
        ) as dataset,
    ):
        dataset.write(pixels)
        dataset.descriptions = tuple(band_names)
        dataset.close()
        content: bytes = memory.read()
    return content
