"""Progress of commands, on stderr."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from math import inf
from types import TracebackType
from typing import Self, TypeVar

from rich import progress
from rich.console import Console

from seco.track import one

LINE_INTERVAL_S = 5.0
BAR_INTERVAL_S = 0.1

Item = TypeVar("Item")


def track(items: Sequence[Item], unit: str, *, size: Callable[[Item], int] = one) -> Iterator[Item]:
    """The items, with their progress: a :class:`seco.track.Track`."""
    total, done = sum(map(size, items)), 0
    with Counted(unit) as counted:
        for item in items:
            counted(done, total, "")
            yield item
            done += size(item)
        if done:
            counted(done, total, "")


class Counted:
    """How much of a total is done: a bar on a terminal, elsewhere a line now and then.

    Lines such as ``120/1000 locations, 24.1 locations/s, 0:00:37 left``. The time left is that of what was done since
    the first call, so that it is right for work that goes on where it stopped, and pauses of the machine even out.
    """

    def __init__(self, unit: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``unit``: what is counted, plural; ``clock``: seconds."""
        self.console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._unit, self._clock = unit, clock
        self._first: tuple[float, int] | None = None
        # A bar shows the total at once; a line comes when there is something to tell.
        self._interval, self._shown = (BAR_INTERVAL_S, -inf) if self.console.is_terminal else (LINE_INTERVAL_S, clock())
        self._bar = progress.Progress(
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TextColumn("{task.description}", markup=False),
            progress.TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task(unit, total=None)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int, figures: str | None = None) -> None:
        """Show that ``done`` of ``total`` are done; ``figures`` beside it instead of how many a second."""
        now = self._clock()
        self._first = self._first or (now, done)
        if now - self._shown < self._interval and done < total:
            return
        self._shown = now
        seconds, since = now - self._first[0], done - self._first[1]
        if figures is None:
            figures = f"{since / max(seconds, 1e-9):.1f} {self._unit}/s"
        description = f"{self._unit}, {figures}" if figures else self._unit
        self._bar.update(self._task, completed=done, total=total, description=description)
        if self.console.is_terminal:
            return
        left = f", {timedelta(seconds=round((total - done) * seconds / since))} left" if since else ", time left not known"
        self.console.print(f"{done}/{total} {description}{left if done < total else ''}", markup=False)
