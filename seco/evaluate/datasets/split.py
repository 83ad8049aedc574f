"""How images are divided into those to learn from and those to be judged by."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seco.evaluate.datasets.spatial import CELL_KM, GAP_KM, split_by_cells
from seco.evaluate.datasets.split_lists import find_lists


@dataclass(frozen=True)
class Split:
    """Rows, int64 ascending, of ``train``, ``test`` and perhaps ``validation``, and in words where they come from."""

    rows: Mapping[str, np.ndarray]
    source: str


@dataclass(frozen=True, kw_only=True)
class SplitChoice:
    """What a user asks for.

    Attributes:
        how: ``auto``: what is published with the data, else ``hash``; ``hash``: halves by the names; ``spatial``: halves by
            place; else the name, path or folder of lists.
        skip_missing: Leave out listed images that are not there; else they are an error.
    """

    how: str = "auto"
    skip_missing: bool = False


AUTO = SplitChoice()


def make_split(
    choice: SplitChoice,
    *,
    names: Sequence[str],
    labels: np.ndarray,
    folders: Sequence[Path],
    positions: Callable[[], np.ndarray],
    halves: str,
    parts: Mapping[str, np.ndarray] | None = None,
    left_out: Sequence[str] = (),
) -> Split:
    """Split images, or places, as asked for.

    Args:
        choice: What is asked for.
        names: A name for each of N things, the same on every machine.
        labels: Classes of which each is halved by ``hash``, int64 ``(N,)``.
        folders: Where lists may lie.
        positions: Longitude and latitude of each, degrees, ``(N, 2)``.
        halves: What ``hash`` does, in words.
        parts: Rows of the folders that the data are published in, if these are a split; the first choice of ``auto``.
        left_out: Names that lists may have, of things that are there and not asked for.

    Raises:
        ConfigError: If there are no such lists.
        DataError: If lists are not of these names, or things have no position.
    """
    if choice.how == "spatial":
        train, test = split_by_cells(positions())
        near = len(names) - int(train.sum() + test.sum())
        return Split(
            {"train": np.flatnonzero(train), "test": np.flatnonzero(test)},
            f"cells of {CELL_KM:g} km with half of the images for training, by SHA-256 of the cells; "
            f"{near} training images less than {GAP_KM:g} km from a cell of the test split left out",
        )
    if parts and choice.how == "auto":
        return Split(parts, f"folders {', '.join(parts)}")
    lists = None if choice.how == "hash" else find_lists(folders, None if choice.how == "auto" else choice.how)
    if lists is not None:
        rows, missing = lists.rows(names, left_out=left_out, skip_missing=choice.skip_missing)
        unlisted = len(names) - len(np.unique(np.concatenate(list(rows.values()))))
        return Split(rows, f"{lists.source}; {missing} listed images are not there, {unlisted} are not listed")
    train = half_of_each_class(names, labels)
    return Split({"train": np.flatnonzero(train), "test": np.flatnonzero(~train)}, halves)


def half_of_each_class(names: Sequence[str], labels: np.ndarray) -> np.ndarray:
    """Mark half of each class, rounded up: the first in the order of the SHA-256 of their names.

    Args:
        names: A name for each of N things, the same on every machine.
        labels: Their classes, int64 ``(N,)``.

    Returns:
        bool ``(N,)``.
    """
    keys = [hashlib.sha256(name.encode()).hexdigest() for name in names]
    chosen = np.zeros(len(keys), dtype=bool)
    for label in np.unique(labels):
        members = sorted(np.flatnonzero(labels == label), key=keys.__getitem__)
        chosen[members[: (len(members) + 1) // 2]] = True
    return chosen
