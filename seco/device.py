"""Which device does the work, and with how many cores."""

import os

from seco.errors import DeviceError


def resolve_device(name: str) -> str:
    """``cpu`` or ``cuda``; ``auto`` takes a GPU where torch can use one.

    Raises:
        DeviceError: If there is no GPU where one is asked for.
    """
    if name == "cpu":  # a question to CUDA would start it
        return name
    import torch

    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise DeviceError("device: expected an NVIDIA GPU, got none that torch can use; `seco doctor` says why")
    return ("cuda" if there else "cpu") if name == "auto" else name


def cores() -> int:
    """Cores that this process may use: a scheduler, or a container, may leave it few of the machine's."""
    affinity = getattr(os, "sched_getaffinity", None)  # of Linux only
    return len(affinity(0)) if affinity else os.cpu_count() or 1
