"""Draws places for a collection."""

from seco.collect.locations import Location, draw_location
from seco.collect.stream import Stream

PLACES = 1 << 41  # purposes of streams, one for each attempt


class LandRectangles:
    """Rough rectangles of land, each degree of latitude and longitude alike.

    Args:
        patch_size: Height and width of a patch, px of 10 m.
    """

    name = "rectangles of land"

    def __init__(self, patch_size: int) -> None:
        self._patch_size = patch_size

    def candidate(self, seed: int, number: int, attempt: int) -> Location:
        """The place of an attempt at a location, both from 0."""
        return draw_location(Stream(seed, number, PLACES + attempt), number, self._patch_size)
