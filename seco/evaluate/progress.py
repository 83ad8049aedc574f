"""Progress of evaluations."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def shown(
    items: Iterable[Item], total: int, caption: str, *, progress: bool, size: Callable[[Item], int] = lambda _: 1
) -> Iterator[Item]:
    """The items, with a bar on stderr if ``progress`` that counts the ``size`` of each towards ``total``."""
    if not progress:
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(caption), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(caption, total=total)
        for item in items:
            yield item
            bar.advance(task, size(item))
