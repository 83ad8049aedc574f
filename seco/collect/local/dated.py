"""Co-registered GeoTIFFs with dates in their names, those of one place in one folder."""

import math
from pathlib import Path

import numpy as np
import rasterio
from rasterio.warp import transform_geom
from shapely.geometry import box, shape

from seco.bands import Band, product_level
from seco.collect.local.found import FoundScene
from seco.collect.scene_files import SceneFiles
from seco.collect.source import Scene
from seco.data.dated_files import find_dated_files
from seco.data.dated_rasters import open_dated_rasters
from seco.data.raster_pixels import units_of
from seco.data.reflectance import SENTINEL2
from seco.errors import DataError


def read_place(folder: Path) -> list[FoundScene]:
    """The scenes of a place; the folder's name stands for the tile.

    The offset is the one in the files (GDAL's scale and offset of a band), 0 where they have none.

    Raises:
        DataError: As :func:`seco.data.dated_rasters.open_dated_rasters`, or if they hold no digital numbers of Sentinel-2.
    """
    with open_dated_rasters(folder, None) as rasters:
        bands = rasters.bands
    return [_scene(time, file, bands) for time, file in find_dated_files(folder).items()]


def _scene(time: np.datetime64, file: Path, bands: tuple[Band, ...]) -> FoundScene:
    with rasterio.open(file) as raster:
        bounds, crs, dtype, units = raster.bounds, raster.crs, raster.dtypes[0], units_of(raster)
    if dtype == "uint8" or not any(math.isclose(units.quantification, usual) for usual in (1, SENTINEL2.quantification)):
        raise DataError(
            f"{file}: expected 16 bits and reflectance × {SENTINEL2.quantification:.0f}, got {dtype} and scale "
            f"{1 / units.quantification:g}; seco import dated takes others"
        )
    numbers = {band.name: (str(file), number) for number, band in enumerate(bands, start=1)}
    corners = transform_geom(crs, "EPSG:4326", box(*bounds).__geo_interface__)
    return FoundScene(
        Scene(
            id=file.stem,
            time=time,
            tile=file.parent.name,
            cloud_percent=math.nan,
            baseline=math.nan,
            handle=SceneFiles(numbers, round(units.offset)),
        ),
        product_level(bands),
        bands,
        shape(corners),  # in two parts at the date line
    )
