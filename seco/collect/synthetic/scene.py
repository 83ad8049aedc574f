"""A place, and one date of it as digital numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seco.collect.stream import Array, Stream
from seco.collect.synthetic import spectra
from seco.collect.synthetic.atmosphere import draw_clouds, look_through, shading, sun_at
from seco.collect.synthetic.classes import CLASSES, DECIDUOUS, EVERGREEN, WATER
from seco.collect.synthetic.landscape import Landscape, draw_landscape
from seco.collect.synthetic.noise import fractal_noise, smoothstep
from seco.collect.synthetic.phenology import Vegetation, snow, temperature_celsius, vegetation
from seco.collect.synthetic.sensor import LATTICE_PX, digitise

# Purposes of random streams; dates take FIRST_DATE, FIRST_DATE + 1, …
LOCATION, PLACE, FIRST_DATE = 0, 1, 16


@dataclass(frozen=True)
class Place:
    """Everything of a location that does not change.

    Attributes:
        landscape: What lies where, on a canvas of whole 60 m cells.
        latitude: Degrees.
        patch_size: Upper left part of the canvas that is kept, px.
        soil: Its soil's reflectance, shape [12].
        water: Its clear water's reflectance, shape [12].
        crown: Its trees' reflectance, shape [12].
    """

    landscape: Landscape
    latitude: float
    patch_size: int
    soil: Array
    water: Array
    crown: Array

    @property
    def labels(self) -> NDArray[np.uint8]:
        """Class of each pixel, 1 to the number of classes (0 is nodata), shape [patch_size, patch_size]."""
        return self.landscape.classes[: self.patch_size, : self.patch_size] + np.uint8(1)

    @property
    def label(self) -> str:
        """Name of the most frequent class."""
        return CLASSES[int(np.bincount(self.labels.ravel()).argmax()) - 1].name


@dataclass(frozen=True)
class Scene:
    """One date: uint16 digital numbers [12, patch_size, patch_size] and the share of pixels under cloud."""

    pixels: NDArray[np.uint16]
    cloud_fraction: float


def draw_place(seed: int, location: int, *, latitude: float, patch_size: int) -> Place:
    """Draw location number ``location`` of the data set of a seed."""
    stream = Stream(seed, location, PLACE)
    soils = (spectra.SOIL_DARK, spectra.SOIL_RED, spectra.SOIL_SAND)
    aridity = np.array([1.0, 1.0, 1.6 if 12.0 < abs(latitude) < 38.0 else 0.35])
    soil = spectra.mixture(soils, 0.02 + stream.uniforms((3,)) * stream.uniforms((3,)) * aridity)
    turbidity = stream.uniform() * stream.uniform()
    water = spectra.mixture((spectra.WATER_CLEAR, spectra.WATER_TURBID), np.array([1.0 - turbidity, turbidity]))
    # Broad-leaved evergreens in the tropics, conifers from 35° on.
    conifers = min(max((abs(latitude) - 15.0) / 20.0, 0.05), 1.0)
    crown = spectra.mixture((spectra.LEAF, spectra.NEEDLE), np.array([1.02 - conifers, conifers]))
    canvas = -(-patch_size // LATTICE_PX) * LATTICE_PX
    landscape = draw_landscape(stream, canvas, latitude)
    return Place(landscape, latitude, patch_size, soil, water, crown)


def render_scene(seed: int, location: int, place: Place, *, index: int, day: float, cloud_limit: float) -> Scene:
    """Render one date of a place.

    Args:
        seed: Seed of the data set.
        location: Index of the location.
        place: What ``draw_place`` gave for them.
        index: Number of the date, from 0: each has its own weather.
        day: Day of the year, 1 to 366.
        cloud_limit: Greatest share of the patch under cloud, 0 to 1.
    """
    stream = Stream(seed, location, FIRST_DATE + index)
    land, size = place.landscape, place.landscape.classes.shape[0]
    dryness = smoothstep(stream.uniform() + fractal_noise(stream, size, 0.4 * size, octaves=3))
    plants = vegetation(
        land,
        day=day,
        latitude=place.latitude,
        lateness=stream.uniform(-8.0, 8.0),
        drought=0.4 * stream.uniform() * dryness,
    )
    warmth = temperature_celsius(day, place.latitude) + stream.uniform(-4.0, 4.0)
    white = snow(land, temperature=warmth, fall=stream.uniform())
    sun = sun_at(day, place.latitude)
    ground = _surface(place, plants, white, wetness=1.0 - dryness, murk=stream.uniform())
    light = shading(land.relief, sun) * _crowns(land, sun.up) * stream.uniform(0.97, 1.03)
    clouds = draw_clouds(stream, size, place.patch_size, sun, cloud_limit)
    dn = digitise(look_through(ground * light, stream, clouds), stream)
    kept = slice(0, place.patch_size)
    return Scene(np.ascontiguousarray(dn[:, kept, kept]), clouds.fraction)


def _surface(place: Place, plants: Vegetation, white: Array, *, wetness: Array, murk: float) -> Array:
    """Reflectance of the ground as a sum of pure surfaces weighted by area, shape [12, size, size]."""
    land = place.landscape
    is_water = land.classes == WATER
    shares = (
        (spectra.LEAF, np.where(land.classes == DECIDUOUS, plants.green, 0.0)),
        (place.crown, np.where(land.classes == EVERGREEN, plants.green, 0.0)),
        (spectra.HERB, np.where(np.isin(land.classes, (DECIDUOUS, EVERGREEN)), 0.0, plants.green)),
        (spectra.WOOD, plants.wood),
        (spectra.CONCRETE, land.roof * (1.0 - land.tile)),
        (spectra.TILE, land.roof * land.tile),
        (spectra.ASPHALT, land.asphalt),
        (place.water, np.where(is_water, 1.0 - 0.3 * murk, 0.0)),
        (spectra.WATER_TURBID, np.where(is_water, 0.3 * murk, 0.0)),
    )
    bare = 1.0 - plants.dry
    # Straw and dry grass differ from parcel to parcel as the soil does.
    total = np.array(spectra.DRY)[:, None, None] * (plants.dry * land.tone)
    for spectrum, share in shares:
        bare = bare - share
        total += np.array(spectrum)[:, None, None] * share
    # Wet soil is darker (Lobell and Asner, Moisture effects on soil reflectance, 2002); by how much is ours.
    earth = np.maximum(bare, 0.0) * land.tone * (1.0 - 0.35 * wetness)
    total += place.soil[:, None, None] * earth
    return total + white * (np.array(spectra.SNOW)[:, None, None] - total)


def _crowns(land: Landscape, sun_up: float) -> Array:
    """Light among crowns, houses and clods, [size, size]: rougher in forests and under a low sun."""
    rough = np.where(np.isin(land.classes, (DECIDUOUS, EVERGREEN)), 0.16, 0.06)
    rough = np.where(land.classes == WATER, 0.02, rough)
    return 1.0 + land.texture * rough * (0.6 + 0.3 / sun_up)
