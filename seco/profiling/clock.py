"""Moments of work that a CPU does itself or hands to a GPU."""

import itertools
import time
from collections.abc import Sequence

import torch


class Mark:
    """A moment on the clock of the CPU, or in the work of the GPU."""

    def __init__(self, on_gpu: bool) -> None:
        self.event = torch.cuda.Event(enable_timing=True) if on_gpu else None  # type: ignore[no-untyped-call]
        self.time = time.perf_counter()
        if self.event is not None:
            self.event.record()

    def seconds_to(self, later: "Mark") -> float:
        """Seconds from this moment to a later one; on a GPU, once it has done both."""
        if self.event is not None and later.event is not None:
            return float(self.event.elapsed_time(later.event)) / 1e3
        return later.time - self.time


def seconds_of_parts(marks: Sequence[tuple[str, Mark]]) -> dict[str, float]:
    """Seconds of each part: from the mark before it to its own, added up where it has several; the first begins."""
    seconds: dict[str, float] = {}
    for (_, begin), (part, end) in itertools.pairwise(marks):
        seconds[part] = seconds.get(part, 0.0) + begin.seconds_to(end)
    return seconds
