"""The books of a collection: what is in its folder, and how that becomes a store."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from seco.bands import finest
from seco.collect.journal import Journal
from seco.collect.patches import Patches
from seco.collect.settings import Settings, claim_folder
from seco.collect.source import Origin
from seco.data.atomic import take_back, write_atomic
from seco.data.description import (
    DATASET_FILE,
    HISTOGRAM_FILE,
    INDEX_FILE,
    JOURNAL_FILE,
    LABELS_FILE,
    PATCH_FOLDER,
    REJECTED_COLUMNS,
    REJECTED_FILE,
    StoreDescription,
)
from seco.data.reflectance import SENTINEL2
from seco.data.statistics import DigitalNumberHistogram, count_patches
from seco.data.store import open_store
from seco.data.tables import read_labels, read_rejected, write_parquet
from seco.data.writer import commit_store, make_index, rows_of_index
from seco.errors import RunError, StoreError

KEEP_EVERY = 256  # locations from one copy of the histogram to the next: a resumed run counts at most so many again


class Ledger:
    """The folder of a collection, begun or gone on with; use it in a with-block.

    Args:
        folder: Of the store.
        settings: What is collected.
        origin: Where its pixels come from.
        also: A file of a location besides its patches, relative to the store: without it the location is collected again.

    Raises:
        StoreError: If the folder is in use, or of a collection with other settings.
    """

    def __init__(
        self, folder: Path, settings: Settings, origin: Origin, *, also: Callable[[str], str] | None = None
    ) -> None:
        self.folder = folder
        self._settings, self._origin, self._also = settings, origin, also
        claim_folder(folder, settings)
        # With a journal beside it, a store is being mended, or was finished by a program that was killed then.
        begun = (folder / JOURNAL_FILE).exists()
        committed = all((folder / name).is_file() for name in (INDEX_FILE, DATASET_FILE))
        self.finished = committed and not begun and not self._lacks_files()
        if self.finished:
            return
        self.journal = Journal(folder)
        try:
            if self.journal.is_empty() and (folder / INDEX_FILE).is_file():
                self.journal.restore(rows_of_index(folder), _read_rejected(folder))
            elif not begun and (folder / PATCH_FOLDER).exists():
                raise StoreError(
                    f"{folder}: expected a collection, got patches without {INDEX_FILE} or {JOURNAL_FILE}; bring one back, "
                    "or collect to another folder"
                )
            self._drop_lost_patches()
            self.accepted = self.journal.accepted()
            self._sweep()
            self._histogram = self._restore_histogram()
        except BaseException:
            empty = self.journal.is_empty()
            self.journal.close()
            if empty and not begun:
                _remove_journal(folder)
            raise
        self._uncounted, self._counted_all = 0, True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.finished:
            return
        in_vain = kind is RunError and not self.journal.accepted() and not (self.folder / INDEX_FILE).exists()
        self._keep_histogram()
        self.journal.close()
        if in_vain:  # of settings that give nothing: others may be tried in the same folder
            take_back(self.folder)

    def accept(self, patches: Patches) -> None:
        """Note the patches of a location."""
        try:
            self.journal.accept(patches.rows, patches.label)
            self._histogram.add_counts(patches.counts)
        except BaseException:  # Ctrl-C may come between the two: then the patches are counted again some day
            self._counted_all = False
            raise
        self._uncounted += 1
        if self._uncounted >= KEEP_EVERY:
            self._keep_histogram()

    def finish(self) -> None:
        """Make the store: rejected candidates, histogram, description and, last, the index."""
        origin, settings = self._origin, self._settings
        description = StoreDescription(
            sensor=origin.sensor,
            product_level=origin.product_level,
            bands=origin.bands,
            dtype="uint16",
            quantification=SENTINEL2.quantification,
            offset=SENTINEL2.offset,
            patch_size=settings.patch_size,
            resolution_m=finest(origin.bands).resolution_m,
            statistics=self._histogram.by_band([band.name for band in origin.bands]),
            seed=settings.seed,
            source=f"{settings.source}, {settings.collection}",
            licence=origin.licence,
        )
        write_parquet(self.folder / REJECTED_FILE, _table_of_rejected(self.journal.rejected()))
        write_atomic(self.folder / HISTOGRAM_FILE, self._histogram.to_bytes())
        commit_store(self.folder, description, make_index(self.journal.rows()), self._labels())
        self.finished = True
        self.journal.close()
        _remove_journal(self.folder)

    def _labels(self) -> dict[str, str]:
        """Labels of the store if the source gives any; those that a user put there stay as they are.

        Raises:
            StoreError: If those of a store that is mended are lost.
        """
        given = self.journal.labels()
        labels = read_labels(self.folder) | given if given else {}
        if given and labels.keys() != self.journal.accepted():
            raise StoreError(
                f"{self.folder / LABELS_FILE}: expected the label of every location, got {len(labels)}; bring it back, or "
                "collect to another folder"
            )
        return labels

    def _keep_histogram(self) -> None:
        if self._counted_all:
            self.journal.keep_histogram(self._histogram.to_bytes())
        self._uncounted = 0

    def _drop_lost_patches(self) -> None:
        """Forget locations that lack a patch: a power cut or somebody took it away.

        Raises:
            StoreError: If all are gone, as those of a disk that is not there are: they may come back.
        """
        rows = self.journal.rows()
        lost = set(self._lost_locations((row["location_id"], row["path"], row["bytes"]) for row in rows))
        patches = self.folder / PATCH_FOLDER
        if lost and not (patches.is_dir() and any(patches.iterdir())):
            raise StoreError(
                f"{patches}: expected the patches of {len(lost)} locations, got none at all; bring them back, or collect to "
                "another folder"
            )
        if lost:
            self.journal.drop(sorted(lost))

    def _lacks_files(self) -> bool:
        """Whether a file of a finished store is gone; patches of a packed one are no files."""
        store = open_store(self.folder)
        if store.packed:
            return False
        batches = store.read_index(["location_id", "path", "bytes"]).to_batches(max_chunksize=65_536)
        return any(any(self._lost_locations(zip(*batch.to_pydict().values(), strict=True))) for batch in batches)

    def _lost_locations(self, patches: Iterable[tuple[str, str, int]]) -> Iterator[str]:
        """Locations of patches, given with path and bytes, that are not there or not whole, or lack another file."""
        for location, path, size in patches:
            also = self._also is None or (self.folder / self._also(location)).is_file()
            if not also or not _is_there(self.folder / path, size):
                yield location

    def _sweep(self) -> None:
        """Remove what a killed program left of locations that were not accepted yet."""
        patches = self.folder / PATCH_FOLDER
        for folder in patches.iterdir() if patches.is_dir() else ():
            if folder.name not in self.accepted:
                shutil.rmtree(folder)

    def _restore_histogram(self) -> DigitalNumberHistogram:
        histogram = DigitalNumberHistogram(len(self._origin.bands), np.dtype(np.uint16))
        content, uncounted = self.journal.histogram()
        if content is not None:
            histogram.add_bytes(content)
        count_patches(histogram, [self.folder / row["path"] for row in uncounted])
        return histogram


def _table_of_rejected(records: Sequence[tuple[Any, ...]]) -> Any:  # noqa: ANN401 - a pyarrow Table
    import pyarrow

    types = (pyarrow.string(), pyarrow.int32(), pyarrow.float64(), pyarrow.float64(), pyarrow.string())
    columns = list(zip(*records, strict=True)) or [()] * len(types)
    arrays = [pyarrow.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pyarrow.table(arrays, REJECTED_COLUMNS)


def _read_rejected(folder: Path) -> Iterator[tuple[Any, ...]]:
    table = read_rejected(folder)
    return iter(()) if table is None else zip(*table.to_pydict().values(), strict=True)


def _is_there(file: Path, size: int) -> bool:
    try:
        return file.stat().st_size == size
    except FileNotFoundError:
        return False


def _remove_journal(folder: Path) -> None:
    for file in folder.glob(f"{JOURNAL_FILE}*"):  # SQLite keeps a second file beside it
        file.unlink()
