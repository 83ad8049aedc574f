"""Copies an archive of scene folders into a patch store."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.warp import transform as transform_points

from seco.bands import finest
from seco.data.description import StoreDescription
from seco.data.reflectance import without_offset
from seco.data.scene_folders import ALL_BANDS, Archive, Scene, decode_scenes, describe, file_of, list_scenes
from seco.data.writer import StoreWriter, check_new_folder
from seco.errors import DataError, SecoError, reason_of
from seco.track import Track, untracked


@dataclass(frozen=True)
class SceneImportReport:
    """What an import did.

    Attributes:
        locations: Locations written.
        patches: Patches written.
        bands: Names of the bands.
        level: Processing level.
        moved: Patches whose digital numbers were brought to the others' offset.
        left_out: What is wrong with the scenes that were left out, by name.
    """

    locations: int
    patches: int
    bands: tuple[str, ...]
    level: str
    moved: int
    left_out: dict[str, str]


def import_scenes(
    source: str | Path,
    store: str | Path,
    archive: Archive,
    *,
    offset: float = 0.0,
    patch_size: int | None = None,
    track: Track = untracked,
) -> SceneImportReport:
    """Write the scenes of an archive as a store: all bands on the finest grid, offset 0.

    Digital numbers of scenes from processing baseline 04.00 on have 1000 taken off, but stay at least 1, for 0 is nodata:
    then ``reflectance = DN / quantification`` for every date. The baseline is what ``metadata.json`` says; scenes without
    one have the ``offset`` given. Scenes that cannot be read are left out, and named.

    Args:
        source: Folder of the archive.
        store: Folder of the store, new or empty.
        archive: Kind of the archive.
        offset: ``reflectance = (DN + offset) / quantification`` of scenes that state no processing baseline.
        patch_size: Height and width to cut from the middle, pixels of the finest grid; None for all.
        track: How progress is shown.

    Raises:
        DataError: If there are no scenes, or their files are not of the archive's type.
        StoreError: If the folder of the store is in use.
    """
    source, store = Path(source), Path(store)
    scenes = list_scenes(source)
    check_new_folder(store)
    one_offset = [Scene(scene.location, scene.time, scene.name, None) for scene in scenes]
    description = describe(source, one_offset, archive)
    margin = _margin(description.patch_size, patch_size)
    inside = slice(margin, description.patch_size - margin)
    writer = StoreWriter(
        store,
        bands=description.bands,
        patch_size=description.patch_size - 2 * margin,
        dtype=description.dtype,
        quantification=description.quantification,
        offset=0.0,
        product_level=description.product_level,
        sensor=description.sensor,
        seed=None,
        source=description.source,
        licence=description.licence,
    )
    left_out: dict[str, str] = {}
    moved, written = 0, set()
    with writer:
        for scene in track(scenes, "patches written"):
            added = offset if scene.offset is None else scene.offset
            try:
                pixels = np.ascontiguousarray(_read(source / scene.path, description)[:, inside, inside])
                place = _place(source / scene.path, description, margin, archive.default_epsg)
            except SecoError as error:
                left_out[scene.path] = str(error)
                continue
            writer.add(
                scene.location,
                scene.time,
                without_offset(pixels, added),
                scene_id=scene.name,
                cloud_fraction=np.nan,
                **place,
            )
            moved += added != 0
            written.add(scene.location)
    bands = tuple(band.name for band in description.bands)
    patches = len(scenes) - len(left_out)
    return SceneImportReport(len(written), patches, bands, description.product_level, moved, left_out)


def _read(folder: Path, description: StoreDescription) -> np.ndarray:
    """Pixels ``(C, H, W)`` of a scene.

    Raises:
        GeoTiffError: If a band is missing, damaged or of another size.
    """
    bands, side = len(description.bands), description.patch_size
    pixels = np.empty((1, bands, side, side), description.dtype)
    wrong = decode_scenes([folder], description, bands=range(bands), threads=None, out=pixels)
    if wrong:
        raise wrong[0]
    return pixels[0]


def _place(folder: Path, description: StoreDescription, margin: int, default_epsg: int | None) -> dict[str, Any]:
    """What :meth:`StoreWriter.add` wants to know of where a scene is, less ``margin`` px at every side.

    Raises:
        DataError: If that cannot be told.
    """
    file = folder / ALL_BANDS
    file = file if file.is_file() else file_of(folder, finest(description.bands))
    try:
        with rasterio.Env(), rasterio.open(file) as raster:
            crs, (x0, dx, rx, y0, ry, dy) = raster.crs, raster.transform.to_gdal()
    except RasterioError as error:
        raise DataError(f"{file}: expected a readable raster, got {reason_of(error)}") from error
    epsg = (crs.to_epsg() if crs else None) or default_epsg
    if epsg is None:
        raise DataError(f"{file}: expected a CRS with an EPSG code, got {crs}; assign one")
    left, top = x0 + margin * (dx + rx), y0 + margin * (ry + dy)
    half = description.patch_size / 2 - margin
    x, y = left + half * (dx + rx), top + half * (ry + dy)
    (longitude,), (latitude,) = transform_points(f"EPSG:{epsg}", "EPSG:4326", [x], [y])
    return {"epsg": epsg, "transform": (left, dx, rx, top, ry, dy), "longitude": longitude, "latitude": latitude}


def _margin(whole: int, wanted: int | None) -> int:
    if wanted is None:
        return 0
    if not 1 <= wanted <= whole or (whole - wanted) % 2:
        raise DataError(f"patch_size: expected at most {whole} and an even number less, got {wanted}; choose another")
    return (whole - wanted) // 2
