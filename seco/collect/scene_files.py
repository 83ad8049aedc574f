"""Scenes whose bands are rasters that can be read by window: what STAC and local scenes have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seco.bands import SENTINEL2_L1C, SENTINEL2_L2A, Band
from seco.collect.locations import PIXEL_M, Location
from seco.collect.source import Scene, Window
from seco.collect.window import read_window
from seco.data.import_scenes import without_offset

BANDS: Mapping[str, tuple[Band, ...]] = {"L2A": SENTINEL2_L2A, "L1C": SENTINEL2_L1C}  # by product level
QUANTIFICATION = 10_000.0  # digital numbers per unit reflectance
# Scene classification: cloud shadow, cloud of medium and high probability, thin cirrus.
# Source: ESA, Sentinel-2 L2A Algorithm Theoretical Basis Document, table of SCL classes.
CLOUD_CLASSES = (3, 8, 9, 10)
COPERNICUS = "Copernicus Sentinel data: free, full and open (legal notice of the European Union)"


@dataclass(frozen=True)
class SceneFiles:
    """Where the pixels of a scene are.

    Attributes:
        bands: File (path or URL) and number in it, from 1, of each band by name.
        offset: Of the digital numbers: ``reflectance = (DN + offset) / 10000``.
        classes: File of the scene classification, None without one.
    """

    bands: Mapping[str, tuple[str, int]]
    offset: float
    classes: str | None = None


class RasterSource:
    """What a source does whose scenes have :class:`SceneFiles` as handles.

    Args:
        patch_size: Height and width of a patch, px of 10 m.
        product_level: ``"L2A"`` or ``"L1C"``.
        bands: Those of the level unless given.
    """

    def __init__(self, patch_size: int, product_level: str, bands: tuple[Band, ...] | None = None) -> None:
        self._patch_size = patch_size
        self.product_level = product_level
        self.bands = bands or BANDS[product_level]

    def cloud_fractions(self, location: Location, scenes: Sequence[Scene]) -> list[float]:
        """From the scene classification; NaN without one."""
        return [self._cloud_fraction(location, scene.handle) for scene in scenes]

    def read(self, location: Location, scenes: Sequence[Scene]) -> NDArray[np.uint16]:
        """Pixels at offset 0; a pixel darker than the offset becomes 1, since 0 is nodata."""
        size = self._patch_size
        pixels = np.empty((len(scenes), len(self.bands), size, size), np.uint16)
        for patch, scene in zip(pixels, scenes, strict=True):
            for plane, band in zip(patch, self.bands, strict=True):
                file, number = scene.handle.bands[band.name]
                plane[:] = without_offset(self._read_window(file, location, number), scene.handle.offset)
        return pixels

    def _cloud_fraction(self, location: Location, files: SceneFiles) -> float:
        if files.classes is None:
            return float("nan")
        return float(np.isin(self._read_window(files.classes, location), CLOUD_CLASSES).mean())

    def _read_window(self, file: str, location: Location, number: int = 1) -> NDArray[np.uint16]:
        return read_window(file, location, self._patch_size, number=number)


def patch_corners(location: Location, patch_size: int) -> list[tuple[float, float]]:
    """Longitude and latitude of the corners of a patch, degrees."""
    from rasterio.warp import transform

    x, y = location.transform[0], location.transform[3]
    far_x, far_y = x + patch_size * PIXEL_M, y - patch_size * PIXEL_M
    longitudes, latitudes = transform(f"EPSG:{location.epsg}", "EPSG:4326", [x, far_x, far_x, x], [y, y, far_y, far_y])
    return list(zip(longitudes, latitudes, strict=True))


def in_windows(time: np.datetime64, windows: Sequence[Window]) -> bool:
    """Whether a time lies on a day of one of the windows."""
    day = time.astype("datetime64[D]")
    return any(first <= day <= last for first, last in windows)
