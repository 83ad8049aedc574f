"""The source ``local``."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.strtree import STRtree

from seco.collect.local.dated import read_place
from seco.collect.local.found import FoundScene
from seco.collect.local.safe import METADATA, read_product
from seco.collect.locations import LATTICE_M, PIXEL_M, Location, footprint_of, place_patch
from seco.collect.scene_files import RasterSource, SceneFiles, in_windows
from seco.collect.source import Scene, Window
from seco.data.dated_files import SUFFIXES
from seco.errors import DataError, SceneError, SourceError


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
    sensor = "Sentinel-2"
    licence = "that of the scenes"
    listing_size = 25

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
            first, expected = _file(self._found[0]), _names(self._found[0])
            raise DataError(f"{_file(other)}: expected the bands {expected} of {first}, got {_names(other)}; move it away")
        super().__init__(patch_size, self._found[0].level, bands)
        self.collection = f"{folder.resolve().name}, {self.product_level}"
        self.outlines = [scene.footprint for scene in self._found]
        self._tree = STRtree(self.outlines)
        if not any(_may_hold(outline, patch_size) for outline in self.outlines):
            raise DataError(
                f"patch_size: expected patches that fit into the scenes of {folder}, got {patch_size} px of 10 m; choose "
                "smaller ones"
            )

    def _list(self, location: Location, windows: Sequence[Window]) -> list[Scene]:
        patch = footprint_of(location, self._patch_size)
        covering = [self._found[i].scene for i in sorted(self._tree.query(patch, predicate="covered_by"))]
        return [scene for scene in covering if in_windows(scene.time, windows)]

    def _read_window(self, file: str, location: Location, numbers: Sequence[int]) -> NDArray[np.uint16]:
        try:
            return super()._read_window(file, location, numbers)
        except SceneError:
            if Path(file).is_file():
                raise
            raise SourceError(  # not the scene's fault: a disk that went away
                f"{file}: expected a file that was there at the beginning, got none; bring it back, then run the same "
                "command again",
                retriable=True,
            ) from None


def find_scenes(folder: Path) -> list[FoundScene]:
    """All scenes of a folder.

    Raises:
        DataError: If there are none, or some of them are not what they are said to be.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a folder of scenes, got no such folder; check --catalog")
    files = list(_files_in(folder))
    products = sorted(file for file in files if file.match(METADATA))
    if products:
        return [read_product(file) for file in products]
    places = sorted({file.parent for file in files if file.suffix.lower() in SUFFIXES and file.name[0] != "."})
    if not places:
        raise DataError(f"{folder}: expected SAFE products or dated GeoTIFFs, got none; check --catalog")
    return [scene for place in places for scene in read_place(place)]


def _files_in(folder: Path) -> Iterator[Path]:
    """Files of a folder and of those in it, behind links too: archives are often collected so. Each folder once."""
    seen = set()
    for inside, folders, files in os.walk(folder, followlinks=True):
        if (place := os.path.realpath(inside)) in seen:
            folders.clear()
            continue
        seen.add(place)
        yield from (Path(inside, name) for name in files)


def _may_hold(outline: Polygon, patch_size: int) -> bool:
    """Whether its extent has room for a patch; the lattice of places puts the one in its middle a little off."""
    size = max(1, patch_size - 2 * LATTICE_M // PIXEL_M)
    middle = outline.envelope.centroid
    return bool(outline.envelope.covers(footprint_of(place_patch("", middle.x, middle.y, size), size)))


def _file(scene: FoundScene) -> str:
    """Of its first band."""
    files: SceneFiles = scene.scene.handle
    return next(iter(files.bands.values()))[0]


def _names(scene: FoundScene) -> str:
    return ",".join(band.name for band in scene.bands)
