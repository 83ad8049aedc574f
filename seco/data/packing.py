"""Packs a store into WebDataset tar shards with their offsets in the index."""

import io
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal

import pyarrow
import pyarrow.parquet

from seco.data.atomic import atomic_path, sync, write_atomic
from seco.data.description import (
    DATASET_FILE,
    HISTOGRAM_FILE,
    INDEX_FILE,
    LABEL_FOLDER,
    LABELS_FILE,
    REJECTED_FILE,
    SETTINGS_FILE,
    SHARD_COLUMNS,
    SHARD_FOLDER,
)
from seco.data.store import Store
from seco.data.tables import write_parquet
from seco.data.writer import check_new_folder, written_whole
from seco.errors import ConfigError, StoreError
from seco.track import Track, untracked

BESIDE_PATCHES = (LABELS_FILE, HISTOGRAM_FILE, SETTINGS_FILE, REJECTED_FILE, DATASET_FILE)
# Takes names of any length; USTAR does not, and DALI does not read PAX headers.
FORMAT: Literal[1] = tarfile.GNU_FORMAT


def pack_store(
    store: Store,
    out: str | Path,
    *,
    shard_size: int = 1 << 30,
    track: Track = untracked,
) -> int:
    """Copy a store, its patches as members of ``shards/000000.tar`` and so on.

    Members keep the path and the bytes of the loose patches, in the order of the index: unpacking all shards gives the
    loose store's patches. Every patch is compared with its checksum on the way. Labels and the books of a collection are
    copied. The index comes last; an error takes everything back.

    Args:
        store: Store to copy, loose or packed.
        out: New or empty folder.
        shard_size: Bytes after which a shard is closed; one of a single patch may be larger.
        track: How progress is shown.

    Returns:
        Number of shards.

    Raises:
        ConfigError: If ``shard_size`` is not positive.
        StoreError: If ``out`` is in use, or a patch is missing or not what the index says.
    """
    if shard_size < 1:
        raise ConfigError(f"shard_size: expected at least one byte, got {shard_size}; 1 GiB is usual")
    out = Path(out)
    check_new_folder(out)
    if not store.has_checksums:
        raise StoreError(f"{store.path}: expected a patch store to pack, got an archive read in place; import it first")
    with written_whole(out):
        (out / SHARD_FOLDER).mkdir(parents=True)
        index = _place(store, _write_shards(store, out, shard_size, track))
        for name in BESIDE_PATCHES:
            if (store.path / name).is_file():
                write_atomic(out / name, (store.path / name).read_bytes())
        if (store.path / LABEL_FOLDER).is_dir():
            shutil.copytree(store.path / LABEL_FOLDER, out / LABEL_FOLDER)
        sync(out)
        write_parquet(out / INDEX_FILE, index)
        sync(out)
    return len(index["shard"].unique())


def _write_shards(store: Store, out: Path, shard_size: int, track: Track) -> list[tuple[str, int, int]]:
    """Write all shards; shard, offset and length of every row."""
    names, sizes = (column.to_pylist() for column in store.read_index(["path", "bytes"]).columns)
    rows = iter(track(range(len(names)), "patches packed"))
    places: list[tuple[str, int, int]] = []
    for number, count in enumerate(_shard_lengths(names, sizes, shard_size)):
        shard = f"{SHARD_FOLDER}/{number:06d}.tar"
        with _open_shard(out / shard) as (file, tar):
            for row in islice(rows, count):
                content = store.read_bytes(row)
                places.append((shard, _append(file, tar, names[row], content), len(content)))
    next(rows, None)  # so that the progress sees its end
    return places


def _shard_lengths(names: Sequence[str], sizes: Sequence[int], shard_size: int) -> list[int]:
    """Number of patches of each shard, filled in order up to ``shard_size`` bytes with headers and padding."""
    lengths, used = [0], 0
    for name, size in zip(names, sizes, strict=True):
        # More than a block where the name is longer than its field.
        needed = len(_member(name, size).tobuf(FORMAT)) + _padded(size)
        if lengths[-1] and used + needed > shard_size:
            lengths.append(0)
            used = 0
        lengths[-1] += 1
        used += needed
    return lengths


@contextmanager
def _open_shard(path: Path) -> Iterator[tuple[IO[bytes], tarfile.TarFile]]:
    """A tar under a temporary name; it gets its own once it is whole and on disk."""
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
        tarfile.open(fileobj=file, mode="w", format=FORMAT) as tar,
    ):
        yield file, tar


def _append(file: IO[bytes], tar: tarfile.TarFile, name: str, content: bytes) -> int:
    """Add a member, the same bytes on every machine and day; where its content begins."""
    tar.addfile(_member(name, len(content)), io.BytesIO(content))
    return file.tell() - _padded(len(content))


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def _padded(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _place(store: Store, places: Sequence[tuple[str, int, int]]) -> Any:  # noqa: ANN401 - a pyarrow Table
    """The store's index with shard, offset and length of every patch."""
    index = pyarrow.parquet.read_table(store.path / INDEX_FILE)
    index = index.drop_columns([name for name in SHARD_COLUMNS if name in index.column_names])
    for name, values in zip(SHARD_COLUMNS, zip(*places, strict=True), strict=True):
        index = index.append_column(name, pyarrow.array(values))
    return index
