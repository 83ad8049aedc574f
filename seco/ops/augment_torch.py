"""Views as a torch operator, ``torch.ops.seco.augment_views``, for tensors on a CPU or on CUDA.

Importing this module registers it. It composes with ``torch.compile``, fake tensors and CUDA graphs, because everything it
takes is a tensor or a plain number; :func:`seco.ops.augment.augment_views` is the same for view parameters in NumPy.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from seco import _core
from seco.errors import ArrayError, DeviceError
from seco.ops.augment import check_numbers, check_params, check_pixels, resolve_rgb, views_on_cpu
from seco.ops.random import VIEW_DTYPE

_COEFFICIENTS = ("scale", "offset", "mean", "inverse_std")
_WIDEST_SIGMA = 3.0  # px; its blur reaches as far as any


def params_tensor(params: NDArray[np.void], device: torch.device | str = "cpu") -> torch.Tensor:
    """The records of ``sample_view_params`` ``[N, V]`` as uint8 ``[N, V, bytes of a record]``.

    On the CPU they share their memory; the copy to a GPU does not wait.
    """
    records = np.ascontiguousarray(params).view(np.uint8).reshape(*params.shape, VIEW_DTYPE.itemsize)
    return _send(torch.from_numpy(records), device)


def coefficients_tensor(per_band: Mapping[str, NDArray[np.float32]], device: torch.device | str = "cpu") -> torch.Tensor:
    """``scale``, ``offset``, ``mean`` and ``inverse_std`` of each band, float32 ``[4, C]``; copies do not wait."""
    return _send(torch.from_numpy(np.stack([per_band[name] for name in _COEFFICIENTS])), device)


def _send(tensor: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    # Pinned memory comes from torch's cache, which does not use it again before the copy is done.
    return tensor if torch.device(device).type == "cpu" else tensor.pin_memory().to(device, non_blocking=True)


@torch.library.custom_op("seco::augment_views", mutates_args=())
def augment_views_op(
    pixels: torch.Tensor,
    params: torch.Tensor,
    coefficients: torch.Tensor,
    *,
    size: int,
    dtype: torch.dtype,
    channels_last: bool = True,
    rgb: bool | None = None,
    any_contrast: bool = True,
    any_sharp: bool = True,
    max_sigma: float = _WIDEST_SIGMA,
) -> torch.Tensor:
    """Views of a batch, on the pixels' device and torch's current stream; nothing waits for a GPU.

    Args:
        pixels: Digital numbers, uint8 or uint16 ``[N, T, C, H, W]``, contiguous.
        params: From :func:`params_tensor`, on the pixels' device. On CUDA nobody waits to look at their values: a date or a
            crop outside the patch is moved inside.
        coefficients: From :func:`coefficients_tensor`, on the pixels' device.
        size: Height and width of a view, pixels.
        dtype: ``torch.float32``, ``torch.float16`` or ``torch.bfloat16``.
        channels_last: Lay bands out last in memory; the shape stays the same.
        rgb: The bands are red, green, blue. None: exactly when C is 3.
        any_contrast: False where no view changes the contrast: on CUDA a kernel less.
        any_sharp: False where every view is blurred: likewise.
        max_sigma: Greatest sigma of the blur, pixels; 0 where no view is blurred: likewise.

    Returns:
        ``[V, N, C, size, size]``.

    Raises:
        ArrayError: If a tensor has the wrong type or shape.
        DeviceError: If the tensors are not on one CPU or CUDA device, seco was built without CUDA, or a CUDA call fails.
    """
    check_pixels(pixels)
    _check_tensors(pixels, params, coefficients, dtype)
    is_rgb = resolve_rgb(rgb, pixels.shape[2])
    check_numbers(size, pixels.shape[2], is_rgb=is_rgb)
    if pixels.device.type == "cpu":
        records = params.numpy().view(VIEW_DTYPE)[..., 0]
        check_params(pixels.shape, records, is_rgb=is_rgb)
        per_band = dict(zip(_COEFFICIENTS, coefficients.numpy(), strict=True))
        name = str(dtype).removeprefix("torch.")
        views = views_on_cpu(
            pixels.numpy(), records, per_band, size=size, dtype=name, channels_last=channels_last, rgb=is_rgb, threads=None
        )
        return torch.from_numpy(views).view(dtype)
    out = _empty_views(pixels, params, size, dtype, channels_last)
    if not out.numel():
        return out
    with torch.cuda.device(pixels.device):
        grey_sums = torch.empty(params.shape[0] * params.shape[1], dtype=torch.int64, device=pixels.device)
        lend = torch.utils.dlpack.to_dlpack  # type: ignore[attr-defined]
        # 16-bit numbers travel as integers of their size: only their addresses matter to the kernels.
        _core.augment_views_cuda(
            lend(pixels if pixels.dtype == torch.uint8 else pixels.view(torch.int16)),
            lend(params),
            lend(coefficients),
            lend(grey_sums),
            lend(out if dtype == torch.float32 else out.view(torch.int16)),
            dtype=str(dtype).removeprefix("torch."),
            channels_last=channels_last,
            rgb=is_rgb,
            any_contrast=any_contrast,
            any_sharp=any_sharp,
            max_sigma=max_sigma,
            size=size,
            stream=torch.cuda.current_stream().cuda_stream,
        )
    return out


@augment_views_op.register_fake
def _fake_views(
    pixels: torch.Tensor,
    params: torch.Tensor,
    coefficients: torch.Tensor,
    *,
    size: int,
    dtype: torch.dtype,
    channels_last: bool = True,
    **_: object,
) -> torch.Tensor:
    return _empty_views(pixels, params, size, dtype, channels_last)


def augment_on_cuda(
    pixels: torch.Tensor,
    params: NDArray[np.void],
    per_band: Mapping[str, NDArray[np.float32]],
    *,
    size: int,
    dtype: str,
    channels_last: bool,
    rgb: bool,
) -> torch.Tensor:
    """Views of arguments that ``augment_views`` has checked.

    Raises:
        DeviceError: If the device is not CUDA, seco was built without it, or a CUDA call fails.
    """
    if pixels.device.type != "cuda":
        raise DeviceError(f"pixels: expected a tensor on CPU or CUDA, got one on {pixels.device}; move it")
    return augment_views_op(
        pixels,
        params_tensor(params, pixels.device),
        coefficients_tensor(per_band, pixels.device),
        size=size,
        dtype=getattr(torch, dtype),
        channels_last=channels_last,
        rgb=rgb,
        **view_extremes(params),
    )


def view_extremes(params: NDArray[np.void]) -> dict[str, Any]:
    """What :func:`augment_views_op` may be told of parameters ``[N, V]`` on a GPU: which kernels need not run."""
    return {
        "any_contrast": bool((params["contrast"] != 1).any()),
        "any_sharp": bool((params["blur_sigma"] == 0).any()),
        "max_sigma": float(params["blur_sigma"].max(initial=0)),
    }


def _empty_views(
    pixels: torch.Tensor, params: torch.Tensor, size: int, dtype: torch.dtype, channels_last: bool
) -> torch.Tensor:
    lead = (params.shape[1], pixels.shape[0])
    if channels_last:
        return pixels.new_empty((*lead, size, size, pixels.shape[2]), dtype=dtype).permute(0, 1, 4, 2, 3)
    return pixels.new_empty((*lead, pixels.shape[2], size, size), dtype=dtype)


def _check_tensors(pixels: torch.Tensor, params: torch.Tensor, coefficients: torch.Tensor, dtype: torch.dtype) -> None:
    if pixels.device.type not in {"cpu", "cuda"}:
        raise DeviceError(f"pixels: expected a tensor on CPU or CUDA, got one on {pixels.device}; move it")
    if dtype not in {torch.float32, torch.float16, torch.bfloat16}:
        raise ArrayError(f"dtype: expected torch.float32, torch.float16 or torch.bfloat16, got {dtype}")
    bands = pixels.shape[2]
    expected = {
        "params": (params, torch.uint8, (len(pixels), -1, VIEW_DTYPE.itemsize)),
        "coefficients": (coefficients, torch.float32, (len(_COEFFICIENTS), bands)),
    }
    for name, (tensor, kind, shape) in expected.items():
        if tensor.device != pixels.device:
            raise DeviceError(
                f"{name}: expected a tensor on {pixels.device} like pixels, got one on {tensor.device}; move it"
            )
        fits = tensor.ndim == len(shape) and all(s in {-1, t} for s, t in zip(shape, tensor.shape, strict=True))
        if tensor.dtype != kind or not fits or not tensor.is_contiguous():
            got = f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
            raise ArrayError(
                f"{name}: expected a tensor of {name}_tensor for these pixels, got {got}; make it for this batch"
            )
        if tensor.data_ptr() % 4:  # records and coefficients are read in words of four bytes
            raise ArrayError(f"{name}: expected memory that begins at a multiple of 4 bytes, got a slice of other memory")
