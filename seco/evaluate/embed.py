"""Vectors of all images of a data set in one file, beside what they show: memory does not grow with their number."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import torch

from seco.data.atomic import atomic_path
from seco.errors import ConfigError
from seco.evaluate.datasets import BigEarthNet, ClassFolder, StorePatches
from seco.evaluate.encoders import Subject
from seco.evaluate.features import feature_batches
from seco.track import Track, untracked

FORMATS = (".parquet", ".npy")
MAP_POINTS = 5000  # more would cover one another


@dataclass(frozen=True)
class Embeddings:
    """What a map needs: all vectors of a small data set, those of some places or files of a large one.

    Attributes:
        vectors: float32 ``(n, d)``.
        columns: What the images are, by name: each ``(n,)``.
        total: Number of vectors in the file.
    """

    vectors: np.ndarray
    columns: dict[str, np.ndarray]
    total: int


def check_format(out: str | Path) -> None:
    """Raise ConfigError if vectors cannot be written to a file of that name."""
    suffix = Path(out).suffix
    if suffix not in FORMATS:
        raise ConfigError(f"{out}: expected a name that ends in {' or '.join(FORMATS)}, got {suffix or 'none'}")


def write_embeddings(
    subject: Subject,
    images: StorePatches | ClassFolder | BigEarthNet,
    out: str | Path,
    *,
    unreadable: Mapping[int, str] | None = None,
    batch_size: int = 256,
    threads: int | None = None,
    device: str | torch.device = "cpu",
    track: Track = untracked,
) -> Embeddings:
    """Encode all images and write a vector for each, batch by batch; the file is there whole or not at all.

    Columns of a store: ``location``, ``date``, ``longitude``, ``latitude``, ``class`` where there are labels, ``vector``;
    of a class folder: ``file``, ``class``, ``vector``. A Parquet file has a row group a batch, and its metadata say under
    ``seco`` what the encoder and the data are; an NPY file is one structured array, for ``numpy.load``.

    Args:
        subject: The encoder.
        images: What to encode.
        out: File to write, ``.parquet`` or ``.npy``.
        unreadable: Rows that are left out, and why; the metadata name them.
        batch_size: Images that are encoded at once.
        threads: Threads that decode and resize; by default one a core.
        device: Where the backbone runs.
        track: How progress is shown.

    Raises:
        ConfigError: If the name ends otherwise, or its folder is not there.
        DataError: If the images lack a band of the encoder, an image cannot be read, or a feature is not finite.
    """
    out = Path(out)
    check_format(out)
    if not out.parent.is_dir():
        raise ConfigError(f"{out}: expected a file in a folder that is there, got {out.parent}; make it first")
    left_out = dict(unreadable or {})
    rows = np.setdiff1d(np.arange(len(images)), np.array(list(left_out), np.int64))
    columns_of, shown = describe_rows(images), _on_map(images)
    origin = json.dumps({"encoder": subject.describe(), "data": images.describe(), "unreadable": [*left_out.values()]})
    open_writer = _parquet if out.suffix == ".parquet" else _npy
    kept, done = [], 0
    with atomic_path(out) as temporary, open_writer(temporary, len(rows), origin) as write:
        settings: dict[str, Any] = {"batch_size": batch_size, "threads": threads, "device": device, "track": track}
        for vectors in feature_batches(subject.encoder, images, rows=rows, **settings):
            batch = rows[done : done + len(vectors)]
            write(columns_of(batch), vectors)
            kept.append(vectors[shown[batch]])
            done += len(vectors)
    return Embeddings(np.concatenate(kept), columns_of(rows[shown[rows]]), len(rows))


def describe_rows(images: StorePatches | ClassFolder | BigEarthNet) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """What tells which images some rows, int64 ``(n,)``, are: columns ``(n,)`` by name."""
    if isinstance(images, BigEarthNet):  # several labels an image are no class
        patches = np.array(images.names)
        return lambda rows: {"file": patches[rows]}
    if isinstance(images, ClassFolder):
        files, classes = np.array(images.names), np.array(images.class_names)
        return lambda rows: {"file": files[rows], "class": classes[images.labels[rows]]}
    store = images.store
    names, labels = store.labels() if store.has_labels else ([], np.empty(0, np.int64))
    classes = np.array([*names, ""])  # -1, no label, is the last

    def of_patches(rows: np.ndarray) -> dict[str, np.ndarray]:
        numbers = images.locations[rows]
        places = store.locations[numbers]
        columns = {"location": places["id"], "date": store.times[rows]}
        columns |= {name: places[name] for name in ("longitude", "latitude")}
        return columns | ({"class": classes[labels[numbers]]} if names else {})

    return of_patches


def _on_map(images: StorePatches | ClassFolder | BigEarthNet) -> np.ndarray:
    """Of a store every k-th location with all its dates, else every k-th image: bool ``(N,)``."""
    every = -(-len(images) // MAP_POINTS)
    return images.groups % every == 0


@contextmanager
def _parquet(path: Path, total: int, origin: str) -> Iterator[Callable[[dict[str, np.ndarray], np.ndarray], None]]:
    writer: Any = None

    def write(columns: dict[str, np.ndarray], vectors: np.ndarray) -> None:
        nonlocal writer
        flat = pyarrow.array(vectors.ravel())
        arrays = {name: _arrow(values) for name, values in columns.items()}
        arrays["vector"] = pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        table = pyarrow.table(arrays).replace_schema_metadata({"seco": origin})
        if writer is None:
            repeated = [name for name in columns if name in {"location", "class"}]
            writer = pyarrow.parquet.ParquetWriter(path, table.schema, compression="zstd", use_dictionary=repeated)
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


def _arrow(values: np.ndarray) -> Any:  # noqa: ANN401 - a pyarrow array
    if values.dtype.kind == "M":
        return pyarrow.array(values).cast(pyarrow.timestamp("ms", tz="UTC"))
    if values.dtype.kind == "U":
        return pyarrow.array(values, pyarrow.string(), mask=values == "")
    return pyarrow.array(values)


@contextmanager
def _npy(path: Path, total: int, origin: str) -> Iterator[Callable[[dict[str, np.ndarray], np.ndarray], None]]:
    with path.open("wb") as file:

        def write(columns: dict[str, np.ndarray], vectors: np.ndarray) -> None:
            fields: list[Any] = [(name, values.dtype) for name, values in columns.items()]
            records = np.empty(len(vectors), [*fields, ("vector", np.float32, vectors.shape[1:])])
            for name, values in columns.items():
                records[name] = values
            records["vector"] = vectors
            if not file.tell():
                header = {"descr": np.lib.format.dtype_to_descr(records.dtype), "fortran_order": False, "shape": (total,)}
                np.lib.format.write_array_header_2_0(file, header)
            file.write(records.tobytes())

        yield write
