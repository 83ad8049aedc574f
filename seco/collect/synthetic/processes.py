"""Draws synthetic locations in several processes."""

import os
import signal
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context, parent_process

from seco.collect.synthetic.series import Request, Series, draw_series
from seco.errors import RunError


def draw_all(request: Request, numbers: Sequence[int], workers: int) -> Generator[Series, None, None]:
    """Locations of these numbers in order, a few ahead of the writer when there are several workers."""
    if workers == 1:
        yield from (draw_series(request, index) for index in numbers)
        return
    # Spawned, not forked: the caller may run threads (torch, progress bars), which a fork would freeze.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin_worker)
    try:
        indices = iter(numbers)
        ahead = [pool.submit(draw_series, request, index) for index in islice(indices, 4 * workers)]
        while ahead:
            series = ahead.pop(0).result()
            ahead.extend(pool.submit(draw_series, request, index) for index in islice(indices, 1))
            yield series
    except BrokenProcessPool as error:
        raise RunError(
            "workers: expected all to finish, got one that died; use fewer for want of memory, "
            "or start them under `if __name__ == '__main__'`"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    # Ctrl-C is the parent's to handle: it reaches every process of the terminal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed tells nobody."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
