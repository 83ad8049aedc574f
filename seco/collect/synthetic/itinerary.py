"""Where and when synthetic places are: on land, at dates about three months apart."""

import numpy as np

from seco.collect.locations import Location, location_id, place_patch
from seco.collect.stream import Stream

INTERVAL_DAYS, JITTER_DAYS = 91, 15

# Rough rectangles of land, degrees: west, south, east, north.
LAND = (
    (-120, 34, -82, 49),
    (-115, 50, -96, 60),
    (-103, 20, -98, 27),
    (-74, -9, -48, 3),
    (-64, -34, -53, -12),
    (-70, -50, -67, -36),
    (-6, 38, 0, 43),
    (0, 45, 40, 54),
    (25, 55, 50, 64),
    (13, 58, 16, 66),
    (62, 50, 105, 60),
    (18, 66, 25, 69),
    (75, 12, 79, 29),
    (82, 22, 88, 27),
    (98, 24, 117, 40),
    (100, 14, 104, 19),
    (-8, 7, 30, 28),
    (15, -30, 34, -2),
    (35, -8, 40, 8),
    (122, -31, 148, -18),
    (44, 22, 54, 36),
)


def draw_location(stream: Stream, index: int, patch_size: int) -> Location:
    """Draw a place on land, each degree of latitude and longitude of the rectangles alike."""
    areas = np.array([(east - west) * (north - south) for west, south, east, north in LAND], dtype=np.float64)
    west, south, east, north = LAND[stream.index(areas)]
    return place_patch(location_id(index), stream.uniform(west, east), stream.uniform(south, north), patch_size)


def draw_dates(stream: Stream, longitude: float, *, until: np.datetime64, count: int) -> list[np.datetime64]:
    """Draw a reference date in the year before ``until`` and go back in steps of three months.

    Each step is jittered by up to 15 days, as Mañas et al., 2021 (arXiv:2103.16607) sample their seasons.

    Returns:
        ``count`` times in UTC at 10:30 local solar time, earliest first, datetime64[s].
    """
    reference = until.astype("datetime64[D]") - int(stream.uniform(0.0, 365.0))
    jitter = stream.uniforms((count,), -JITTER_DAYS, JITTER_DAYS + 1.0)
    minutes = 630 - int(4.0 * longitude)
    times = []
    for step in range(count - 1, -1, -1):
        # The jitter may not push the latest date past the end.
        day = min(reference - step * INTERVAL_DAYS + int(np.floor(jitter[step])), until.astype("datetime64[D]"))
        seconds = 60 * minutes + int(stream.uniform(0.0, 60.0))
        times.append(day.astype("datetime64[s]") + np.timedelta64(seconds, "s"))
    return times
