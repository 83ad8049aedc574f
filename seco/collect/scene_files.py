"""Scenes whose bands are rasters that can be read by window: what STAC and local scenes have in common."""

import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seco.bands import LEVELS, Band
from seco.collect.locations import Location
from seco.collect.source import Scene, Window
from seco.collect.window import read_window
from seco.data.reflectance import NODATA, without_offset

# Scene classification: cloud shadow, cloud of medium and high probability, thin cirrus. Shadows too, as Cloud Score+ has
# them. Source: ESA, Sentinel-2 L2A Algorithm Theoretical Basis Document, table of SCL classes.
CLOUD_CLASSES = (3, 8, 9, 10)


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


class RasterSource(ABC):
    """What a source does whose scenes have :class:`SceneFiles` as handles.

    Args:
        patch_size: Height and width of a patch, px of 10 m.
        product_level: ``"L2A"`` or ``"L1C"``.
        bands: Those of the level unless given.
    """

    def __init__(self, patch_size: int, product_level: str, bands: tuple[Band, ...] | None = None) -> None:
        self._patch_size = patch_size
        self.product_level = product_level
        self.bands = bands or LEVELS[product_level]

    def list_scenes(self, locations: Sequence[Location], windows: Sequence[Sequence[Window]]) -> list[list[Scene]]:
        """Scenes that cover the patch of each location within its windows."""
        return [self._list(*place) for place in zip(locations, windows, strict=True)]

    @abstractmethod
    def _list(self, location: Location, windows: Sequence[Window]) -> list[Scene]:
        """Those of one location."""

    def cloud_fractions(self, location: Location, scenes: Sequence[Scene]) -> list[float]:
        """From the scene classification, of the pixels that have one; NaN where a scene has none."""
        return [self._cloud_fraction(location, scene.handle) for scene in scenes]

    def read(self, location: Location, scenes: Sequence[Scene]) -> NDArray[np.uint16]:
        """Pixels ``[scenes, bands, height, width]`` at offset 0; one darker than the offset becomes 1, since 0 is nodata."""
        return np.stack([self._read_scene(location, scene.handle) for scene in scenes])

    def _read_scene(self, location: Location, scene: SceneFiles) -> NDArray[np.uint16]:
        planes = np.empty((len(self.bands), self._patch_size, self._patch_size), np.uint16)
        places: dict[str, list[int]] = defaultdict(list)  # which planes a file has: each is opened once
        for plane, band in enumerate(self.bands):
            places[scene.bands[band.name][0]].append(plane)
        for file, found in places.items():
            numbers = [scene.bands[self.bands[plane].name][1] for plane in found]
            planes[found] = self._read_window(file, location, numbers)
        return without_offset(planes, scene.offset)

    def _cloud_fraction(self, location: Location, scene: SceneFiles) -> float:
        if scene.classes is None:
            return math.nan
        classes = self._read_window(scene.classes, location, [1])
        seen = classes[classes != NODATA]
        return float(np.isin(seen, CLOUD_CLASSES).mean()) if seen.size else 1.0

    def _read_window(self, file: str, location: Location, numbers: Sequence[int]) -> NDArray[np.uint16]:
        return read_window(file, location, self._patch_size, numbers=numbers)


def in_windows(time: np.datetime64, windows: Sequence[Window]) -> bool:
    """Whether a time lies on a day of one of the windows."""
    day = time.astype("datetime64[D]")
    return any(first <= day <= last for first, last in windows)
