"""Views of tensors on a GPU: crop-only ones so far; the checks of ``seco.ops.augment`` come first."""

import numpy as np
import torch
from numpy.typing import NDArray

from seco import _core
from seco.errors import DeviceError

_NEUTRAL = {
    "brightness": 1,
    "contrast": 1,
    "saturation": 1,
    "hue": 0,
    "grey": False,
    "blur_sigma": 0,
    "band_gain": 0,
    "band_offset": 0,
}


def augment_views_cuda(
    pixels: torch.Tensor,
    params: NDArray[np.void],
    per_band: dict[str, NDArray[np.float32]],
    *,
    size: int,
    dtype: str,
    channels_last: bool,
) -> torch.Tensor:
    """Views of checked arguments, on the pixels' device and torch's current stream; nothing waits.

    Args:
        pixels: uint8 or uint16 ``[N, T, C, H, W]`` on CUDA.
        params: ``[N, V]`` records on the CPU.
        per_band: ``scale``, ``offset``, ``mean``, ``inverse_std``, each ``[C]``.
        size: Height and width of a view, pixels.
        dtype: Of the result.
        channels_last: Lay bands out last in memory.

    Returns:
        ``[V, N, C, size, size]`` on the pixels' device.

    Raises:
        DeviceError: If a view is not crop-only, the device is not CUDA, or a CUDA call fails.
    """
    if pixels.device.type != "cuda":
        raise DeviceError(f"pixels: expected a tensor on CPU or CUDA, got one on {pixels.device}; move it")
    if any((params[name] != neutral).any() for name, neutral in _NEUTRAL.items()):
        raise DeviceError("params: expected crop-only views on CUDA, got colour or blur; make these views on the CPU so far")
    shape = (params.shape[1], len(pixels), pixels.shape[2], size, size)
    order = ["scale", "offset", "mean", "inverse_std"]
    with torch.cuda.device(pixels.device):
        records = np.ascontiguousarray(params).view(np.uint8).reshape(len(pixels), -1)
        records_there, coefficients = (
            torch.from_numpy(array).pin_memory().to(pixels.device, non_blocking=True)
            for array in (records, np.stack([per_band[name] for name in order]))
        )
        memory = (*shape[:2], size, size, shape[2]) if channels_last else shape
        out = torch.empty(memory, dtype=getattr(torch, dtype), device=pixels.device)
        if not out.numel():
            return out.permute(0, 1, 4, 2, 3) if channels_last else out
        stream = torch.cuda.current_stream()
        # 16-bit floats travel as integers: only their addresses matter to the kernel.
        carrier = out if dtype == "float32" else out.view(torch.int16)
        source = pixels if pixels.dtype == torch.uint8 else pixels.view(torch.int16)
        lend = torch.utils.dlpack.to_dlpack  # type: ignore[attr-defined]
        _core.normalize_crop_cuda(
            lend(source.detach()),
            lend(records_there),
            lend(coefficients),
            lend(carrier),
            dtype=dtype,
            channels_last=channels_last,
            size=size,
            stream=stream.cuda_stream,
        )
    return out.permute(0, 1, 4, 2, 3) if channels_last else out
