"""Which places overlap earlier ones."""

import itertools

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

from seco.collect.locations import LATTICE_M, PIXEL_M
from seco.collect.stream import Array

UTM_SCALE = 0.9996  # map metres for each on the ground, at the middle of a zone: the least there is


def reach_m(patch_size: int) -> float:
    """Metres on the ground from centre to centre at which two patches of patch_size px cannot overlap.

    The diagonal, since grids of two UTM zones are turned against each other, and the way to the lattice.
    """
    return float(np.sqrt(2.0)) * (patch_size * PIXEL_M + LATTICE_M) / UTM_SCALE


def find_overlaps(points: Array, owners: NDArray[np.int64], reach: float) -> NDArray[np.bool_]:
    """Which points come too near to an earlier one of another owner that itself does not.

    Args:
        points: Longitudes and latitudes ``[n, 2]``, degrees.
        owners: Numbers ``[n]``; an owner's points may come near to each other.
        reach: Less is too near, metres in a straight line.

    Returns:
        Flags ``[n]``. Those of the first m points depend on no others.
    """
    geocentric = Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    metres = np.stack(geocentric.transform(points[:, 0], points[:, 1], np.zeros(len(points))), axis=1)
    # Cubes of the size of the reach, numbered: what is near lies in one of 27. Far less than 2**20 a side.
    cubes = np.floor(metres / reach).astype(np.int64) @ np.array([1 << 40, 1 << 20, 1])
    around = [(x << 40) + (y << 20) + z for x, y, z in itertools.product((-1, 0, 1), repeat=3)]
    kept: dict[int, list[int]] = {}
    overlaps = np.zeros(len(points), dtype=np.bool_)
    position, owner = metres.tolist(), owners.tolist()

    def near(i: int, j: int) -> bool:
        (x, y, z), (u, v, w) = position[i], position[j]
        return bool((x - u) ** 2 + (y - v) ** 2 + (z - w) ** 2 < reach**2)

    for i, cube in enumerate(cubes.tolist()):
        neighbours = (j for step in around for j in kept.get(cube + step, ()))
        if any(owner[i] != owner[j] and near(i, j) for j in neighbours):
            overlaps[i] = True
        else:
            kept.setdefault(cube, []).append(i)
    return overlaps
