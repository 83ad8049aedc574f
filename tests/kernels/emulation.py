"""The CUDA half on the CPU: the kernels' own functions, run thread by thread by ``csrc/emulation``."""

import ctypes
import functools
import os
import subprocess
import tempfile
import zlib
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
        ("locations_first", ctypes.c_bool),
    )


@functools.cache
def _library() -> ctypes.CDLL:
    csrc = ROOT / "csrc"
    sources = [*(csrc / "emulation").glob("*.cpp"), *(csrc / "geotiff").glob("*.cpp")]
    sources += [csrc / "cuda" / "staging.cpp", csrc / "cpu" / "decompress.cpp"]
    with tempfile.TemporaryDirectory() as folder:
        built, parser = Path(folder) / "emulation.so", Path(folder) / "parse.o"
        compiler = [os.environ.get("CXX", "g++"), "-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", f"-I{csrc}"]
        # A GPU stops where it is told to read 16 bytes from between two such places; so does this.
        compiler += ["-fsanitize=alignment", "-fsanitize-undefined-trap-on-error"]
        # The parser lets files of these codecs pass; Python decompresses them.
        codecs = ["-DSECO_WITH_DEFLATE", "-DSECO_WITH_ZSTD"]
        sources.remove(csrc / "geotiff" / "parse.cpp")
        subprocess.run([*compiler, *codecs, "-c", csrc / "geotiff" / "parse.cpp", "-o", parser], check=True)
        subprocess.run([*compiler, "-shared", *sources, parser, "-o", built], check=True)
        library = ctypes.CDLL(str(built))
    library.seco_batch_bytes.restype = ctypes.c_int64
    assert library.seco_batch_bytes() == ctypes.sizeof(AugmentBatch), "the structure of C++ has changed"
    library.seco_emulate_views.restype = ctypes.c_char_p
    library.seco_emulate_views.argtypes = [
        ctypes.POINTER(AugmentBatch),
        ctypes.c_float,
        ctypes.c_int64,
        ctypes.c_int64,
        ctypes.c_bool,
    ]
    library.seco_emulate_decode.restype = ctypes.c_char_p
    library.seco_zstd_blocks.restype = ctypes.c_uint64
    library.seco_zstd_bytes_told.restype = ctypes.c_uint64
    library.seco_zstd_bytes_told.argtypes = [ctypes.c_uint64] * 3
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
    shared_most=0,
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
    error = _library().seco_emulate_views(batch, max_sigma, shared_limit, max(shared_limit, shared_most), backwards)
    if error is not None:
        raise RuntimeError(error.decode())
    return out.permute(0, 1, 4, 2, 3) if channels_last else out


_DECOMPRESS = ctypes.CFUNCTYPE(
    ctypes.c_int64, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64
)


@_DECOMPRESS
def _decompress(group, data, size, out, room):
    """One block as nvCOMP takes it: raw DEFLATE or a frame of ZSTD. The bytes written, or -1."""
    import imagecodecs

    block = ctypes.string_at(data, size)
    try:
        decoded = zlib.decompressobj(-15).decompress(block) if group == 0 else imagecodecs.zstd_decode(block)
    except (zlib.error, imagecodecs.ZstdError):
        return -1
    if len(decoded) > room:
        return -1
    ctypes.memmove(out, decoded, len(decoded))
    return len(decoded)


def zstd_blocks(data):
    """Blocks of the ZSTD frame that ``data`` is; 0 if it is none."""
    return _library().seco_zstd_blocks(data, ctypes.c_uint64(len(data)))


def zstd_bytes_told(frames, size, blocks):
    """How many decompressed bytes nvCOMP is told of."""
    return _library().seco_zstd_bytes_told(frames, size, blocks)


def emulate_decode(files, *, bands, shape, dtype):
    """As ``fn.seco.decode_geotiff`` from the CPU to the GPU: pixels ``[N, *shape]``, and whether each file is whole."""
    data = [np.frombuffer(file, np.uint8) for file in files]
    out = np.full((len(files), *shape), 77, dtype)
    whole = np.zeros(len(files), bool)
    error = _library().seco_emulate_decode(
        (ctypes.c_void_p * len(files))(*[d.ctypes.data for d in data]),
        (ctypes.c_uint64 * len(files))(*map(len, files)),
        ctypes.c_int64(len(files)),
        (ctypes.c_int64 * len(bands))(*bands),
        ctypes.c_int64(len(bands)),
        _decompress,
        ctypes.c_void_p(out.ctypes.data),
        ctypes.c_void_p(whole.ctypes.data),
    )
    if error is not None:
        raise RuntimeError(error.decode())
    return out, whole
