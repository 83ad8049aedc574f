"""Splits where nobody published one: they depend on names only."""

import hashlib
from collections.abc import Sequence

import numpy as np


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


def draw_fraction(rows: np.ndarray, labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Draw a share of each class at random, at least one of each; of several labels an image, a share of all.

    Args:
        rows: Images to draw from, int64 ``(N,)``.
        labels: Classes of all images, int64 ``(N,)`` or bool ``(N, classes)``, by row.
        fraction: Share in (0, 1].
        seed: Of the draw.

    Returns:
        Some of ``rows``, ascending.
    """
    random = np.random.default_rng(seed)
    if labels.ndim == 2:
        return np.sort(random.permutation(rows)[: max(1, round(fraction * len(rows)))])
    chosen = []
    for label in np.unique(labels[rows]):
        members = rows[labels[rows] == label]
        chosen.append(random.permutation(members)[: max(1, round(fraction * len(members)))])
    return np.sort(np.concatenate(chosen))
