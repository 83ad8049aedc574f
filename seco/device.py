"""Which device does the work."""

from seco.errors import DeviceError


def resolve_device(name: str) -> str:
    """``cpu`` or ``cuda``; ``auto`` takes a GPU where torch can use one.

    Raises:
        DeviceError: If there is no GPU where one is asked for.
    """
    import torch

    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise DeviceError("device: expected an NVIDIA GPU, got none that torch can use; `seco doctor` says why")
    return ("cuda" if there else "cpu") if name == "auto" else name
