"""A split by place: cells of a coarse grid, each with all its images on one side."""

import hashlib

import numpy as np

from seco.errors import DataError

CELL_KM = 50.0
GAP_KM = 5.0  # between images of two sides; a patch of EuroSAT is 0.64 km wide
_KM_PER_DEGREE = 111.195  # of a meridian
_EAST_END = np.nextafter(180.0, 0.0)


def split_by_cells(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mark images to train and to test on such that those of two sides lie at least 5 km apart.

    The earth is divided into cells of about 50 x 50 km. In the order of the SHA-256 of their numbers cells train that
    still fit into one half of the images; all others test. Training images less than 5 km, north, south, east or west,
    from a cell that is tested on are on no side.

    Args:
        positions: Longitude and latitude, degrees, ``(N, 2)``.

    Returns:
        ``train`` and ``test``, bool ``(N,)`` each.

    Raises:
        DataError: If a position is not known.
    """
    known = np.isfinite(positions).all(axis=1)
    if not known.all():
        raise DataError(f"split: expected positions of all images, got {(~known).sum()} without; split by names or lists")
    cells, of_image, counts = np.unique(_cell(positions), axis=0, return_inverse=True, return_counts=True)
    keys = [hashlib.sha256(f"{row} {column}".encode()).digest() for row, column in cells]
    trains, room = np.zeros(len(cells), dtype=bool), (len(positions) + 1) // 2
    for number in sorted(range(len(cells)), key=keys.__getitem__):
        if counts[number] <= room:
            trains[number] = True
            room -= counts[number]
    train: np.ndarray = trains[of_image.ravel()]
    tested = {(row, column) for row, column in cells[~trains]}
    return train & ~_near(positions, tested), ~train


def _cell(positions: np.ndarray) -> np.ndarray:
    """Row from the equator and column from Greenwich, int64 ``(N, 2)``: columns are as wide as rows are high."""
    step = CELL_KM / _KM_PER_DEGREE
    row = np.floor(positions[:, 1] / step)
    column = np.floor(positions[:, 0] * np.cos(np.radians((row + 0.5) * step)) / step)
    return np.stack([row, column], axis=1).astype(np.int64)


def _near(positions: np.ndarray, tested: set[tuple[int, int]]) -> np.ndarray:
    """Whether a square of twice the gap around an image reaches into one of these cells, bool ``(N,)``."""
    near = np.zeros(len(positions), dtype=bool)
    gap = GAP_KM / _KM_PER_DEGREE
    for north in (-gap, 0, gap):
        for east in (-gap, 0, gap):
            latitude = positions[:, 1] + north
            longitude = positions[:, 0] + east / np.cos(np.radians(latitude))
            # Cells end at the date line: those on either side of it may be narrower than the gap.
            on_this_side = np.clip(longitude, -180, _EAST_END)
            on_that_side = np.where(on_this_side == longitude, longitude, -180 if east > 0 else _EAST_END)
            for each in (on_this_side, on_that_side, (longitude + 180) % 360 - 180):
                near |= [tuple(cell) in tested for cell in _cell(np.stack([each, latitude], axis=1))]
    return near
