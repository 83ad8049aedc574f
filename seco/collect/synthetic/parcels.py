"""Lines on the land: field parcels, streets with blocks and houses, roads, the course of rivers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seco.collect.stream import Array, Stream
from seco.collect.synthetic.noise import value_noise

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Grid:
    """A partition of the patch into numbered cells.

    Attributes:
        row: Row of each pixel's cell in a table of cells, shape [size, size].
        column: Its column, shape [size, size].
        shape: Shape of that table.
        edge: Distance to the nearest cell border, px, shape [size, size].
    """

    row: Indices
    column: Indices
    shape: tuple[int, int]
    edge: Array

    def spread(self, values: Array) -> Array:
        """Values of cells, shape ``shape``, as values of pixels, shape [size, size]."""
        return values[self.row, self.column]


def rotated(stream: Stream, size: int) -> tuple[Array, Array]:
    """Coordinates along and across a random direction within ±45°, px from the centre, each [size, size]."""
    slope = stream.uniform(-1.0, 1.0)
    norm = float(np.sqrt(1.0 + slope * slope))
    centred = np.arange(size) - 0.5 * (size - 1)
    y, x = centred[:, None], centred[None, :]
    return (x + slope * y) / norm, (y - slope * x) / norm


def parcel_grid(stream: Stream, size: int, width: tuple[float, float], aspect: tuple[float, float]) -> Grid:
    """Strips of random widths, each cut across at its own interval and offset: parcels, blocks or houses.

    Args:
        stream: Source of randomness.
        size: Height and width of the patch, px.
        width: Least and greatest width of a strip, px.
        aspect: Least and greatest length of a parcel in units of the mean strip width.
    """
    along, across = rotated(stream, size)
    reach = 0.75 * size + width[1]  # half the diagonal is 0.71 times the side
    strips = int(2.0 * reach / width[0]) + 2
    cuts = np.cumsum(stream.uniforms((strips,), *width)) - reach
    row = np.searchsorted(cuts[:-1], across.ravel()).reshape(across.shape)
    mean_width = 0.5 * (width[0] + width[1])
    length = stream.uniforms((strips,), *aspect) * mean_width
    position = (along + reach) / length[row] + stream.uniforms((strips,))[row]
    column = position.astype(np.int64)
    within = position - column
    below, above = cuts[np.maximum(row - 1, 0)], cuts[row]
    edge = np.minimum(
        np.minimum(np.abs(across - below), np.abs(above - across)),
        np.minimum(within, 1.0 - within) * length[row],
    )
    return Grid(row, column, (strips, int(column.max()) + 1), edge)


def meander(stream: Stream, size: int, bend: float) -> Array:
    """Distance from a winding line across the patch, px, shape [size, size]; bend: its amplitude, px."""
    along, across = rotated(stream, size)
    if stream.uniform() < 0.5:
        along, across = across, -along
    # One row of noise, read at the rounded position along the line, is the line's offset there.
    length = 2 * size
    offset = bend * value_noise(stream, length, max(size / 3.0, 6.0))[0]
    offset = offset + 0.3 * bend * value_noise(stream, length, max(size / 9.0, 4.0))[0]
    start = stream.uniform(-0.3, 0.3) * size
    index = np.clip((along + 0.75 * size).astype(np.int64), 0, length - 1)
    return np.abs(across - start - offset[index])
