"""GeoTIFFs decoded in batches: a fast profile natively, every other TIFF through GDAL, counted."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seco import _core
from seco.device import cores
from seco.errors import ArrayError, GeoTiffError
from seco.ops.fork_safe import fork_safe_lock
from seco.ops.whole_numbers import as_index, whole_number


class FileSlice(NamedTuple):
    """Bytes of a file, such as a member of a tar.

    Attributes:
        path: The file.
        offset: First byte.
        length: Number of bytes.
    """

    path: Path
    offset: int
    length: int

    def __str__(self) -> str:
        return f"{self.path} at byte {self.offset}"


Source = str | Path | bytes | FileSlice
FileRange = tuple[bytes, bytes, int, int]  # what it is called in messages, path, offset, length or -1

_fallbacks: Counter[str] = Counter()
_fallbacks_lock = fork_safe_lock()


@dataclass(frozen=True, slots=True)
class GeoTiffInfo:
    """Header of one GeoTIFF.

    Attributes:
        bands: Number of bands.
        height: Pixels.
        width: Pixels.
        dtype: NumPy's name of the sample type.
        foreign: Why GDAL has to read the file; ``""`` if the native decoder does.
    """

    bands: int
    height: int
    width: int
    dtype: str
    foreign: str


def read_info(source: Source) -> GeoTiffInfo:
    """Header of ``source``: a path, a slice of a file or the file's bytes.

    Raises:
        GeoTiffError: If the file is missing or damaged, or needs GDAL and that cannot read it.
    """
    native = _core.geotiff_info(_as_native(source))
    if reason := native["foreign"]:
        from seco.ops.gdal_fallback import read_header

        return GeoTiffInfo(*read_header(source, reason), reason)
    return GeoTiffInfo(**native)


def decode_geotiff(
    sources: Sequence[Source],
    *,
    bands: Sequence[int] | None = None,
    threads: int | None = None,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Decode GeoTIFFs of one size, type and number of bands.

    The fast profile (little-endian classic or BigTIFF, strips or tiles, pixel- or band-interleaved, 8-, 16- and 32-bit
    integers and float32, uncompressed, DEFLATE, ZSTD or LZW, predictor 1 or 2) is decoded natively; of band-interleaved
    files only the wanted bands are read. Every other TIFF goes through GDAL and is counted in :func:`fallback_count`.

    Args:
        sources: Paths, slices of files or file contents, N of them.
        bands: Zero-based band numbers in the order wanted; None for all.
        threads: CPU threads; None takes one a core.
        out: Array to write to, C-contiguous, of the result's shape and dtype; None makes one.

    Returns:
        ``[N, C, H, W]`` of the files' type.

    Raises:
        GeoTiffError: If a file is missing, damaged, unlike the first, or declares more than its bytes can hold or more
            than 1 GiB; the text names it.
        ArrayError: If ``sources`` is empty, a band does not exist, ``out`` does not fit, or ``threads`` is not positive.
    """
    if isinstance(sources, (str, Path, bytes)) or not len(sources):
        raise ArrayError("sources: expected a list of at least one GeoTIFF, got none or a single one; give a list")
    first = read_info(sources[0])
    chosen = checked_bands(range(first.bands) if bands is None else bands, first.bands)
    shape, dtype = (len(sources), len(chosen), first.height, first.width), np.dtype(first.dtype)
    if out is None:
        out = np.empty(shape, dtype)
    _check_out(out, shape, dtype)
    damaged = decode_readable(sources, bands=chosen, total_bands=first.bands, threads=threads, out=out)
    if damaged:
        raise damaged[min(damaged)]
    return out


def decode_readable(
    sources: Sequence[Source], *, bands: Sequence[int], total_bands: int, threads: int | None, out: NDArray[Any]
) -> dict[int, GeoTiffError]:
    """Decode the files that can be: :func:`decode_geotiff`, if its first file is what is expected of all.

    Args:
        sources: Paths, slices of files or file contents, N of them.
        bands: Zero-based band numbers in the order wanted.
        total_bands: Number of bands that every file has.
        threads: CPU threads; None takes one a core.
        out: ``[N, C, H, W]``, C-contiguous, of the files' size and type; slices of files that cannot be decoded hold
            anything.

    Returns:
        What is wrong with the others, by their number in ``sources``: missing, damaged, or of other bands, size or type.

    Raises:
        ArrayError: If a band does not exist, or ``out`` does not fit.
    """
    chosen = checked_bands(bands, total_bands)
    if np.ndim(out) != 4:
        raise ArrayError(f"out: expected [N, C, H, W], got {list(np.shape(out))}; make room for all sources")
    dtype = out.dtype.newbyteorder("=") if isinstance(out, np.ndarray) else None
    _check_out(out, (len(sources), len(chosen), *np.shape(out)[2:]), dtype)
    if threads is not None:
        whole_number("threads", threads, low=1, bits=31, remedy="leave it out for one a core")
    damaged: dict[int, GeoTiffError] = {}
    native: list[bytes | FileRange] = []
    for i, source in enumerate(sources):
        try:
            native.append(_as_native(source))
        except GeoTiffError as error:
            damaged[i] = error
            native.append(b"")
    workers = cores() if threads is None else threads
    foreign, unreadable = _core.decode_geotiff(native, chosen, total_bands, out, workers)
    damaged = {i: GeoTiffError(reason) for i, reason in unreadable} | damaged
    for i, reason in foreign:
        try:
            _decode_foreign(sources[i], reason, total_bands, chosen, out[i])
        except GeoTiffError as error:
            damaged[i] = error
    return damaged


def fallback_count() -> dict[str, int]:
    """How many files went through GDAL since the process started, by reason."""
    with _fallbacks_lock:
        return dict(_fallbacks)


def check_slice(source: FileSlice) -> None:
    """Raise GeoTiffError if offset and length are none, as in an index that may be hostile: null, text, too large."""
    if not all(isinstance(number, int | np.integer) and 0 <= number < 1 << 63 for number in source[1:]):
        raise GeoTiffError(
            f"{source.path}: expected a slice inside the file, got {source.length} bytes at byte {source.offset}; "
            "write the index again"
        )


def _as_native(source: Source) -> bytes | FileRange:
    if isinstance(source, bytes):
        return source
    if isinstance(source, FileSlice):
        check_slice(source)
    path, offset, length = source if isinstance(source, FileSlice) else (source, 0, -1)
    # On Linux a name is any bytes: as a file system gave them they are opened, but not always printed.
    name, file = str(source).encode(errors="backslashreplace"), os.fsencode(path)
    if b"\0" in file:
        raise GeoTiffError(f"{path!r}: expected the name of a file, got one with a NUL character; check the list")
    return name, file, offset, length


def checked_bands(bands: Sequence[int], total: int) -> list[int]:
    """Numbers of bands as Python's own.

    Raises:
        ArrayError: If there is none, or one is not among ``total`` bands.
    """
    chosen = [number for band in bands if (number := as_index(band)) is not None and 0 <= number < total]
    if not chosen or len(chosen) < len(bands):
        raise ArrayError(f"bands: expected numbers 0 … {total - 1}, got {list(bands)}; count from 0")
    return chosen


def _check_out(out: NDArray[Any], shape: tuple[int, ...], dtype: "np.dtype[Any] | None") -> None:
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != dtype:
        got = f"{out.dtype} {list(out.shape)}" if isinstance(out, np.ndarray) else type(out).__name__
    elif not out.flags.c_contiguous or not out.flags.writeable:
        got = "one that is read-only" if out.flags.c_contiguous else "one with strides"
    else:
        return
    raise ArrayError(f"out: expected a writeable C-contiguous {dtype} {list(shape)}, got {got}; or leave it out")


def _decode_foreign(source: Source, reason: str, total_bands: int, bands: Sequence[int], out: NDArray[Any]) -> None:
    from seco.ops.gdal_fallback import read_pixels

    with _fallbacks_lock:
        _fallbacks[reason] += 1
    pixels = read_pixels(source, reason)
    expected = (total_bands, *out.shape[1:])
    if pixels.shape != expected or pixels.dtype != out.dtype:
        name = "<bytes>" if isinstance(source, bytes) else source
        raise GeoTiffError(
            f"{name}: expected {out.dtype} {list(expected)} like the others, got {pixels.dtype} "
            f"{list(pixels.shape)}; decode unlike files apart"
        )
    out[:] = pixels[list(bands)]
