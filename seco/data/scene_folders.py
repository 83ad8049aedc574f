"""Archives of one folder a location and one a scene, such as those of SeCo (2021) and SSL4EO-S12, read where they are.

``ARCHIVE/<location>/<scene>/<band>.tif`` with each band at its native size, or ``…/all_bands.tif`` with all on one grid.
Files beside the scenes' folders, such as RGB previews, are left alone.

The archive is not written to: what it holds is listed once, and kept with statistics of its pixels as ``dataset.json`` and
``index.parquet`` in the user's cache (``$XDG_CACHE_HOME/seco``). Scenes that come or go make a new list; pixels that change
do not.
"""

import atexit
import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from seco.bands import BANDS_BY_COUNT, SENTINEL2_L1C, Band, canonical_name, finest, product_level
from seco.data.atomic import write_atomic
from seco.data.dated_files import date_in_name
from seco.data.description import DATASET_FILE, INDEX_FILE, StoreDescription
from seco.data.reflectance import SENTINEL2, offset_of_baseline
from seco.data.spread import spread_evenly
from seco.data.statistics import DigitalNumberHistogram
from seco.data.store import Store
from seco.data.tables import write_parquet
from seco.errors import DataError, GeoTiffError
from seco.ops.geotiff import Source, checked_bands, decode_readable, read_info

ALL_BANDS = "all_bands.tif"
ONE_BAND = "B2.tif"  # of archives with a file a band
_SAMPLED_SCENES = 256  # for bands and statistics


@dataclass(frozen=True)
class Archive:
    """What sets one kind of archive apart from another.

    Attributes:
        name: Of the kind.
        dtype: Of the pixels.
        quantification: Digital numbers per unit reflectance.
        source: Where the pixels come from, in words.
        licence: Of the pixels, in words.
        default_epsg: Of files that name none; None if they have to.
    """

    name: str
    dtype: str
    quantification: float
    source: str
    licence: str
    default_epsg: int | None = None


# The 2021 downloader divides digital numbers by 10000, cuts at 1 and stretches [0, 1] to 0 … 255; its files are in degrees.
SECO2021 = Archive(
    "seco2021", "uint8", 255.0, "SeCo archive of 2021: reflectance × 255 as JPEG, from Earth Engine", "CC-BY-4.0", 4326
)
SSL4EO = Archive("ssl4eo", "uint16", SENTINEL2.quantification, "SSL4EO-S12: digital numbers from Earth Engine", "CC-BY-4.0")
ARCHIVES = {archive.name: archive for archive in (SECO2021, SSL4EO)}


@dataclass(frozen=True)
class Scene:
    """One date of one location.

    Attributes:
        location: Name of the location's folder.
        time: Of acquisition, the first stamp in the folder's name.
        name: Of the folder.
        offset: Added to the digital numbers first, from the processing baseline in ``metadata.json``; None without one.
    """

    location: str
    time: np.datetime64
    name: str
    offset: float | None

    @property
    def path(self) -> str:
        """Of its folder, in the archive."""
        return f"{self.location}/{self.name}"


class SceneFolders(Store):
    """An archive of scene folders, as a store whose patches are folders; make one with :func:`open_scene_folders`."""

    def _coordinates_of(self, rows: np.ndarray) -> np.ndarray:
        """Unknown until the archive is imported: they are in the headers of as many files as there are locations."""
        return np.full((len(rows), 2), np.nan)

    def decode(
        self, sources: Sequence[Any], *, bands: Sequence[int], threads: int | None, out: NDArray[Any]
    ) -> dict[int, GeoTiffError]:
        """As :meth:`Store.decode`; bands of 20 m and 60 m are repeated to the grid of the finest."""
        return decode_scenes(sources, self.description, bands=bands, threads=threads, out=out)


def is_archive(folder: Path) -> bool:
    """Whether a folder holds folders of locations with folders of scenes."""
    return next(_scene_folders(folder), None) is not None


def open_scene_folders(folder: Path) -> SceneFolders:
    """Open an archive in place: SeCo's of 2021 if the files are uint8, SSL4EO-S12's if they are uint16.

    Args:
        folder: Of the locations.

    Raises:
        DataError: If there are no scenes, or offsets differ between them.
    """
    catalog = _cache_folder(folder)
    if not (catalog / INDEX_FILE).is_file():
        scenes = list_scenes(folder)
        try:
            _write_catalog(catalog, scenes, describe(folder, scenes))
        except OSError:  # a full home, or one of somebody else
            catalog = _passing_folder()
            _write_catalog(catalog, scenes, describe(folder, scenes))
    description = StoreDescription.from_json((catalog / DATASET_FILE).read_text(encoding="utf-8"), origin=str(folder))
    return SceneFolders(folder, description, catalog=catalog)


def list_scenes(folder: Path) -> list[Scene]:
    """All scenes with a date in their name, sorted by location and time; of two at one time the first by name.

    Raises:
        DataError: If there is none.
    """
    scenes: dict[tuple[str, np.datetime64], Scene] = {}
    for path in _scene_folders(folder):
        time = date_in_name(path.name)
        if time is not None:
            scenes.setdefault((path.parent.name, time), Scene(path.parent.name, time, path.name, _offset_of(path)))
    if not scenes:
        parts = [name for name in ("s2a", "s2c") if (folder / name).is_dir()]
        hint = f"give {folder / parts[0]}" if parts else "check the path"
        raise DataError(f"{folder}: expected <location>/<scene>/<band>.tif, got no folder of a dated scene; {hint}")
    return [scenes[key] for key in sorted(scenes)]


def describe(folder: Path, scenes: Sequence[Scene], archive: Archive | None = None) -> StoreDescription:
    """What ``dataset.json`` says of an archive; statistics are those of scenes spread evenly over it.

    Raises:
        DataError: As :func:`open_scene_folders`.
    """
    bands, dtype, side = _usual_form(folder, scenes)
    if archive is None:
        archive = SECO2021 if dtype == "uint8" else SSL4EO
    if dtype != archive.dtype:
        raise DataError(f"{folder}: expected {archive.dtype} scenes of {archive.name}, got {dtype}; name the other archive")
    offsets = {scene.offset for scene in scenes if scene.offset is not None} or {0.0}
    if len(offsets) > 1:
        raise DataError(
            f"{folder}: expected one offset of all scenes, got processing baselines before and from 04.00 on; import the "
            "archive, which brings them to one"
        )
    description = StoreDescription(
        sensor="Sentinel-2",
        product_level=product_level(bands),
        bands=bands,
        dtype=archive.dtype,
        quantification=archive.quantification,
        offset=offsets.pop(),
        patch_size=side,
        resolution_m=finest(bands).resolution_m,
        statistics={},
        seed=None,
        source=archive.source,
        licence=archive.licence,
    )
    return replace(description, statistics=_statistics(folder, scenes, description))


def decode_scenes(
    scenes: Sequence[Path], description: StoreDescription, *, bands: Sequence[int], threads: int | None, out: NDArray[Any]
) -> dict[int, GeoTiffError]:
    """Decode bands of scenes' folders to ``out`` ``(n, C, H, W)``; what is wrong with those that cannot be, by number.

    Raises:
        ArrayError: If a band does not exist.
    """
    bands = checked_bands(bands, len(description.bands))
    if _have_one_file(scenes):
        files: list[Source] = [scene / ALL_BANDS for scene in scenes]
        return decode_readable(files, bands=bands, total_bands=len(description.bands), threads=threads, out=out)
    wrong: dict[int, GeoTiffError] = {}
    for i, band in enumerate(bands):
        repeats = description.bands[band].resolution_m // finest(description.bands).resolution_m
        side = description.patch_size // repeats
        pixels = np.empty((len(scenes), 1, side, side), out.dtype)
        files = [file_of(scene, description.bands[band]) for scene in scenes]
        wrong = decode_readable(files, bands=[0], total_bands=1, threads=threads, out=pixels) | wrong
        out[:, i] = pixels[:, 0].repeat(repeats, axis=1).repeat(repeats, axis=2)
    return wrong


def _have_one_file(scenes: Sequence[Path]) -> bool:
    """Whether the scenes of an archive have all bands in one file: the first of them that has any says it."""
    for scene in scenes:
        if (scene / ALL_BANDS).is_file():
            return True
        if (scene / ONE_BAND).is_file():
            return False
    return False


def _scene_folders(folder: Path) -> Iterator[Path]:
    """Folders of the scenes of all locations, of which as a rule one is looked into for a TIFF of a band."""
    with os.scandir(folder) as locations:
        names = sorted(entry.name for entry in locations if entry.is_dir())
    for name in names:
        with os.scandir(folder / name) as entries:
            scenes = sorted(entry.name for entry in entries if entry.is_dir())
        if any((folder / name / scene / file).is_file() for scene in scenes for file in (ONE_BAND, ALL_BANDS)):
            yield from (folder / name / scene for scene in scenes)


def _offset_of(scene: Path) -> float | None:
    """From the processing baseline of ``metadata.json``, where there is one."""
    try:
        content = json.loads((scene / "metadata.json").read_text(encoding="utf-8"))
        content = content.get("properties", content)
        baseline = float(content["PROCESSING_BASELINE"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return offset_of_baseline(baseline)


def file_of(scene: Path, band: Band) -> Path:
    """File of a band of a scene that has one a band, spelled as Earth Engine does: B2, not B02."""
    return scene / f"B{band.name[1:].lstrip('0')}.tif"


def _usual_form(folder: Path, scenes: Sequence[Scene]) -> tuple[tuple[Band, ...], str, int]:
    """Bands, type and side of the finest that most scenes have, of some spread evenly: any one may lack a file."""
    forms: Counter[tuple[tuple[Band, ...], str, int]] = Counter()
    for i in spread_evenly(len(scenes), _SAMPLED_SCENES):
        with suppress(GeoTiffError, ValueError, KeyError):
            forms[_form_of(folder / scenes[i].path)] += 1
    if not forms:
        raise DataError(f"{folder}: expected a scene whose files can be read, got none; check the archive")
    return forms.most_common(1)[0][0]


def _form_of(scene: Path) -> tuple[tuple[Band, ...], str, int]:
    if (scene / ALL_BANDS).is_file():
        info = read_info(scene / ALL_BANDS)
        return BANDS_BY_COUNT[info.bands], info.dtype, info.height
    names = {canonical_name(file.stem) for file in scene.glob("B*.tif")}
    bands = tuple(band for band in SENTINEL2_L1C if band.name in names)
    info = read_info(file_of(scene, finest(bands)))
    return bands, info.dtype, info.height


def _statistics(folder: Path, scenes: Sequence[Scene], description: StoreDescription) -> dict[str, Any]:
    histogram = DigitalNumberHistogram(len(description.bands), np.dtype(description.dtype))
    side, every = description.patch_size, list(range(len(description.bands)))
    pixels = np.empty((1, len(every), side, side), description.dtype)
    for i in spread_evenly(len(scenes), _SAMPLED_SCENES):
        source = folder / scenes[i].path
        if not decode_scenes([source], description, bands=every, threads=None, out=pixels):
            histogram.add(pixels[0])
    return histogram.by_band([band.name for band in description.bands])


def _cache_folder(folder: Path) -> Path:
    """Of an archive as it is now: another place, other locations or other scenes have another."""
    digest = hashlib.sha256(os.fsencode(folder.resolve()))
    with os.scandir(folder) as locations:
        for entry in sorted(locations, key=lambda entry: entry.name):
            digest.update(os.fsencode(entry.name) + str(entry.stat().st_mtime_ns).encode())
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # a user without a home, as containers have
        return _passing_folder()
    return cache / "seco" / "archives" / digest.hexdigest()[:32]


def _passing_folder() -> Path:
    """Goes with the program."""
    folder = Path(tempfile.mkdtemp(prefix="seco-catalog-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder / "catalog"


def _write_catalog(catalog: Path, scenes: Sequence[Scene], description: StoreDescription) -> None:
    """Make the folder, whole or not at all: of processes that do so at once the first counts."""
    table = pyarrow.table(
        {
            "location_id": [scene.location for scene in scenes],
            "time": np.array([scene.time for scene in scenes]),
            "scene_id": [scene.name for scene in scenes],
            "cloud_fraction": np.full(len(scenes), np.nan, dtype=np.float32),
            "path": [scene.path for scene in scenes],
            "bytes": pyarrow.nulls(len(scenes), pyarrow.int64()),  # a look at every file would take long
        }
    )
    catalog.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=catalog.parent) as folder:
        new = Path(folder) / "catalog"
        new.mkdir()
        write_atomic(new / DATASET_FILE, description.to_json().encode())
        write_parquet(new / INDEX_FILE, table)
        try:
            new.rename(catalog)
        except OSError:
            if not (catalog / INDEX_FILE).is_file():
                raise
