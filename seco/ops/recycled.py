"""Large arrays whose memory is used again: the first touch of fresh pages costs as much as filling them."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_LARGE = 1 << 20  # bytes; malloc itself keeps what is smaller
# Blocks that nobody uses, of the size asked for last: as many as a loader has in the making. No lock: an array may end
# at any moment, that of an allocation in here included.
_blocks: deque[NDArray[np.uint8]] = deque(maxlen=6)


class _Loan:
    """Memory of one array; once nobody holds the array or a view of it any more, others may have it."""

    def __init__(self, block: NDArray[np.uint8]) -> None:
        self._block = block
        self.__array_interface__ = block.__array_interface__

    def __del__(self) -> None:
        _blocks.append(self._block)


def empty(shape: Sequence[int], dtype: DTypeLike) -> NDArray[Any]:
    """``numpy.empty``, out of memory that an earlier array of the same size has left where there is some."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if size < _LARGE:
        return np.empty(shape, dtype)
    return np.asarray(_Loan(_take(size))).view(dtype).reshape(shape)


def _take(size: int) -> NDArray[np.uint8]:
    while _blocks:
        try:
            block = _blocks.pop()
        except IndexError:  # another thread was faster
            break
        if len(block) == size:
            return block
    return np.empty(size, np.uint8)
