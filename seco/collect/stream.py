"""Random numbers that depend on (seed, location, purpose) alone: not on order, count, machine or release."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Stream:
    """One stream of Philox-4x64 numbers.

    Only ``random_raw`` of the bit generator is used: NumPy guarantees its stream across releases, but not
    that of ``Generator``'s methods. Everything on top of it is exact integer or IEEE double arithmetic.

    Args:
        seed: Seed of the data set, ``0 <= seed < 2**64``.
        location: Index of the location.
        purpose: What the numbers are for; streams of different purposes never overlap.

    Source:
        Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011.
    """

    def __init__(self, seed: int, location: int, purpose: int) -> None:
        key = np.array([seed, location], dtype=np.uint64)
        counter = np.array([0, 0, 0, purpose], dtype=np.uint64)
        self._bits = np.random.Philox(key=key, counter=counter)

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """One number in [low, high)."""
        return float(self.uniforms((1,), low, high)[0])

    def uniforms(self, shape: tuple[int, ...], low: float = 0.0, high: float = 1.0) -> Array:
        """Numbers in [low, high), float64 of the given shape."""
        raw = self._raw(shape) >> np.uint64(11)
        return low + (high - low) * (raw.astype(np.float64) * 2.0**-53)

    def bells(self, shape: tuple[int, ...]) -> Array:
        """Numbers of mean 0 and variance 1, near to normal, float64 of the given shape.

        The sum of four uniform 16-bit integers (Irwin-Hall): exact, where a normal deviate needs log and exp,
        whose last bits differ between machines.
        """
        words = self._raw((*shape, 1)).view(np.uint16).astype(np.int64)
        total = words[..., 0] + words[..., 1] + words[..., 2] + words[..., 3]
        # Mean 4 * (2**16 - 1) / 2; variance 4 * (2**32 - 1) / 12, hence a deviation of 2**16 / sqrt(3).
        return (total.astype(np.float64) - 131070.0) / np.float64(37837.23)

    def index(self, weights: Array) -> int:
        """Index drawn with probability proportional to the weights."""
        steps = np.cumsum(weights)
        return int(np.searchsorted(steps, self.uniform() * steps[-1], side="right"))

    def _raw(self, shape: tuple[int, ...]) -> NDArray[np.uint64]:
        return self._bits.random_raw(int(np.prod(shape))).reshape(shape)
