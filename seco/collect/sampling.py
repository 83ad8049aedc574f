"""Distributions of places over the Earth."""

import hashlib
from typing import Any, Protocol

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod, Transformer

from seco.collect.geography import cities
from seco.collect.stream import Array, Stream

SIGMA_M = 50_000.0
# Cylindrical and equal-area on the ellipsoid: uniform there is uniform on the ground.
EQUAL_AREA = "EPSG:6933"


def digest(numbers: Array) -> str:
    """First 12 digits of the SHA-256 of some numbers."""
    return hashlib.sha256(numbers.astype("<f8").tobytes()).hexdigest()[:12]


class Distribution(Protocol):
    """Where places are drawn."""

    name: str  # in words that name everything that it depends on

    def draw(self, stream: Stream, count: int) -> Array:
        """Longitudes and latitudes ``[count, 2]``, degrees."""


class AroundCities:
    """Normal distributions around the most populated cities, each city alike, as Mañas et al., 2021 (arXiv:2103.16607).

    Distances and bearings are those of geodesics, so that 50 km are 50 km at every latitude, date line and pole.

    Args:
        sigma_m: Standard deviation to the north and to the east, metres on the ground.
        centres: Longitude and latitude of each city ``[n, 2]``, degrees; the packaged ones if None.
    """

    def __init__(self, sigma_m: float = SIGMA_M, centres: NDArray[np.float64] | None = None) -> None:
        self._sigma_m = sigma_m
        self._centres = cities() if centres is None else centres
        self.name = f"{sigma_m / 1000:g} km around {len(self._centres)} cities (GeoNames, July 2026)"

    def draw(self, stream: Stream, count: int) -> Array:
        """Longitudes and latitudes ``[count, 2]``, degrees."""
        which, distance, bearing = stream.uniforms((3, count))
        centre = self._centres[(which * len(self._centres)).astype(np.int64)]
        # The distance of two independent normal deviates follows Rayleigh's distribution.
        metres = self._sigma_m * np.sqrt(-2.0 * np.log1p(-distance))
        longitude, latitude, _ = Geod(ellps="WGS84").fwd(centre[:, 0], centre[:, 1], 360.0 * bearing, metres)
        return np.stack([longitude, latitude], axis=1)


class OverArea:
    """Uniform by area in polygons.

    Args:
        polygons: One polygon or multipolygon, degrees, not empty.
        what: Name of it.
    """

    def __init__(self, polygons: Any, what: str) -> None:  # noqa: ANN401 - shapely has no types
        flat = geopandas.GeoSeries([polygons], crs="EPSG:4326").to_crs(EQUAL_AREA)
        triangles = shapely.get_parts(shapely.constrained_delaunay_triangles(flat.array))
        self._corners = shapely.get_coordinates(triangles).reshape(-1, 4, 2)[:, :3]
        self._areas = np.cumsum(shapely.area(triangles))
        self.name = f"{what}, triangles {digest(self._corners.round(3))}"  # another GEOS may cut it into others

    def draw(self, stream: Stream, count: int) -> Array:
        """Longitudes and latitudes ``[count, 2]``, degrees."""
        which, u, v = stream.uniforms((3, count))
        a, b, c = self._corners[np.searchsorted(self._areas, which * self._areas[-1], side="right")].swapaxes(0, 1)
        outside = u + v > 1.0  # the other half of the parallelogram: turn it over
        u, v = np.where(outside, 1.0 - u, u), np.where(outside, 1.0 - v, v)
        x, y = (a + u[:, None] * (b - a) + v[:, None] * (c - a)).T
        return np.stack(Transformer.from_crs(EQUAL_AREA, "EPSG:4326", always_xy=True).transform(x, y), axis=1)
