"""Reads patch stores: which locations, dates and bands there are, and their pixels."""

import hashlib
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas  # noqa: F401 - pyarrow would import it at the first column, where Ctrl-C and SIGTERM get lost
import pyarrow
import pyarrow.compute
import pyarrow.parquet
from numpy.typing import NDArray

from seco.bands import Band
from seco.data.description import DATASET_FILE, INDEX_FILE, JOURNAL_FILE, LABELS_FILE, SHARD_COLUMNS, StoreDescription
from seco.data.statistics import BandStatistics
from seco.data.tables import read_labels, read_parquet
from seco.errors import ArrayError, GeoTiffError, StoreError, reason_of
from seco.ops.geotiff import FileSlice, check_slice, decode_readable
from seco.ops.whole_numbers import as_index

MEND_PATCH = "copy it anew, or, if `seco collect` wrote it, delete it and run that command again"


def open_store(path: str | Path) -> "Store":
    """Open a patch store, or an archive of scene folders in place; pixels are read when they are asked for.

    Args:
        path: Folder that holds ``dataset.json`` and ``index.parquet``, or one of the archives that ``seco import`` takes.

    Raises:
        StoreError: If the store is missing, unfinished, damaged or of a newer format.
        DataError: If an archive cannot be read.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise StoreError(f"{folder}: expected a patch store, got no such folder; check the path")
    if not (folder / DATASET_FILE).exists() and not (folder / INDEX_FILE).exists():
        from seco.data.scene_folders import is_archive, open_scene_folders

        if is_archive(folder):
            return open_scene_folders(folder)
    if not (folder / DATASET_FILE).is_file() or not (folder / INDEX_FILE).is_file():
        if (folder / JOURNAL_FILE).is_file():
            raise StoreError(
                f"{folder}: expected a patch store, got a collection that is not finished; run its `seco collect` again"
            )
        missing = INDEX_FILE if (folder / DATASET_FILE).is_file() else DATASET_FILE
        raise StoreError(
            f"{folder}: expected a patch store, got a folder without {missing} (another folder, or its "
            "writing did not finish); check the path or write the store again"
        )
    try:
        text = (folder / DATASET_FILE).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise StoreError(f"{folder}: expected a valid dataset.json, got {error}; write it again") from error
    return Store(folder, StoreDescription.from_json(text, origin=str(folder)))


class Store:
    """A patch store on disk; make one with :func:`open_store`.

    ``len(store)`` is the number of locations; ``store[i]`` is ``(dates, pixels)`` of location ``i``: dates
    datetime64[s] of shape ``(T,)``, sorted, and pixels of :attr:`dtype` of shape ``(T, C, H, W)``, digital
    numbers.

    Attributes:
        path: Folder of the store.
        description: Content of ``dataset.json``.
        locations: Structured array ``(N,)``: ``id``, ``longitude`` and ``latitude`` (degrees, of the first
            date), ``first_row`` (in the index) and ``num_dates``.
        times: Dates of all patches in the order of the index, datetime64[s] ``(patches,)``; do not change it.
    """

    def __init__(self, path: Path, description: StoreDescription, *, catalog: Path | None = None) -> None:
        self.path = path
        self.description = description
        self._catalog = path if catalog is None else catalog  # where dataset.json and the index are
        # Column by column: a store of a million patches opens in the memory that its largest column needs.
        self.times = self.read_index(["time"])["time"].to_numpy().astype("datetime64[s]")
        self.locations = self._group(self.read_index(["location_id"])["location_id"])

    def __len__(self) -> int:
        return len(self.locations)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self._rows(i)
        return self.dates(i), self.read(np.arange(rows.start, rows.stop))

    def __repr__(self) -> str:
        bands = ",".join(self.band_names)
        return f"Store({str(self.path)!r}, {len(self)} locations, {len(self.times)} patches, bands {bands})"

    @property
    def bands(self) -> tuple[Band, ...]:
        """Bands in the order of the pixels."""
        return self.description.bands

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of :attr:`bands`."""
        return tuple(band.name for band in self.bands)

    @property
    def statistics(self) -> dict[str, BandStatistics]:
        """Statistics of each band by name, in digital numbers."""
        return self.description.statistics

    @property
    def patch_size(self) -> int:
        """Height and width of every patch, pixels."""
        return self.description.patch_size

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels: uint16 or uint8."""
        return np.dtype(self.description.dtype)

    def dates(self, i: int) -> np.ndarray:
        """Dates of location ``i``: datetime64[s], sorted, shape ``(T,)``."""
        times: np.ndarray = self.times[self._rows(i)]
        return times.copy()

    def sources(self, i: int) -> list[Path | FileSlice]:
        """GeoTIFFs of location ``i``, one a date, in the order of the dates: files, or slices of shards."""
        rows = self._rows(i)
        return self.sources_of_rows(np.arange(rows.start, rows.stop))

    def sources_of_rows(self, rows: np.ndarray) -> list[Path | FileSlice]:
        """GeoTIFFs of rows of the index, int64 ``[n]``.

        Raises:
            ArrayError: If a row is none of the index.
        """
        columns = self._places_of(rows)
        if len(columns) == 1:
            return [self.path / name for name in columns[0]]
        return [FileSlice(self.path / shard, offset, length) for shard, offset, length in zip(*columns, strict=True)]

    def ranges_of_rows(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.bytes_], NDArray[np.int64]]:
        """As :meth:`sources_of_rows`, in arrays instead of an object for each.

        Returns:
            Paths as the system spells them, ``[n]``, and first byte and length, ``[n, 2]``: 0 and -1 for a whole file.

        Raises:
            ArrayError: If a row is none of the index.
        """
        files, *ranges = self._places_of(rows)
        folder = os.fsencode(self.path) + b"/"
        paths = np.array([folder + os.fsencode(name) for name in files], np.bytes_)
        return paths, np.array(ranges, np.int64).T.copy() if ranges else np.tile((0, -1), (len(paths), 1))

    def _places_of(self, rows: NDArray[np.integer]) -> list[list[Any]]:
        return [column.to_pylist() for column in self._places.take(self._checked(rows)).columns]

    def read(self, rows: np.ndarray, *, bands: Sequence[int] | None = None, threads: int | None = None) -> np.ndarray:
        """Pixels ``(n, C, H, W)`` of rows of the index.

        Args:
            rows: int64 ``(n,)``.
            bands: Numbers of the bands wanted; None for all.
            threads: CPU threads; None takes one a core.

        Raises:
            GeoTiffError: If a patch cannot be read; the text names it.
            ArrayError: If a row or a band does not exist, or ``threads`` is not positive.
        """
        chosen = list(range(len(self.bands))) if bands is None else list(bands)
        out = np.empty((len(rows), len(chosen), self.patch_size, self.patch_size), self.dtype)
        wrong = self.decode(self.sources_of_rows(rows), bands=chosen, threads=threads, out=out)
        if wrong:
            raise wrong[min(wrong)]
        return out

    def decode(
        self, sources: Sequence[Any], *, bands: Sequence[int], threads: int | None, out: NDArray[Any]
    ) -> dict[int, GeoTiffError]:
        """Decode patches to ``out`` ``(n, C, H, W)``; what is wrong with those that cannot be, by their number."""
        return decode_readable(sources, bands=bands, total_bands=len(self.bands), threads=threads, out=out)

    def read_bytes(self, row: int) -> bytes:
        """The file of a row of the index, compared with its checksum.

        Raises:
            DataError: If it is missing, or not what the index says, or the store has no checksums.
            ArrayError: If the index has no such row.
        """
        self.require_checksums()
        (source,) = self.sources_of_rows(np.array([row]))
        if isinstance(source, FileSlice):
            check_slice(source)
        path, offset, length = source if isinstance(source, FileSlice) else (source, 0, -1)
        try:
            with path.open("rb") as file:
                file.seek(offset)
                content = file.read(length)
        except OSError as error:
            raise StoreError(f"{source}: expected a patch, got {reason_of(error)}; {self._mend}") from error
        if hashlib.sha256(content).hexdigest() != self._checksums[row].as_py():
            raise StoreError(f"{source}: expected the patch of the index, got other bytes (checksum); {self._mend}")
        return content

    @property
    def _mend(self) -> str:
        return "copy it anew" if self.packed else MEND_PATCH

    def check_unchanged(self) -> None:
        """Check that the store on disk is still the one that was opened.

        Raises:
            StoreError: If ``dataset.json`` or the index is another now.
        """
        if _fingerprint(self._catalog) != self.fingerprint:
            raise StoreError(f"{self.path}: expected the store that was opened, got one that changed since; leave it alone")

    @cached_property
    def packed(self) -> bool:
        """Whether the patches lie in shards."""
        return set(SHARD_COLUMNS) <= set(self._columns)

    @property
    def has_checksums(self) -> bool:
        """Whether patches can be compared with what was written; those of archives read in place cannot."""
        return "checksum" in self._columns

    def require_checksums(self) -> None:
        """Raise StoreError if there are no checksums to compare patches with."""
        if not self.has_checksums:
            raise StoreError(f"{self.path}: expected checksums to verify, got an archive read in place; import it first")

    @property
    def has_labels(self) -> bool:
        """Whether locations have classes."""
        return (self.path / LABELS_FILE).is_file()

    @cached_property
    def _columns(self) -> list[str]:
        return pyarrow.parquet.read_schema(self._catalog / INDEX_FILE).names

    def labels(self) -> tuple[list[str], np.ndarray]:
        """Class names, sorted, and the class number of each location: int64 ``(N,)``, -1 where there is none.

        Raises:
            StoreError: If the store has no labels, or the file is damaged or labels none of the locations.
        """
        if not self.has_labels:
            raise StoreError(f"{self.path}: expected labels, got a store without {LABELS_FILE}; use another store")
        labels = read_labels(self.path)
        of_places = [labels.get(place) for place in self.locations["id"].tolist()]
        names = sorted({label for label in of_places if label is not None})
        if labels and not names:
            raise StoreError(
                f"{self.path / LABELS_FILE}: expected labels of locations such as {self.locations['id'][0]}, got those of "
                f"others such as {next(iter(labels))}; write the names of the index"
            )
        number = {name: i for i, name in enumerate(names)}
        return names, np.array([-1 if label is None else number[label] for label in of_places], np.int64)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of ``dataset.json`` and the index, hexadecimal; the index has a checksum of every patch."""
        return _fingerprint(self._catalog)

    @cached_property
    def _checksums(self) -> Any:  # noqa: ANN401 - a pyarrow column
        return self.read_index(["checksum"])["checksum"]

    @cached_property
    def _places(self) -> Any:  # noqa: ANN401 - a pyarrow Table
        """Where each patch is: its file, or shard, offset and length."""
        places = self.read_index(list(SHARD_COLUMNS) if self.packed else ["path"])
        if places.column(0).null_count:
            raise StoreError(f"{self.path}: expected an index with a file for every patch, got one without; write it again")
        leaving = pyarrow.compute.match_substring_regex(places.column(0), r"^/|(^|/)\.\.(/|$)")
        if pyarrow.compute.any(leaving).as_py():
            raise StoreError(
                f"{self.path}: expected patches inside the store, got an index that points out of it; do not trust it"
            )
        return places

    def read_index(self, columns: list[str]) -> Any:  # noqa: ANN401 - pyarrow publishes no types
        """Columns of the index as a pyarrow Table, sorted by location and time.

        Raises:
            StoreError: If the index is damaged or lacks a column.
        """
        return read_parquet(self._catalog / INDEX_FILE, columns)

    def _checked(self, rows: np.ndarray) -> np.ndarray:
        given, total = np.asarray(rows), len(self.times)
        numbers = given if given.size else given.astype(np.int64)  # an empty list is of floats
        whole = numbers.ndim == 1 and np.issubdtype(numbers.dtype, np.integer)
        beyond = numbers[(numbers < 0) | (numbers >= total)] if whole else numbers
        if not whole or beyond.size:
            got = beyond[0] if whole else f"{given.dtype} {list(given.shape)}"
            raise ArrayError(
                f"rows: expected numbers 0 … {total - 1}, [n], got {got}; those of a location are in `locations`"
            )
        return numbers.astype(np.int64)  # pyarrow takes none of another byte order

    def _rows(self, i: int) -> slice:
        number, expected = as_index(i), f"location: expected a number below {len(self)}, got {i!r}; `locations` lists them"
        if number is None:
            raise TypeError(expected)
        if not -len(self) <= number < len(self):
            raise IndexError(expected)
        first, count = self.locations["first_row"][number], self.locations["num_dates"][number]
        return slice(int(first), int(first + count))

    def _coordinates_of(self, rows: np.ndarray) -> np.ndarray:
        """Longitude and latitude ``(n, 2)``."""
        found = _coordinates(self.read_index(["geometry"])["geometry"].take(rows))
        if len(found) != len(rows):
            raise StoreError(
                f"{self.path}: expected an index with a point for every location, got one without; write it again"
            )
        return found

    def _group(self, ids: Any) -> np.ndarray:  # noqa: ANN401 - a pyarrow array
        """One record a location, from the runs of equal ids in the sorted index."""
        try:
            runs = pyarrow.compute.run_end_encode(ids.combine_chunks())
        except pyarrow.ArrowException as error:
            raise StoreError(
                f"{self.path}: expected an index with location_id as text, got {ids.type}; write it again"
            ) from error
        ends = runs.run_ends.to_numpy().astype(np.int64)
        names = np.array(runs.values.to_pylist(), dtype=np.str_)
        counts = np.diff(ends, prepend=0)
        later = np.diff(self.times) > np.timedelta64(0, "s")
        later[ends[:-1] - 1] = True  # the next location starts anew
        if not len(names) or not (names[1:] > names[:-1]).all() or not later.all():
            raise StoreError(
                f"{self.path}: expected an index sorted by location and time with at least one row, got "
                "another; write the store again"
            )
        coordinates = self._coordinates_of(ends - counts)
        fields = [("longitude", "f8"), ("latitude", "f8"), ("first_row", "i8"), ("num_dates", "i8")]
        locations = np.empty(len(names), dtype=[("id", names.dtype), *fields])
        columns = (names, *coordinates.T, ends - counts, counts)
        for field, column in zip(locations.dtype.names or (), columns, strict=True):
            locations[field] = column
        return locations


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in (DATASET_FILE, INDEX_FILE):
        try:
            digest.update((folder / name).read_bytes())
        except OSError as error:
            raise StoreError(f"{folder / name}: expected a readable file, got {reason_of(error)}; write it again") from error
    return digest.hexdigest()


def _coordinates(points: Any) -> np.ndarray:  # noqa: ANN401 - a pyarrow array
    """Longitude and latitude ``(N, 2)`` of WKB points, without those that are none; in portions: point objects are large."""
    import shapely

    step = 1 << 14
    starts = range(0, len(points), step)
    portions = (shapely.from_wkb(points[i : i + step].to_numpy(), on_invalid="ignore") for i in starts)
    return np.concatenate([shapely.get_coordinates(portion) for portion in portions])
