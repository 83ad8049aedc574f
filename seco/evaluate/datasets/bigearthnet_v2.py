"""BigEarthNet v2 (reBEN, Clasen et al., 2024): one table of labels and splits, folders by Sentinel-2 tile."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
import pyarrow.parquet

from seco.errors import DataError
from seco.evaluate.datasets.bigearthnet import BigEarthNet, encode_labels, split_patches
from seco.evaluate.datasets.split import AUTO, Split, SplitChoice

METADATA = "metadata.parquet"
IMAGES = "BigEarthNet-S2"
_FLAGS = ("contains_seasonal_snow", "contains_cloud_or_shadow")
_COLUMNS = ("patch_id", "labels", "split")


def find_bigearthnet_v2(path: Path, choice: SplitChoice = AUTO) -> BigEarthNet | None:
    """Open ``BigEarthNet-S2`` with ``metadata.parquet`` beside it, or None if there is none.

    Patches with snow or clouds are left out.

    Raises:
        DataError: If the table cannot be read or lacks a column.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - "." has to have a folder beside it, and a link stays one
    root = path if (path / METADATA).is_file() else path.parent
    images = root / IMAGES
    if not (root / METADATA).is_file() or not images.is_dir() or path not in {root, images}:
        return None
    try:
        table = pyarrow.parquet.read_table(root / METADATA)
        lacking = [name for name in _COLUMNS if name not in table.column_names]
        if lacking:
            raise DataError(
                f"{root / METADATA}: expected columns {', '.join(_COLUMNS)}, got none named {lacking[0]}; fetch it again"
            )
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise DataError(f"{root / METADATA}: expected the table of patches, got: {error}; fetch it again") from error
    _check(table, root / METADATA)
    removed, everything = {}, table["patch_id"].to_pylist()
    for flag in _FLAGS:
        if flag in table.column_names:
            bad = pyarrow.compute.fill_null(table[flag], False)
            removed[flag] = int(pyarrow.compute.sum(bad).as_py() or 0)
            table = table.filter(pyarrow.compute.invert(bad))
    table = table.sort_by("patch_id")
    labels = np.array([encode_labels(of_patch, root / METADATA) for of_patch in table["labels"].to_pylist()])
    labelled = labels.any(axis=1)
    removed["without any of the 19 labels"] = int((~labelled).sum())
    table, labels = table.filter(labelled), labels[labelled]
    names = table["patch_id"].to_pylist()
    folders = [images / name.rsplit("_", 2)[0] / name for name in names]
    if choice.how == "auto":
        of_patch = table["split"].to_numpy(zero_copy_only=False)
        rows = {part: np.flatnonzero(of_patch == part) for part in ("train", "validation", "test")}
        if not len(rows["validation"]):  # of a subset
            del rows["validation"]
        split = Split(rows, f"column split of {METADATA}")
    else:
        split = split_patches(choice, folders, (root, root.parent), sorted({*everything} - {*names}))
    return BigEarthNet(root, folders, labels, split=split, removed=removed)


def _check(table: pyarrow.Table, file: Path) -> None:
    """Check types, and that each patch is there once.

    Raises:
        DataError: If they are others, or one is there twice.
    """
    types = pyarrow.types
    is_text: Callable[[Any], bool] = lambda kind: any(  # noqa: E731
        of_kind(kind) for of_kind in (types.is_string, types.is_large_string, types.is_dictionary)
    )
    kinds = {name: table[name].type for name in (*_COLUMNS, *_FLAGS) if name in table.column_names}
    lists = types.is_list(kinds["labels"]) or types.is_large_list(kinds["labels"])
    fits = {name: types.is_boolean(kind) if name in _FLAGS else is_text(kind) for name, kind in kinds.items()}
    fits["labels"] = lists and is_text(kinds["labels"].value_type) and not table["labels"].null_count
    fits["patch_id"] &= not table["patch_id"].null_count
    wrong = next((name for name, fit in fits.items() if not fit), None)
    if wrong:
        raise DataError(
            f"{file}: expected names, lists of labels and flags, got {kinds[wrong]} in {wrong} "
            f"({table[wrong].null_count} empty); fetch it again"
        )
    counts = pyarrow.compute.value_counts(table["patch_id"])
    twice = counts.filter(pyarrow.compute.greater(counts.field("counts"), 1))
    if len(twice):
        raise DataError(f"{file}: expected each patch once, got {twice[0]['values']} several times; fetch it again")
