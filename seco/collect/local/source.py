"""The source ``local``."""

from collections.abc import Sequence
from pathlib import Path

from shapely.geometry import Polygon

from seco.collect.local.dated import read_place
from seco.collect.local.found import FoundScene
from seco.collect.local.safe import METADATA, read_product
from seco.collect.locations import Location
from seco.collect.places import Box
from seco.collect.scene_files import COPERNICUS, RasterSource, in_windows, patch_corners
from seco.collect.source import Scene, Window
from seco.errors import DataError


class LocalSource(RasterSource):
    """Scenes of a folder: SAFE products anywhere in it or, without any, GeoTIFFs in it or its folders.

    Args:
        folder: Where they are.
        level: ``"L2A"`` or ``"L1C"``; None if there is but one.
        patch_size: Height and width of a patch, px of 10 m.

    Raises:
        DataError: If there are no scenes, or some of them are not what they are said to be.
    """

    name = "local"
    licence = COPERNICUS
    listing_size = 1

    def __init__(self, folder: Path, *, level: str | None = None, patch_size: int) -> None:
        found = find_scenes(folder)
        levels = sorted({scene.level for scene in found})
        if level is None and len(levels) > 1:
            raise DataError(f"{folder}: expected one product level, got {' and '.join(levels)}; choose with --collection")
        self._found = [scene for scene in found if level in (None, scene.level)]
        if not self._found:
            raise DataError(f"{folder}: expected products of level {level}, got {levels[0]}; choose another --collection")
        bands = self._found[0].bands
        other = next((scene for scene in self._found if scene.bands != bands), None)
        if other:
            raise DataError(f"{other.scene.id}: expected the bands of {self._found[0].scene.id}, got others; move it away")
        super().__init__(patch_size, self._found[0].level, bands)
        self.collection = f"{folder.resolve().name}, {self.product_level}"
        self.extents: list[Box] = [scene.footprint.bounds for scene in self._found]

    def list_scenes(self, locations: Sequence[Location], windows: Sequence[Sequence[Window]]) -> list[list[Scene]]:
        """Of the scenes found when the source was opened."""
        return [self._list(*place) for place in zip(locations, windows, strict=True)]

    def _list(self, location: Location, windows: Sequence[Window]) -> list[Scene]:
        patch = Polygon(patch_corners(location, self._patch_size))
        return [
            found.scene for found in self._found if in_windows(found.scene.time, windows) and found.footprint.contains(patch)
        ]


def find_scenes(folder: Path) -> list[FoundScene]:
    """All scenes of a folder.

    Raises:
        DataError: If there are none, or some of them are not what they are said to be.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder of scenes, got no such folder; check --catalog")
    products = sorted(folder.rglob(METADATA))
    if products:
        return [read_product(file) for file in products]
    places = sorted({file.parent for pattern in ("*.tif", "*.tiff") for file in folder.rglob(pattern)})
    if not places:
        raise DataError(f"{folder}: expected SAFE products or dated GeoTIFFs, got none; check --catalog")
    return [scene for place in places for scene in read_place(place)]
