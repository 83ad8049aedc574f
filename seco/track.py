"""How long work shows its progress."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")


class Track(Protocol):
    """Yields the items, and shows how much of them is done: how the commands do it, ``seco.cli.progress.track`` knows."""

    def __call__(self, items: Sequence[Item], unit: str, *, size: Callable[[Item], int] = ...) -> Iterable[Item]:
        """``unit``: what is counted, plural, such as ``patches written``; ``size``: how many of them an item is."""


def one(_: Any) -> int:  # noqa: ANN401 - of whatever
    """The size of items that are counted themselves."""
    return 1


def untracked(items: Sequence[Item], unit: str, *, size: Callable[[Item], int] = one) -> Iterable[Item]:
    """The items, and nothing shown."""
    return items
