"""The CUDA views on the CPU: the kernels' own functions, run thread by thread by ``csrc/emulation``."""

import ctypes
import functools
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
HOPPER = 113 * 1024  # bytes of shared memory for one of two blocks


class AugmentBatch(ctypes.Structure):
    """``seco::AugmentBatch`` of csrc/common/augment_batch.hpp."""

    _fields_ = (
        ("pixels", ctypes.c_void_p),
        ("pixel_type", ctypes.c_int),
        ("params", ctypes.c_void_p),
        ("locations", ctypes.c_int64),
        ("dates", ctypes.c_int64),
        ("views", ctypes.c_int64),
        ("bands", ctypes.c_int),
        ("height", ctypes.c_int),
        ("width", ctypes.c_int),
        ("size", ctypes.c_int),
        ("scale", ctypes.c_void_p),
        ("offset", ctypes.c_void_p),
        ("mean", ctypes.c_void_p),
        ("inverse_std", ctypes.c_void_p),
        ("rgb", ctypes.c_bool),
        ("out", ctypes.c_void_p),
        ("view_type", ctypes.c_int),
        ("channels_last", ctypes.c_bool),
    )


@functools.cache
def _library() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "emulation.so"
        flags = ["-std=c++17", "-O2", "-ffp-contract=off", "-shared", "-fPIC", f"-I{ROOT / 'csrc'}"]
        source = ROOT / "csrc" / "emulation" / "views.cpp"
        subprocess.run([os.environ.get("CXX", "g++"), *flags, str(source), "-o", str(built)], check=True)
        library = ctypes.CDLL(str(built))
    library.seco_batch_bytes.restype = ctypes.c_int64
    assert library.seco_batch_bytes() == ctypes.sizeof(AugmentBatch), "the structure of C++ has changed"
    library.seco_emulate_views.restype = ctypes.c_char_p
    library.seco_emulate_views.argtypes = [ctypes.POINTER(AugmentBatch), ctypes.c_float, ctypes.c_int64, ctypes.c_bool]
    return library


def emulate_views(
    pixels,
    params,
    *,
    size,
    scale,
    offset,
    mean,
    std,
    dtype="float32",
    channels_last=True,
    rgb=None,
    shared_limit=HOPPER,
    backwards=False,
):
    """As ``seco.ops.augment.augment_views`` on CUDA, as a tensor; every value that is not written is NaN."""
    locations, dates, bands, height, width = pixels.shape
    coefficients = [np.broadcast_to(np.float32(v), bands).copy() for v in (scale, offset, mean)]
    coefficients.append(np.reciprocal(np.broadcast_to(np.float32(std), bands)))
    views = params.shape[1]
    shape = (views, locations, size, size, bands) if channels_last else (views, locations, bands, size, size)
    out = torch.full(shape, torch.nan, dtype=getattr(torch, dtype))
    params = np.ascontiguousarray(params)
    batch = AugmentBatch(
        pixels=pixels.ctypes.data,
        pixel_type=0 if pixels.dtype == np.uint8 else 1,
        params=params.ctypes.data,
        locations=locations,
        dates=dates,
        views=views,
        bands=bands,
        height=height,
        width=width,
        size=size,
        **{name: c.ctypes.data for name, c in zip(("scale", "offset", "mean", "inverse_std"), coefficients, strict=True)},
        rgb=bands == 3 if rgb is None else rgb,
        out=out.data_ptr(),
        view_type=["float32", "float16", "bfloat16"].index(dtype),
        channels_last=channels_last,
    )
    max_sigma = float(params["blur_sigma"].max(initial=0))
    error = _library().seco_emulate_views(batch, max_sigma, shared_limit, backwards)
    if error is not None:
        raise RuntimeError(error.decode())
    return out.permute(0, 1, 4, 2, 3) if channels_last else out
