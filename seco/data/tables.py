"""The tables of a store: Parquet files, of which one that is damaged is said in one line, written whole or not at all."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seco.data.atomic import write_atomic
from seco.data.description import LABEL_COLUMNS, LABELS_FILE, REJECTED_COLUMNS, REJECTED_FILE
from seco.errors import StoreError, reason_of


def read_parquet(file: Path, columns: Sequence[str], *, advice: str = "write the store again") -> Any:  # noqa: ANN401 - pyarrow publishes no types
    """Some columns as a pyarrow Table; ``advice``: what to do where that cannot be.

    Raises:
        StoreError: If the file is not there, damaged, or lacks a column.
    """
    import pyarrow.parquet

    try:
        # One thread: several take more memory, and no less time for so few columns.
        return pyarrow.parquet.ParquetFile(file).read(columns=columns, use_threads=False).select(columns)
    except (pyarrow.ArrowException, KeyError, OSError) as error:
        raise StoreError(
            f"{file}: expected a readable Parquet file with {', '.join(columns)}, got {reason_of(error)}; {advice}"
        ) from error


def read_labels(store: Path) -> dict[str, str]:
    """The classes of locations, by name; empty where there are none.

    Raises:
        StoreError: If the file is damaged, or a location has several.
    """
    file = store / LABELS_FILE
    table = read_parquet(file, LABEL_COLUMNS).to_pydict() if file.is_file() else {}
    found: dict[str, str] = {}
    for name, label in zip(*table.values(), strict=True):
        if label is not None and found.setdefault(name, label) != label:
            raise StoreError(f"{file}: expected one label a location, got {found[name]} and {label} of {name}; keep one")
    return found


def read_rejected(store: Path) -> Any:  # noqa: ANN401 - a pyarrow Table or None
    """What was rejected when the store was collected, or None if it says nothing of that.

    Raises:
        StoreError: If the file is damaged.
    """
    file = store / REJECTED_FILE
    return read_parquet(file, REJECTED_COLUMNS, advice="delete it, for no patch needs it") if file.is_file() else None


def write_parquet(path: Path, table: Any) -> None:  # noqa: ANN401 - a pyarrow Table
    """Write a table as :func:`seco.data.atomic.atomic_path` says."""
    import pyarrow.parquet

    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, compression="zstd")
    write_atomic(path, buffer.getvalue())
