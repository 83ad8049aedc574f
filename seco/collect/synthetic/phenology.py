"""The seasons: how green each pixel is on a day of the year, and where snow lies."""

import math
from dataclasses import dataclass

import numpy as np

from seco.collect.stream import Array
from seco.collect.synthetic.classes import CLASSES, SUMMER_CROP, WINTER_CROP, table
from seco.collect.synthetic.landscape import Landscape
from seco.collect.synthetic.noise import smoothstep

YEAR_DAYS = 365.25


@dataclass(frozen=True)
class Vegetation:
    """The plants on one date, as shares of the ground, each [size, size]: green + dry + wood <= cover."""

    green: Array
    dry: Array
    wood: Array


def sigmoid(x: Array) -> Array:
    """From 0 to 1 with slope 1/2 at 0: like a logistic curve, but of square roots only (see the package)."""
    return 0.5 + 0.5 * x / np.sqrt(1.0 + x * x)


def growing_season(day: Array, half_length: Array, ramp: float) -> Array:
    """Double sigmoid: 1 within ±half_length days of the peak, 0 far from it, and ramp days to rise or fall.

    The shape is that of the double logistic of Beck et al., 2006, Remote Sensing of Environment 100, 321-334.

    Args:
        day: Days from the peak, any number of years off.
        half_length: Half the length of the season, days.
        ramp: Duration of green-up and of decay, days.
    """
    around = np.mod(day + 0.5 * YEAR_DAYS, YEAR_DAYS) - 0.5 * YEAR_DAYS
    return sigmoid((around + half_length) / ramp) * sigmoid((half_length - around) / ramp)


def vegetation(place: Landscape, *, day: float, latitude: float, lateness: float, drought: Array) -> Vegetation:
    """Plants of a place on a day.

    Args:
        place: The place.
        day: Day of the year, 1 to 366.
        latitude: Degrees; south of the equator all seasons are half a year later.
        lateness: How late this year is, days.
        drought: 0 to 1: how much of the green the weather took, shape [size, size].
    """
    distance = abs(latitude) - 45.0
    peaks = table("peak_day") + lateness + (0.5 * YEAR_DAYS if latitude < 0 else 0.0)
    # Poleward spring comes later: some 2 days a degree for winter crops, little for the height of summer.
    peaks = peaks + np.clip(distance, -25.0, 20.0) * np.where(np.arange(len(CLASSES)) == WINTER_CROP, 1.6, 0.5)
    lengths = np.maximum(table("half_length") - 0.9 * np.clip(distance, -30.0, 20.0), 25.0)
    c = place.classes
    from_peak = day - peaks[c] - place.shift
    season = growing_season(from_peak, lengths[c], 12.0)
    low, high = table("green_low")[c], table("green_high")[c]
    green = (low + (high - low) * season) * place.vigour * (1.0 - drought * (1.0 - table("wood")[c]))
    green = np.clip(green, 0.0, 1.0) * place.cover
    stubble = growing_season(from_peak - lengths[c] - 30.0, np.full_like(season, 24.0), 8.0)
    field = (c == WINTER_CROP) | (c == SUMMER_CROP)
    wood = table("wood")[c]
    leftover = place.cover - green
    return Vegetation(green, leftover * (1.0 - wood) * np.where(field, 0.85 * stubble, 0.9), leftover * wood)


def rounded_sine(degrees: float) -> float:
    """Sine to nine decimals, so that machines whose last bits differ agree."""
    return round(math.sin(math.radians(degrees)), 9)


def temperature_celsius(day: float, latitude: float) -> float:
    """Rough mean temperature of the air by day of the year and latitude (degrees)."""
    warmest = 200.0 + (0.5 * YEAR_DAYS if latitude < 0 else 0.0)
    season = rounded_sine(90.0 + 360.0 * (day - warmest) / YEAR_DAYS)
    return 30.0 - 0.45 * abs(latitude) + 0.28 * abs(latitude) * season


def snow(place: Landscape, *, temperature: float, fall: float) -> Array:
    """Share of snow seen from above, shape [size, size].

    Args:
        place: The place; its higher ground keeps more snow, and dark or rough ground loses it first.
        temperature: Of the air at the patch's mean height, °C.
        fall: 0 to 1: how much it has snowed; below 0.35 nothing lies.
    """
    # 0.65 °C per 100 m of height; the rest is wind and warm ground, which thin the snow parcel by parcel.
    local = temperature - 0.0065 * place.relief + 3.0 * (place.tone - 1.0) + 1.2 * place.texture
    depth = smoothstep((-2.0 - local) / 12.0) * min(max(2.0 * fall - 0.7, 0.0), 1.0)
    return depth * table("snow_seen")[place.classes]
