"""Numbers of a page: those of files that may hold anything, and not more of them than a screen can show."""

import itertools
from collections.abc import Sequence
from typing import Any

_DIGITS = 5  # significant: more than a screen shows
_MOST = 1e300


def number(value: object) -> float | None:
    """A number that a chart can show, in few digits; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _MOST:
        return None
    return float(f"{value:.{_DIGITS}g}")


def thin(lines: Sequence[dict[str, Any]], most: int) -> list[list[dict[str, Any]]]:
    """Runs of neighbouring lines, ``most`` at most, about equally long: what a screen can show apart."""
    count = min(most, len(lines))
    edges = [len(lines) * i // count for i in range(count + 1)] if count else [0]
    return [list(lines[start:end]) for start, end in itertools.pairwise(edges)]
