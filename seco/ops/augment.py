"""All views of a batch in one native call."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seco import _core
from seco.device import cores
from seco.errors import ArrayError
from seco.ops import recycled
from seco.ops.random import MAX_BANDS, VIEW_DTYPE
from seco.ops.whole_numbers import whole_number

if TYPE_CHECKING:
    import torch

_DTYPES = ("float32", "float16", "bfloat16")


def augment_views(
    pixels: "NDArray[Any] | torch.Tensor",
    params: NDArray[np.void],
    *,
    size: int,
    scale: float | Sequence[float],
    offset: float | Sequence[float],
    mean: float | Sequence[float],
    std: float | Sequence[float],
    dtype: str = "float32",
    channels_last: bool = True,
    threads: int | None = None,
    rgb: bool | None = None,
) -> "NDArray[Any] | torch.Tensor":
    """Make views: a pure function of pixels and parameters.

    ``x = clamp(pixels * scale + offset, 0, 1)`` per band; then gain and offset jitter of
    each band, ``clamp(x * (1 + gain) + offset, 0, 1)``, colour jitter in the drawn order, grey, Gaussian blur (23
    taps, reflected), horizontal flip, crop, antialiased bilinear resize, ``(x - mean) / std``. Semantics of each step are
    torchvision v2's on float32.

    Args:
        pixels: Digital numbers, uint8 or uint16, ``[N, T, C, H, W]``, contiguous, C at most 16; numpy or torch.
        params: ``[N, V]`` of :data:`seco.ops.random.VIEW_DTYPE`, from ``sample_view_params``.
        size: Height and width of a view, pixels.
        scale: Per digital number, one or ``[C]``.
        offset: After scaling, one or ``[C]``.
        mean: Subtracted at the end, one or ``[C]``.
        std: Divides at the end, one or ``[C]``.
        dtype: ``"float32"``, ``"float16"`` or (torch only) ``"bfloat16"``.
        channels_last: Lay bands out last in memory; the shape stays the same.
        threads: CPU threads; None takes one a core.
        rgb: The bands are red, green, blue: grey is Rec. 601 luma and hue may turn. None: exactly when C is 3.

    Returns:
        ``[V, N, C, size, size]``, torch if torch came in, on the pixels' device; the same bits for any number of threads and
        on every device. On CUDA, on torch's current stream; nothing waits.

    Raises:
        ArrayError: If an argument has the wrong type, shape or range.
        DeviceError: If the pixels are on a GPU and seco was built without CUDA, or a CUDA call fails.

    Source:
        Mañas et al., ICCV 2021. Maths: ``csrc/math``. Reference: ``tests/reference/augment.py``.
    """
    from_torch = any(kind.__module__.split(".")[0] == "torch" for kind in type(pixels).__mro__)
    check_pixels(pixels)
    bands = pixels.shape[2]
    is_rgb = resolve_rgb(rgb, bands)
    check_numbers(size, bands, is_rgb=is_rgb)
    _check_output(dtype, threads, from_torch=from_torch)
    check_params(pixels.shape, params, is_rgb=is_rgb)
    coefficients = {"scale": scale, "offset": offset, "mean": mean, "std": std}
    per_band = {name: _per_band(name, value, bands) for name, value in coefficients.items()}
    smallest = per_band["std"].min()
    if not smallest >= np.finfo(np.float32).tiny:
        raise ArrayError(f"std: expected positive numbers, got {smallest}; leave constant bands out")
    per_band["inverse_std"] = np.reciprocal(per_band.pop("std"))
    if from_torch and pixels.device.type != "cpu":  # type: ignore[union-attr]
        from seco.ops.augment_torch import augment_on_cuda

        return augment_on_cuda(
            pixels,  # type: ignore[arg-type]
            params,
            per_band,
            size=size,
            dtype=dtype,
            channels_last=channels_last,
            rgb=is_rgb,
        )
    source: NDArray[Any] = pixels.numpy() if from_torch else pixels  # type: ignore[assignment,union-attr]
    out = views_on_cpu(
        source, params, per_band, size=size, dtype=dtype, channels_last=channels_last, rgb=is_rgb, threads=threads
    )
    if not from_torch:
        return out if dtype == "float32" else out.view(np.float16)
    import torch

    views = torch.from_numpy(out)
    return views if dtype == "float32" else views.view(getattr(torch, dtype))


def views_on_cpu(
    pixels: NDArray[Any],
    params: NDArray[np.void],
    per_band: Mapping[str, NDArray[np.float32]],
    *,
    size: int,
    dtype: str,
    channels_last: bool,
    rgb: bool,
    threads: int | None,
) -> NDArray[Any]:
    """Views of checked arguments, float32 or the bits of 16-bit floats as uint16; ``[V, N, C, size, size]``."""
    shape = (params.shape[1], len(pixels), pixels.shape[2], size, size)
    memory = (*shape[:2], size, size, shape[2]) if channels_last else shape
    out = recycled.empty(memory, np.float32 if dtype == "float32" else np.uint16)
    _core.augment_views(
        pixels,
        np.ascontiguousarray(params),
        per_band["scale"],
        per_band["offset"],
        per_band["mean"],
        per_band["inverse_std"],
        rgb,
        out,
        dtype,
        channels_last,
        size,
        cores() if threads is None else threads,
    )
    return out.transpose(0, 1, 4, 2, 3) if channels_last else out


def check_pixels(pixels: Any) -> None:  # noqa: ANN401 - numpy or torch, or what a user mistook for them
    """Raise ArrayError unless these are digital numbers ``[N, T, C, H, W]``."""
    dtype = str(getattr(pixels, "dtype", type(pixels).__name__)).removeprefix("torch.")
    if dtype not in {"uint8", "uint16"}:
        raise ArrayError(f"pixels: expected uint8 or uint16 digital numbers, got {dtype}; convert them")
    if pixels.ndim != 5 or 0 in pixels.shape[1:]:
        raise ArrayError(f"pixels: expected [N, T, C, H, W], got {list(pixels.shape)}; add the missing axes")
    if pixels.shape[2] > MAX_BANDS:
        raise ArrayError(f"pixels: expected at most {MAX_BANDS} bands, got {pixels.shape[2]}; select some")
    if not (pixels.flags.c_contiguous if isinstance(pixels, np.ndarray) else pixels.is_contiguous()):
        raise ArrayError("pixels: expected a contiguous array, got strides; make it so first")


def resolve_rgb(rgb: bool | None, bands: int) -> bool:
    """Whether so many bands are taken for red, green, blue, if a caller says so, says not, or does not say."""
    return bands == 3 if rgb is None else rgb


def check_numbers(size: int, bands: int, *, is_rgb: bool) -> None:
    """Raise ArrayError unless there can be such views of so many bands."""
    whole_number("size", size, low=1, bits=31, remedy="give the height and width of a view, pixels")
    if is_rgb and bands != 3:
        raise ArrayError(f"rgb: expected 3 bands, got {bands}; set rgb=False")


def _check_output(dtype: str, threads: int | None, *, from_torch: bool) -> None:
    if dtype not in _DTYPES:
        raise ArrayError(f"dtype: expected a name, one of {', '.join(_DTYPES)}, got {dtype!r}; choose one")
    if dtype == "bfloat16" and not from_torch:
        raise ArrayError("dtype: expected float32 or float16 for numpy, got 'bfloat16'; pass a torch tensor for bfloat16")
    if threads is not None:
        whole_number("threads", threads, low=1, bits=31, remedy="leave it out for one a core")


def check_params(shape: Sequence[int], params: NDArray[np.void], *, is_rgb: bool) -> None:
    """Raise ArrayError unless these are parameters of views of pixels of that shape."""
    locations, dates, bands, height, width = shape
    if not isinstance(params, np.ndarray) or params.dtype != VIEW_DTYPE:
        raise ArrayError("params: expected the structured array of sample_view_params, got another type")
    if params.ndim != 2 or len(params) != locations:
        raise ArrayError(
            f"params: expected [{locations}, V] like pixels, got {list(params.shape)}; draw them for this batch"
        )
    _core.check_view_params(np.ascontiguousarray(params), dates, bands, height, width, is_rgb)


def _per_band(name: str, value: float | Sequence[float], bands: int) -> NDArray[np.float32]:
    given = np.asarray(value, dtype=np.float32)
    if given.ndim > 1 or (given.ndim == 1 and len(given) != bands):
        raise ArrayError(f"{name}: expected one number or {bands}, got shape {list(given.shape)}; one for each band")
    if not np.isfinite(given).all():
        raise ArrayError(f"{name}: expected finite numbers, got {value}; see the statistics of the bands")
    return np.ascontiguousarray(np.broadcast_to(given, bands))
