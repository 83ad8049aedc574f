"""How long work on stores shows its progress."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

# Called with a sequence and a caption, yields its items: a progress bar.
Track = Callable[[Sequence[Any], str], Iterable[Any]]


def untracked(items: Sequence[Any], caption: str) -> Iterable[Any]:
    """The items, and nothing shown."""
    return items
