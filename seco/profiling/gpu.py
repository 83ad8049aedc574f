"""Time of a GPU's stages, as torch's profiler sees the kernels of all libraries: seco's, nvCOMP's and DALI's."""

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

import torch

GPU_STAGES = ("copy", "decompress", "unpredict", "views", "rest")
# Parts of the names of kernels and copies, in lower case.
_SIGNS = (
    ("copy", ("memcpy htod",)),
    ("unpredict", ("unpack_kernel", "check_kernel")),
    ("views", ("views_kernel", "grey_sum_kernel")),
    ("decompress", ("nvcomp", "deflate", "inflate", "zstd", "huffman")),
)


def stage_of(name: str) -> str:
    """The stage that a kernel or copy belongs to, by its name."""
    lower = name.lower()
    return next((stage for stage, signs in _SIGNS if any(sign in lower for sign in signs)), "rest")


def sum_stages(events: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Seconds of each stage, of events' names and microseconds."""
    seconds = dict.fromkeys(GPU_STAGES, 0.0)
    for name, microseconds in events:
        seconds[stage_of(name)] += microseconds / 1e6
    return seconds


class GpuWatch:
    """Within its with-block, what runs on the GPU is recorded; nothing where ``device`` is no GPU.

    Attributes:
        stages_s: Seconds of the GPU by stage, after the block; empty without a GPU. Stages may run side by side.
    """

    def __init__(self, device: str) -> None:
        self.stages_s: dict[str, float] = {}
        self._profiler: Any = None
        if device == "cuda":
            self._profiler = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA], acc_events=True)

    def __enter__(self) -> Self:
        if self._profiler is not None:
            self._profiler.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._profiler is None:
            return
        if kind is not None:
            self._profiler.__exit__(kind, error, trace)
            return
        torch.cuda.synchronize()
        self._profiler.__exit__(None, None, None)
        averages = self._profiler.key_averages()
        self.stages_s = sum_stages((event.key, event.self_device_time_total) for event in averages)
