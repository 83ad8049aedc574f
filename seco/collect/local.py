"""The source ``local``: Sentinel-2 products (SAFE) or co-registered rasters in a folder, read in place by windows."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.warp import transform_geom
from shapely.geometry import Polygon, box, shape
from shapely.strtree import STRtree

from seco.bands import SENTINEL2_L1C, SENTINEL2_L2A, Band
from seco.collect.locations import Location, footprint_of
from seco.collect.source import Scene, Window
from seco.collect.window import quiet_gdal, read_cloud_fraction, read_window, to_offset_zero
from seco.data.dated_rasters import find_dated_files
from seco.errors import DataError


@dataclass(frozen=True)
class _Files:
    """What of a scene is read: file and number of each band, the classification's file, what is added to numbers."""

    bands: list[tuple[str, int]]
    classification: str | None
    offsets: list[int]


class LocalSource:
    """Scenes of a folder.

    Args:
        folder: Of ``*.SAFE`` products, at any depth, or of GeoTIFFs of one place with dates in their names.
        patch_size: Height and width of a patch, px of 10 m.

    Raises:
        DataError: If the folder holds no scene, or scenes of several levels.
    """

    name = "local"
    licence = "that of the scenes"
    listing_size = 25

    def __init__(self, folder: Path, *, patch_size: int) -> None:
        self.collection, self._patch_size = str(folder.resolve()), patch_size
        products = sorted(folder.rglob("MTD_MSIL[12][AC].xml"))
        with quiet_gdal():
            found = [read_product(file) for file in products] if products else list(read_rasters(folder))
        levels = {level for level, _, _ in found}
        if len(levels) != 1:
            raise DataError(f"{folder}: expected scenes of one level, got {' and '.join(sorted(levels))}; put them apart")
        self.product_level = levels.pop()
        self.bands: tuple[Band, ...] = SENTINEL2_L1C if self.product_level == "L1C" else SENTINEL2_L2A
        self._scenes = [scene for _, scene, _ in found]
        self._outlines = [outline for _, _, outline in found]
        self._tree = STRtree(self._outlines)

    def list_scenes(self, locations: Sequence[Location], windows: Sequence[Sequence[Window]]) -> list[list[Scene]]:
        """Scenes whose outline holds each whole patch."""
        return [self._list(location, of) for location, of in zip(locations, windows, strict=True)]

    def cloud_fractions(self, location: Location, scenes: Sequence[Scene]) -> list[float]:
        """By the scene classification, of the pixels that have one; NaN where a scene has none."""
        with quiet_gdal():
            return [read_cloud_fraction(s.handle.classification, location, self._patch_size) for s in scenes]

    def read(self, location: Location, scenes: Sequence[Scene]) -> NDArray[np.uint16]:
        """Windows of all bands of all scenes."""
        with quiet_gdal():
            return np.stack([self._read_scene(location, scene.handle) for scene in scenes])

    def _list(self, location: Location, windows: Sequence[Window]) -> list[Scene]:
        footprint = footprint_of(location, self._patch_size)
        covering = [self._scenes[i] for i in sorted(self._tree.query(footprint, predicate="covered_by"))]
        days = [scene.time.astype("datetime64[D]") for scene in covering]
        inside = [any(first <= day <= last for first, last in windows) for day in days]
        return [scene for scene, wanted in zip(covering, inside, strict=True) if wanted]

    def _read_scene(self, location: Location, files: _Files) -> NDArray[np.uint16]:
        planes = [read_window(file, location, self._patch_size, band=number) for file, number in files.bands]
        return np.stack([to_offset_zero(plane, offset) for plane, offset in zip(planes, files.offsets, strict=True)])


def read_product(metadata: Path) -> tuple[str, Scene, Any]:
    """Level, scene and outline (degrees) of a SAFE product, from its ``MTD_MSIL1C.xml`` or ``MTD_MSIL2A.xml``.

    Raises:
        DataError: If the file is no metadata of a product, or the product lacks a band.
    """
    level = metadata.stem.removeprefix("MTD_MSI")
    try:
        root = ElementTree.parse(metadata).getroot()
        corners = [float(number) for number in _text(root, "EXT_POS_LIST").split()]
        outline = Polygon(zip(corners[1::2], corners[::2], strict=True))
        product = _text(root, "PRODUCT_URI").removesuffix(".SAFE")
        time = np.datetime64(_text(root, "PRODUCT_START_TIME").removesuffix("Z"), "s")
        baseline, cloud = float(_text(root, "PROCESSING_BASELINE")), float(_text(root, "Cloud_Coverage_Assessment"))
    except (ElementTree.ParseError, ValueError, OSError) as error:
        raise DataError(f"{metadata}: expected metadata of a Sentinel-2 product, got {error}; fetch it again") from error
    bands = SENTINEL2_L1C if level == "L1C" else SENTINEL2_L2A
    images = [metadata.parent / f"{node.text.strip()}.jp2" for node in root.iter("IMAGE_FILE") if node.text]
    files = _Files(
        bands=[(str(_finest(images, band.name, metadata)), 1) for band in bands],
        classification=next((str(image) for image in images if "_SCL_20m" in image.name), None),
        offsets=_offsets(root, bands),
    )
    tile = re.search(r"_T(\d{2}[A-Z]{3})", product)
    scene = Scene(
        id=product,
        time=time,
        tile=tile[1] if tile else "",
        cloud_percent=cloud,
        baseline=baseline,
        handle=files,
    )
    return level, scene, outline


def read_rasters(folder: Path) -> Iterator[tuple[str, Scene, Any]]:
    """Level, scene and outline (degrees) of each dated raster of 12 (L2A) or 13 bands (L1C), at offset 0.

    Raises:
        DataError: If there is none, or one cannot be read or has other bands.
    """
    for time, file in find_dated_files(folder).items():
        try:
            with rasterio.open(file) as raster:
                count, crs, bounds = raster.count, raster.crs, raster.bounds
        except RasterioError as error:
            raise DataError(f"{file}: expected a raster, got {str(error).splitlines()[0]}; take it away") from error
        if count not in (len(SENTINEL2_L2A), len(SENTINEL2_L1C)) or crs is None:
            raise DataError(f"{file}: expected 12 or 13 bands and a coordinate reference system, got {count} bands, {crs}")
        files = _Files([(str(file), number) for number in range(1, count + 1)], None, [0] * count)
        scene = Scene(id=file.stem, time=time, tile="", cloud_percent=math.nan, baseline=math.nan, handle=files)
        outline = shape(transform_geom(crs, "EPSG:4326", box(*bounds).__geo_interface__))
        yield "L1C" if count == len(SENTINEL2_L1C) else "L2A", scene, outline


def _text(root: ElementTree.Element, name: str) -> str:
    node = next(root.iter(name), None)
    if node is None or not node.text:
        raise ValueError(f"no {name}")
    return node.text.strip()


def _finest(images: Sequence[Path], band: str, metadata: Path) -> Path:
    """The image of a band at its finest resolution; level 1C has one of each."""
    there = [image for image in images if re.search(rf"_{band}(_\d0m)?\.jp2$", image.name)]
    if not there:
        raise DataError(f"{metadata}: expected images of all bands, got none of {band}; fetch the product again")
    return min(there, key=lambda image: image.name)


def _offsets(root: ElementTree.Element, bands: Sequence[Band]) -> list[int]:
    """What is added to digital numbers of each band; products before baseline 04.00 say nothing: 0."""
    nodes = [*root.iter("BOA_ADD_OFFSET"), *root.iter("RADIO_ADD_OFFSET")]
    of_number = {int(node.get("band_id", "-1")): int(float(node.text or 0)) for node in nodes}
    return [of_number.get(SENTINEL2_L1C.index(band), 0) for band in bands]
