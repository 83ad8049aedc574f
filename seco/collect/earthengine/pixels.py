"""The pixels in an answer, which is a NumPy file of records: one a pixel, with a field for each band."""

import io
import threading
from functools import lru_cache
from tokenize import TokenError

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from seco.errors import SourceError

MOST_HEADER_BYTES = 1 << 20  # it names every band
# NumPy evaluates headers as Python, which before Python 3.11.8 no two threads may do at once: "AST constructor recursion
# depth mismatch".
_ONE_AT_A_TIME = threading.Lock()


def parse_pixels(answer: bytes, shape: tuple[int, int, int, int]) -> NDArray[np.uint16]:
    """Pixels of ``shape`` ``[T, C, H, W]`` from records ``[H, W]`` of T times C numbers.

    Raises:
        SourceError: If the answer is something else; asking again may help.
    """
    dates, bands, height, width = shape
    start = _header_bytes(answer)
    try:
        with _ONE_AT_A_TIME:
            (rows, columns), record = _read_header(answer[:start])
    except (ValueError, TypeError, SyntaxError, TokenError):  # of a header that NumPy cannot make out
        raise _unexpected(shape, "no NumPy file") from None
    kinds = [kind[0] for kind in (record.fields or {}).values()]
    if (rows, columns, kinds) != (height, width, [np.dtype("<u2")] * (dates * bands)):
        types = ", ".join(sorted(set(map(str, kinds)))) or str(record)
        raise _unexpected(shape, f"{len(kinds)} of {types} and {columns} x {rows} px")
    if len(answer) - start != 2 * dates * bands * height * width:
        raise _unexpected(shape, f"{len(answer)} bytes")
    # Not through numpy.load: it copies once more, and these are many megabytes.
    records = np.frombuffer(answer, "<u2", offset=start).reshape(height, width, dates, bands)
    pixels = np.empty(shape, np.uint16)
    for row in range(height):  # which the cache holds: faster than all at once
        pixels[:, :, row] = records[row].transpose(1, 2, 0)
    return pixels


def _header_bytes(answer: bytes) -> int:
    """Where the pixels begin in a NumPy file: after magic, version, the header's length in 2 or 4 bytes, and the header."""
    content = 10 if answer[6:7] == b"\x01" else 12
    return content + int.from_bytes(answer[8:content], "little")


@lru_cache(maxsize=16)  # answers of one shape have the same
def _read_header(header: bytes) -> tuple[tuple[int, ...], np.dtype]:
    file = io.BytesIO(header)
    read = npy.read_array_header_1_0 if npy.read_magic(file) == (1, 0) else npy.read_array_header_2_0
    shape, _, record = read(file, max_header_size=MOST_HEADER_BYTES)
    return shape, record


def _unexpected(shape: tuple[int, int, int, int], got: str) -> SourceError:
    dates, bands, height, width = shape
    return SourceError(
        f"earthengine: expected {dates * bands} uint16 bands of {width} x {height} px, got {got}; "
        "run the same command again",
        retriable=True,
    )
