"""Moments of work that a CPU does itself or hands to a GPU."""

import time

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
