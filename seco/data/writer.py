"""Writes patch stores: ``DATASET/{dataset.json, index.parquet, patches/…, labels.parquet}``."""

import hashlib
import io
import math
import re
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from seco.bands import Band, finest
from seco.data.atomic import all_or_nothing, clear_folder, is_in_use, sync, write_atomic
from seco.data.description import DATASET_FILE, INDEX_FILE, LABEL_COLUMNS, LABELS_FILE, PATCH_FOLDER, StoreDescription
from seco.data.geotiff_writer import encode_geotiff
from seco.data.reflectance import NODATA
from seco.data.statistics import DigitalNumberHistogram
from seco.data.tables import write_parquet
from seco.errors import ConfigError, DataError, StoreError, reason_of
from seco.ops.whole_numbers import as_index

Row = dict[str, Any]  # of the index, by column
INDEX_DTYPES = {
    "time": "datetime64[s]",  # pandas 2 makes nanoseconds of some
    "epsg": "int32",
    "cloud_fraction": "float32",
    "scene_cloud": "float32",
    "baseline": "float32",
}


class StoreWriter:
    """Writes one patch store; without :meth:`close` it does not open.

    An error in the with-block, or at its end, empties the folder, so that nothing half-written stays.

    Args:
        path: Folder to write; it must be new or empty.
        bands: Bands, in the order of the pixels that :meth:`add` takes.
        patch_size: Height and width of every patch, pixels.
        dtype: Type of the pixels: ``"uint16"`` or ``"uint8"``. 0 is nodata.
        quantification: Digital numbers per unit reflectance. Positive.
        offset: Digital numbers: ``reflectance = (dn + offset) / quantification``.
        product_level: Processing level, such as ``"L2A"``.
        sensor: Satellite or constellation, such as ``"Sentinel-2"``.
        seed: Seed of whatever was drawn, or None.
        source: Where the pixels come from, in words.
        licence: Licence of the pixels, in words.
        resolution_m: Side of a pixel, metres; None: that of the finest band.

    Raises:
        ConfigError: If a setting is out of range.
        StoreError: If the folder is there and not empty.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        bands: Sequence[Band],
        patch_size: int,
        dtype: str | np.dtype,
        quantification: float,
        offset: float,
        product_level: str,
        sensor: str,
        seed: int | None,
        source: str,
        licence: str,
        resolution_m: float | None = None,
    ) -> None:
        self.path = Path(path)
        self._dtype = np.dtype(dtype)
        self._bands = tuple(_plain_band(band) for band in bands)
        _check_settings(self._bands, patch_size, self._dtype, seed)
        check_units(quantification, offset)
        self._patch_size = int(patch_size)
        # All but the statistics: what cannot be written is found before any patch is.
        self._description = StoreDescription(
            sensor=str(sensor),
            product_level=str(product_level),
            bands=self._bands,
            dtype=self._dtype.name,
            quantification=float(quantification),
            offset=float(offset),
            patch_size=self._patch_size,
            resolution_m=finest(self._bands).resolution_m if resolution_m is None else _metres(resolution_m),
            statistics={},
            seed=as_index(seed),
            source=str(source),
            licence=str(licence),
        )
        self._lock, self._closed = threading.Lock(), False
        self._histogram = DigitalNumberHistogram(len(self._bands), self._dtype)
        self._rows: list[Row] = []
        self._keys: set[tuple[str, np.datetime64]] = set()
        self._labels: dict[str, str] = {}
        check_new_folder(self.path)
        make_folder(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with ExitStack() as undone:
            undone.callback(self._take_back)
            if kind is None:
                self.close()
                undone.pop_all()

    def _take_back(self) -> None:
        """Leave the folder as it was found, so that a second try finds it empty."""
        with suppress(OSError):
            clear_folder(self.path)

    def add(
        self,
        location_id: str,
        time: np.datetime64 | date | str,
        pixels: np.ndarray,
        *,
        epsg: int,
        transform: tuple[float, ...],
        scene_id: str,
        cloud_fraction: float,
        longitude: float,
        latitude: float,
    ) -> None:
        """Write the patch of one location at one date; threads may write several at once.

        Args:
            location_id: Name of the location: letters, digits, ``_``, ``-`` and ``.``.
            time: UTC time of acquisition, or a datetime with its time zone; kept to the second.
            pixels: Digital numbers, shape ``(bands, patch_size, patch_size)``, of the store's dtype. Masked ones become 0.
            epsg: Code of the patch's coordinate reference system.
            transform: GDAL geotransform of the patch, six numbers in units of the CRS.
            scene_id: Product that the pixels come from.
            cloud_fraction: Share of cloudy pixels, 0 to 1, or NaN when nobody looked.
            longitude: Centre of the patch, degrees east.
            latitude: Centre of the patch, degrees north.

        Raises:
            DataError: If an argument is not of this form, or the location has this date already.
            StoreError: If the store is closed.
        """
        self._check_open()
        second = _second_of(time)
        if isinstance(pixels, np.ma.MaskedArray):
            pixels = pixels.filled(NODATA)  # what is under a mask would be counted, too
        self._check_patch(location_id, second, pixels, transform)
        with self._claim(location_id, second):
            row = write_patch(
                self.path,
                location_id,
                second,
                pixels,
                band_names=[band.name for band in self._bands],
                epsg=epsg,
                transform=transform,
                scene_id=scene_id and str(scene_id),  # None stays none
                cloud_fraction=cloud_fraction,
                longitude=longitude,
                latitude=latitude,
            )
        with self._lock:
            self._histogram.add(pixels)
            self._rows.append(row)

    @contextmanager
    def _claim(self, location_id: str, time: np.datetime64) -> Iterator[None]:
        """Keep other threads from a patch that is being written; an error gives it free."""
        with self._lock:
            if (location_id, time) in self._keys:
                raise DataError(f"time: expected each date once, got {time} twice at {location_id}; keep one")
            self._keys.add((location_id, time))
        try:
            yield
        except BaseException:
            self._keys.discard((location_id, time))
            raise

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError(f"{self.path}: expected a store in the making, got one that is closed; write another")

    def add_label(self, location_id: str, label: str) -> None:
        """Name the class of a location; labels are for evaluation only.

        Raises:
            DataError: If the label is no text, or the location has one already.
            StoreError: If the store is closed.
        """
        self._check_open()
        if not isinstance(label, str):
            raise DataError(f"label: expected text, got {label!r} for {location_id}; name the class")
        if location_id in self._labels:
            raise DataError(f"label: expected one label a location, got a second for {location_id}; keep one")
        self._labels[location_id] = label

    def close(self) -> None:
        """Commit the store: labels and ``dataset.json``, then the index, without which no store opens.

        Raises:
            DataError: If nothing was added, a band holds only nodata, or a label is of an unknown location.
        """
        if not self._rows:
            raise DataError(f"{self.path}: expected at least one patch to write, got none; check the source")
        unknown = sorted(set(self._labels) - {location_id for location_id, _ in self._keys})
        if unknown:
            raise DataError(f"label: expected a location of the store, got {unknown[0]}; add its patches first")
        statistics = self._histogram.by_band([band.name for band in self._bands])
        commit_store(self.path, replace(self._description, statistics=statistics), make_index(self._rows), self._labels)
        self._closed = True

    def _check_patch(self, location_id: str, time: np.datetime64, pixels: np.ndarray, transform: tuple[float, ...]) -> None:
        if not isinstance(location_id, str) or not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", location_id):
            raise DataError(f"location_id: expected letters, digits, '_', '-' and '.', got {location_id!r}; rename it")
        if np.isnat(time):
            raise DataError(f"time: expected a date for location {location_id}, got NaT; give its date")
        shape = (len(self._bands), self._patch_size, self._patch_size)
        if not isinstance(pixels, np.ndarray) or pixels.shape != shape or pixels.dtype != self._dtype:
            array = isinstance(pixels, np.ndarray)
            got = f"{pixels.dtype} of shape {pixels.shape}" if array else type(pixels).__name__
            raise DataError(
                f"pixels: expected {self._dtype} of shape {shape}, got {got} at {location_id}; convert or crop them"
            )
        if len(transform) != 6 or not all(map(math.isfinite, transform)):
            raise DataError(f"transform: expected six finite numbers, got {tuple(transform)}; give a GDAL geotransform")


def write_patch(
    folder: Path,
    location_id: str,
    time: np.datetime64,
    pixels: np.ndarray,
    *,
    band_names: Sequence[str],
    epsg: int,
    transform: tuple[float, ...],
    scene_id: str,
    cloud_fraction: float,
    longitude: float,
    latitude: float,
    **more: float | str,
) -> Row:
    """Write one patch into the store at ``folder``; threads may write different patches at once.

    The arguments are those of :meth:`StoreWriter.add`, ``more`` further columns of the index.

    Returns:
        The patch's row of the index, for :func:`commit_store`.

    Raises:
        DataError: If a position or cloud fraction is out of range, or the EPSG code unknown.
    """
    _check_position(cloud_fraction, longitude, latitude)
    content = encode_geotiff(pixels, epsg=epsg, transform=transform, band_names=band_names)
    relative = f"{PATCH_FOLDER}/{location_id}/{stamp_of(time)}.tif"
    (folder / relative).parent.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / relative, content)
    return {
        "location_id": location_id,
        "time": time,
        "scene_id": scene_id,
        "epsg": int(epsg),
        "geotransform": [float(number) for number in transform],
        "cloud_fraction": float(cloud_fraction),
        "path": relative,
        "bytes": len(content),
        "checksum": hashlib.sha256(content).hexdigest(),
        "longitude": float(longitude),
        "latitude": float(latitude),
        **more,
    }


def _second_of(time: np.datetime64 | date | str) -> np.datetime64:
    """UTC, to the second; whatever :class:`numpy.datetime64` takes, and datetimes with a time zone."""
    if getattr(time, "tzinfo", None) is not None:
        time = time.astimezone(UTC).replace(tzinfo=None)  # type: ignore[union-attr] # a datetime, as pandas' are
    try:
        return np.datetime64(time).astype("datetime64[s]")
    except (TypeError, ValueError) as error:
        raise DataError(f"time: expected a date, got {time!r}; give a numpy.datetime64 or a datetime") from error


def stamp_of(time: np.datetime64) -> str:
    """A time in names, such as ``20210621T103631``."""
    return str(time).translate({ord("-"): None, ord(":"): None})


def make_index(rows: Iterable[Row]) -> Any:  # noqa: ANN401 - geopandas publishes no types
    """The index of patches as a GeoDataFrame, from the rows that :func:`write_patch` gave, one or more."""
    import geopandas

    columns: dict[str, list[Any]] = defaultdict(list)
    for row in rows:  # one at a time: as dicts, those of a large store take several gigabytes
        for name, value in row.items():
            columns[name].append(value)
    points = geopandas.points_from_xy(columns.pop("longitude"), columns.pop("latitude"), crs="EPSG:4326")
    frame = geopandas.GeoDataFrame(columns, geometry=points)
    return frame.astype({name: dtype for name, dtype in INDEX_DTYPES.items() if name in columns})


def rows_of_index(folder: Path) -> Iterator[Row]:
    """The rows from which :func:`make_index` made the index of the loose store at ``folder``."""
    import geopandas

    frame = geopandas.read_parquet(folder / INDEX_FILE)
    points = frame.geometry
    columns = frame.drop(columns="geometry").assign(longitude=points.x, latitude=points.y)
    for values in columns.itertuples(index=False):
        row = values._asdict()
        yield row | {"time": np.datetime64(row["time"], "s"), "geotransform": row["geotransform"].tolist()}


def commit_store(folder: Path, description: StoreDescription, index: Any, labels: dict[str, str]) -> None:  # noqa: ANN401
    """Make a store of written patches: labels and ``dataset.json``, then the index, without which no store opens."""
    buffer = io.BytesIO()
    index.sort_values(["location_id", "time"]).to_parquet(buffer, index=False, compression="zstd")
    if labels:
        write_parquet(folder / LABELS_FILE, _label_table(labels))
    write_atomic(folder / DATASET_FILE, description.to_json().encode())
    sync(folder)
    write_atomic(folder / INDEX_FILE, buffer.getvalue())
    sync(folder)


def check_new_folder(path: Path) -> None:
    """Check that a store can be written to a folder.

    Raises:
        StoreError: If it is there and not empty.
    """
    if is_in_use(path):
        unfinished = (path / PATCH_FOLDER).is_dir() and not (path / INDEX_FILE).exists()
        got = "a store that was not finished; choose another or delete it" if unfinished else "one in use; choose another"
        raise StoreError(f"{path}: expected a new or empty folder, got {got}")


@contextmanager
def written_whole(out: Path) -> Iterator[None]:
    """Fill ``out`` as :func:`seco.data.atomic.all_or_nothing` says.

    Raises:
        StoreError: If the system does not let it be filled.
    """
    try:
        with all_or_nothing(out):
            yield
    except OSError as error:
        raise StoreError(
            f"{out}: expected a place to write to, got {reason_of(error)}; choose another or free some space"
        ) from error


def check_units(quantification: float, offset: float) -> None:
    """Check that digital numbers can mean a reflectance.

    Raises:
        ConfigError: If the quantification is not a positive number, or the offset none.
    """
    if not 0 < quantification < math.inf:
        raise ConfigError(f"quantification: expected a positive number, got {quantification}; see the product")
    if not math.isfinite(offset):
        raise ConfigError(f"offset: expected a number, got {offset}; see the product")


def make_folder(path: Path) -> None:
    """Make a folder if it is not there.

    Raises:
        StoreError: If it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"{path}: expected a folder that can be made, got {reason_of(error)}; choose another place"
        ) from error


def _plain_band(band: Band) -> Band:
    wavelength = _as_number(band.wavelength_nm)
    if wavelength is None:
        raise ConfigError(f"bands: expected a wavelength in nm, got {band.wavelength_nm!r} of {band.name}; give a number")
    return Band(str(band.name), wavelength, _metres(band.resolution_m))


def _metres(resolution: float) -> Any:  # noqa: ANN401 - an int stays one
    number = _as_number(resolution)
    if number is None or not 0 < number < math.inf:
        raise ConfigError(f"resolution_m: expected a positive number of metres, got {resolution!r}; give a pixel's side")
    return number


def _as_number(value: Any) -> float | None:  # noqa: ANN401 - whatever was given
    """The number as Python's own, for JSON takes none of NumPy's; None if it is none."""
    number = value.item() if isinstance(value, np.generic) else value
    return number if isinstance(number, int | float) and not isinstance(number, bool) else None


def _check_settings(bands: Sequence[Band], patch_size: int, dtype: np.dtype, seed: int | None) -> None:
    if not bands or len({band.name for band in bands}) != len(bands):
        names = [band.name for band in bands]
        raise ConfigError(f"bands: expected one or more distinct bands, got {names}; name each once")
    if (as_index(patch_size) or 0) < 1:
        raise ConfigError(f"patch_size: expected a positive number of pixels, got {patch_size!r}; give a whole one")
    if seed is not None and as_index(seed) is None:
        raise ConfigError(f"seed: expected a whole number or None, got {seed!r}; give that of the draw")
    if dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise ConfigError(f"dtype: expected uint8 or uint16, got {dtype}; convert the pixels")


def _check_position(cloud_fraction: float, longitude: float, latitude: float) -> None:
    if not (math.isnan(cloud_fraction) or 0 <= cloud_fraction <= 1):
        raise DataError(f"cloud_fraction: expected 0 to 1 or NaN, got {cloud_fraction}; divide per cent by 100")
    if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        raise DataError(f"longitude, latitude: expected degrees, got {longitude}, {latitude}; transform them to EPSG:4326")


def _label_table(labels: dict[str, str]) -> Any:  # noqa: ANN401 - a pyarrow Table
    import pyarrow

    ids = sorted(labels)
    return pyarrow.table([ids, [labels[name] for name in ids]], LABEL_COLUMNS)
