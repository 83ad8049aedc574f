"""Time of a GPU's stages, as torch's profiler sees the kernels of all libraries: seco's, nvCOMP's and DALI's."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

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


@contextmanager
def gpu_stages(device: str) -> Iterator[dict[str, float]]:
    """Seconds of the GPU by stage of what runs in the with-block, filled in at its end; empty where ``device`` is no GPU.

    Stages may run side by side.
    """
    stages: dict[str, float] = {}
    if device != "cuda":
        yield stages
        return
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA], acc_events=True) as profiler:
        yield stages
        torch.cuda.synchronize()
    stages |= sum_stages((event.key, event.self_device_time_total) for event in profiler.key_averages())
