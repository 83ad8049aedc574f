"""Draws places for a collection."""

import numpy as np
import shapely
from numpy.typing import NDArray

from seco.collect.choose import PlaceRejected
from seco.collect.geography import land
from seco.collect.locations import Location, location_id, place_patch
from seco.collect.overlap import find_overlaps, reach_m
from seco.collect.sampling import Distribution, digest
from seco.collect.stream import Array, Stream
from seco.errors import ConfigError

BLOCKS = 1 << 42  # purpose of streams, far above those of dates and of synthetic scenes
BLOCK = 1024  # locations whose places come from one stream
PLACES_EACH = 4  # docs/decisions/0011-places.md


class DrawnPlaces:
    """A few places for each location, drawn from a distribution; attempts take them in turn, each with other dates.

    A place in the sea is none, and none that overlaps a place of an earlier location, whatever became of that. So places
    depend on distribution, seed, patch size and number alone, on no scenes and no later locations.

    Args:
        distribution: Where places are drawn.
        locations: Number of locations.
        patch_size: Height and width of a patch, px of 10 m.
    """

    def __init__(self, distribution: Distribution, *, locations: int, patch_size: int) -> None:
        self.name = distribution.name
        self._distribution, self._locations, self._patch_size = distribution, locations, patch_size
        self._drawn: dict[int, tuple[Array, NDArray[np.str_]]] = {}

    def candidate(self, seed: int, number: int, attempt: int) -> Location:
        """The place of an attempt at a location, both from 0.

        Raises:
            PlaceRejected: If it lies in the sea or overlaps a place of an earlier location.
        """
        if seed not in self._drawn:
            self._drawn[seed] = self._draw(seed)
        points, reasons = self._drawn[seed]
        which = PLACES_EACH * number + attempt % PLACES_EACH
        longitude, latitude = points[which].tolist()
        if reasons[which]:
            raise PlaceRejected(str(reasons[which]), (longitude, latitude))
        return place_patch(location_id(number), longitude, latitude, self._patch_size)

    def _draw(self, seed: int) -> tuple[Array, NDArray[np.str_]]:
        """Longitudes and latitudes of all places, degrees, and why they are none."""
        count = PLACES_EACH * BLOCK
        blocks = range(-(-self._locations // BLOCK))
        points = np.concatenate([self._distribution.draw(Stream(seed, block, BLOCKS), count) for block in blocks])
        points = points[: PLACES_EACH * self._locations]
        ashore = np.flatnonzero(shapely.contains_xy(land(), *points.T))
        reasons = np.full(len(points), "sea", dtype="U7")
        overlaps = find_overlaps(points[ashore], ashore // PLACES_EACH, reach_m(self._patch_size))
        reasons[ashore] = np.where(overlaps, "overlap", "")
        return points, reasons


class GivenPlaces:
    """Location number k is at point number k; attempts differ in their dates alone.

    Args:
        points: Longitudes and latitudes ``[n, 2]``, degrees.
        locations: Number of locations.
        patch_size: Height and width of a patch, px of 10 m.

    Raises:
        ConfigError: If there are fewer points than locations.
    """

    def __init__(self, points: Array, *, locations: int, patch_size: int) -> None:
        if len(points) < locations:
            raise ConfigError(f"locations: expected at most {len(points)}, the points given, got {locations}; ask for fewer")
        self.name = f"points {digest(points)}"
        self._points, self._patch_size = points, patch_size

    def candidate(self, seed: int, number: int, attempt: int) -> Location:
        """The place of a location, from 0, whatever the seed and the attempt."""
        longitude, latitude = self._points[number].tolist()
        return place_patch(location_id(number), longitude, latitude, self._patch_size)
