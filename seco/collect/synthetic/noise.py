"""Smooth random fields: value noise at one scale, and the sum of several scales."""

import numpy as np
from numpy.typing import NDArray

from seco.collect.stream import Array, Stream


def smoothstep(x: Array) -> Array:
    """0 below 0, 1 above 1, and ``3 x**2 - 2 x**3`` between."""
    t = np.minimum(np.maximum(x, 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


def value_noise(stream: Stream, size: int, cell: float) -> Array:
    """Uniform values on a random lattice, smoothly interpolated.

    Args:
        stream: Where the values come from.
        size: Height and width, px.
        cell: Distance of lattice points, px.

    Returns:
        Values in [-1, 1], shape [size, size].
    """
    points = int(size / cell) + 3
    lattice = stream.uniforms((points, points), -1.0, 1.0)
    rows, row_weight = _positions(size, cell, stream.uniform())
    columns, column_weight = _positions(size, cell, stream.uniform())
    strip = lattice[rows] + row_weight[:, None] * (lattice[rows + 1] - lattice[rows])
    left = strip[:, columns]
    return left + column_weight * (strip[:, columns + 1] - left)


def fractal_noise(stream: Stream, size: int, cell: float, octaves: int = 4, gain: float = 0.55) -> Array:
    """Value noise at the scales cell, cell / 2, cell / 4, …, each ``gain`` times the one before.

    Returns:
        Values in [-1, 1], most within ±0.5, shape [size, size].
    """
    total = np.zeros((size, size))
    amplitude, reach = 1.0, 0.0
    for _ in range(octaves):
        total += amplitude * value_noise(stream, size, max(cell, 1.5))
        reach += amplitude
        amplitude *= gain
        cell /= 2.0
    return total / reach


def top_share(field: Array, share: float) -> float:
    """Threshold that the given share of a field's values reaches or exceeds."""
    values = np.sort(field, axis=None)
    return float(values[min(round((1.0 - share) * values.size), values.size - 1)])


def _positions(size: int, cell: float, offset: float) -> tuple[NDArray[np.int64], Array]:
    position = np.arange(size) / cell + offset
    index = position.astype(np.int64)
    return index, smoothstep(position - index)
