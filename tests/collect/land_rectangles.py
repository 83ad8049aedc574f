"""Places where the catalogues of the tests lie."""

from seco.collect.stream import Stream
from seco.collect.synthetic.itinerary import draw_location

PLACES = 1 << 41  # purpose of streams


class LandRectangles:
    """Rough rectangles of land, each degree of latitude and longitude alike."""

    name = "rectangles of land"

    def __init__(self, patch_size):
        self._patch_size = patch_size

    def candidate(self, seed, number, attempt):
        """The place of an attempt at a location, both from 0."""
        return draw_location(Stream(seed, number, PLACES + attempt), number, self._patch_size)
