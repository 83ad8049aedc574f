"""The land-cover classes and what each is made of."""

from dataclasses import dataclass

import numpy as np

from seco.collect.stream import Array


@dataclass(frozen=True)
class LandClass:
    """One class. Days are days of year in the northern hemisphere; shares are of the vegetation's cover.

    Attributes:
        name: As in labels.parquet.
        colour: RGB of the label raster's colour table.
        latitudes: Lowest and highest latitude (either hemisphere, degrees) at which it dominates a place.
        weight: How often it dominates a place, relative to the others.
        cover: Share of the ground under vegetation.
        green_low: Green share outside the growing season.
        green_high: Green share at its height.
        peak_day: Middle of the growing season at 45° latitude.
        half_length: Half the length of the growing season at 45° latitude, days.
        wood: Share of what is not green that is bare wood; the rest is dry grass or, in fields, soil.
        snow_seen: Share of fallen snow that can be seen from above.
    """

    name: str
    colour: tuple[int, int, int]
    latitudes: tuple[float, float]
    weight: float
    cover: float
    green_low: float
    green_high: float
    peak_day: float
    half_length: float
    wood: float
    snow_seen: float


CLASSES = (
    LandClass("water", (60, 110, 200), (0, 70), 0.7, 0.00, 0.00, 0.00, 200, 80, 0.0, 0.45),
    LandClass("deciduous_forest", (120, 190, 70), (20, 65), 1.3, 0.96, 0.10, 0.98, 205, 72, 0.9, 0.50),
    LandClass("evergreen_forest", (20, 100, 50), (0, 70), 1.2, 0.96, 0.82, 0.98, 200, 90, 0.7, 0.28),
    LandClass("grassland", (200, 220, 110), (0, 70), 1.2, 0.92, 0.30, 0.85, 165, 75, 0.0, 1.00),
    LandClass("winter_crop", (230, 190, 60), (22, 60), 1.2, 0.97, 0.05, 0.97, 130, 48, 0.0, 1.00),
    LandClass("summer_crop", (240, 140, 60), (0, 55), 1.2, 0.97, 0.03, 0.97, 208, 42, 0.0, 1.00),
    LandClass("built_up", (200, 60, 60), (0, 65), 1.1, 0.30, 0.20, 0.85, 195, 80, 0.3, 0.60),
    LandClass("bare_soil", (190, 160, 130), (8, 48), 0.9, 0.12, 0.10, 0.45, 130, 50, 0.0, 1.00),
    LandClass("wetland", (90, 180, 180), (0, 70), 0.7, 0.80, 0.15, 0.80, 205, 62, 0.1, 0.90),
)
NAMES = tuple(c.name for c in CLASSES)
(WATER, DECIDUOUS, EVERGREEN, GRASS, WINTER_CROP, SUMMER_CROP, BUILT_UP, BARE, WETLAND) = range(len(CLASSES))


def table(attribute: str) -> Array:
    """One number attribute of all classes, shape [classes], for look-up by a class map."""
    return np.array([getattr(c, attribute) for c in CLASSES], dtype=np.float64)


def weights_at(latitude: float) -> Array:
    """How often each class dominates a place at a latitude (degrees), shape [classes]."""
    return np.array([c.weight if c.latitudes[0] <= abs(latitude) <= c.latitudes[1] else 0.0 for c in CLASSES])
