"""One location of a synthetic data set: a pure function of the request and its number."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seco.collect.locations import Location
from seco.collect.settings import Settings
from seco.collect.stream import Stream
from seco.collect.synthetic.itinerary import draw_dates, draw_location
from seco.collect.synthetic.scene import LOCATION, Scene, draw_place, render_scene

# Raised when a seed comes to mean other pixels: a collection begun by one generator is not gone on with by another.
GENERATOR = "generator 1"


@dataclass(frozen=True, kw_only=True)
class Request(Settings):
    """What to collect; the same request gives the same pixels everywhere. Dates are about three months apart."""

    source: str = "synthetic"
    collection: str = GENERATOR


@dataclass(frozen=True)
class Series:
    """One location: its times (UTC, datetime64[s], earliest first), their scenes, its class and label map."""

    location: Location
    times: list[np.datetime64]
    scenes: list[Scene]
    label: str
    labels: NDArray[np.uint8]


def draw_series(request: Request, index: int) -> Series:
    """Draw location number ``index`` (from 0) of a request: a pure function of both."""
    stream = Stream(request.seed, index, LOCATION)
    location = draw_location(stream, index, request.patch_size)
    times = draw_dates(stream, location.longitude, until=np.datetime64(request.until), count=request.dates)
    # 100 m are enough for the climate, and hide the last bits that PROJ's releases may differ in.
    latitude = round(location.latitude, 3)
    place = draw_place(request.seed, index, latitude=latitude, patch_size=request.patch_size)
    scenes = [
        render_scene(
            request.seed,
            index,
            place,
            index=number,
            day=day_of_year(time),
            cloud_limit=request.cloud_percent / 100.0,
        )
        for number, time in enumerate(times)
    ]
    return Series(location, times, scenes, place.label, place.labels)


def day_of_year(time: np.datetime64) -> float:
    """Day of the year of a time, 1 to 366."""
    days = time.astype("datetime64[D]") - time.astype("datetime64[Y]").astype("datetime64[D]")
    return float(days.astype(np.int64)) + 1.0
