"""The part of a place that no season changes: relief, land cover, parcels, houses, soil."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seco.collect.stream import Array, Stream
from seco.collect.synthetic.classes import (
    BARE,
    BUILT_UP,
    DECIDUOUS,
    EVERGREEN,
    GRASS,
    SUMMER_CROP,
    WATER,
    WETLAND,
    WINTER_CROP,
    table,
    weights_at,
)
from seco.collect.synthetic.noise import fractal_noise, smoothstep, top_share
from seco.collect.synthetic.parcels import Grid, meander, parcel_grid

ClassMap = NDArray[np.uint8]


@dataclass(frozen=True)
class Landscape:
    """A place as it is on every date. All arrays [size, size].

    Attributes:
        classes: Index into CLASSES, uint8.
        relief: Height, m.
        cover: Share of the ground under vegetation, 0 to 1.
        texture: Brightness of crowns, clods and waves, about -1 to 1, scale of a few px.
        tone: Brightness of the ground, parcel by parcel, around 1.
        shift: How much later than its class a pixel grows, days.
        vigour: How green a pixel gets at its height, around 1.
        roof: Share of roofs.
        tile: Share of the roofs that is red tile.
        asphalt: Share of sealed streets.
    """

    classes: ClassMap
    relief: Array
    cover: Array
    texture: Array
    tone: Array
    shift: Array
    vigour: Array
    roof: Array
    tile: Array
    asphalt: Array


def draw_landscape(stream: Stream, size: int, latitude: float) -> Landscape:
    """Draw a place of size x size px at a latitude in degrees."""
    scale = min(0.45 * size, 70.0)
    relief = stream.uniform(10.0, 260.0) * fractal_noise(stream, size, 1.6 * scale, octaves=4, gain=0.42)
    classes = _regions(stream, size, latitude, scale)
    fields = parcel_grid(stream, size, *_field_size(stream))
    classes = _sow(stream, classes, fields)
    classes = _rivers(stream, classes, relief)
    classes, roof, asphalt = _build(stream, classes)
    shift, tone, vigour = _grow(stream, classes, fields, scale)
    texture = 0.45 * stream.uniforms((size, size), -1.0, 1.0) + fractal_noise(stream, size, 7.0, octaves=2)
    cover = np.clip(table("cover")[classes] + 0.1 * fractal_noise(stream, size, 12.0), 0.0, 1.0)
    cover = np.where(classes == WATER, 0.0, np.where(classes == BUILT_UP, 1.0 - roof - asphalt, cover))
    tile = smoothstep(stream.uniform(-0.4, 1.4) + 1.2 * fractal_noise(stream, size, 10.0))
    return Landscape(classes, relief, cover, texture, tone, shift, vigour, roof, tile, asphalt)


def _regions(stream: Stream, size: int, latitude: float, scale: float) -> ClassMap:
    """A dominant class with natural borders to three others."""
    weights = weights_at(latitude)
    chosen: list[int] = []
    for _ in range(4):
        chosen.append(stream.index(weights))
        weights = np.where(np.arange(len(weights)) == chosen[-1], 0.0, weights)
    share = stream.uniform(0.66, 0.86)
    field = fractal_noise(stream, size, scale)
    rest = np.stack([fractal_noise(stream, size, 0.7 * scale) for _ in chosen[1:]])
    others = np.array(chosen[1:], dtype=np.uint8)[np.argmax(rest, axis=0)]
    return np.where(field >= top_share(field, share), np.uint8(chosen[0]), others)


def _field_size(stream: Stream) -> tuple[tuple[float, float], tuple[float, float]]:
    """Strip widths (px) and aspects: from smallholdings of 60 m to fields of 300 m."""
    width = stream.uniform(6.0, 20.0)
    return (0.6 * width, 1.4 * width), (1.0, stream.uniform(1.5, 4.0))


def _sow(stream: Stream, classes: ClassMap, fields: Grid) -> ClassMap:
    """Give every parcel on arable land its crop: mostly its region's, else the other crop or grass."""
    lot = fields.spread(stream.uniforms(fields.shape))
    other = np.where(classes == WINTER_CROP, np.uint8(SUMMER_CROP), np.uint8(WINTER_CROP))
    crop = np.where(lot < 0.10, np.uint8(GRASS), np.where(lot < 0.24, other, classes))
    hedge = (fields.edge < 0.7) & (fields.spread(stream.uniforms(fields.shape)) < stream.uniform(-0.3, 0.7))
    crop = np.where(hedge, np.uint8(DECIDUOUS), crop)
    return np.where(np.isin(classes, (WINTER_CROP, SUMMER_CROP)), crop, classes)


def _rivers(stream: Stream, classes: ClassMap, relief: Array) -> ClassMap:
    """A river with wet banks through some places; ponds in the hollows of others."""
    size = classes.shape[0]
    lot, width = stream.uniform(), stream.uniform(1.0, 1.0 + 0.05 * size)
    distance = meander(stream, size, 0.22 * size) + 1.5 * fractal_noise(stream, size, 8.0)
    if lot < 0.35:
        bank = (distance < 1.6 * width) & ~np.isin(classes, (BUILT_UP, WATER))
        classes = np.where(bank, np.uint8(WETLAND if lot < 0.12 else DECIDUOUS), classes)
        classes = np.where(distance < width, np.uint8(WATER), classes)
    elif lot < 0.55:
        hollow = -relief >= top_share(-relief, 0.04)
        classes = np.where(hollow, np.uint8(WATER), classes)
    return classes


def _build(stream: Stream, classes: ClassMap) -> tuple[ClassMap, Array, Array]:
    """Streets, houses and parks of built-up land, and a road across the country: classes, roof, asphalt."""
    size = classes.shape[0]
    blocks = parcel_grid(stream, size, (5.0, stream.uniform(7.0, 14.0)), (0.8, 2.2))
    houses = parcel_grid(stream, size, (1.5, 3.5), (0.8, 1.8))
    density = blocks.spread(stream.uniforms(blocks.shape, 0.15, 0.9)) * stream.uniform(0.6, 1.0)
    park = blocks.spread(stream.uniforms(blocks.shape)) < 0.10
    street = blocks.edge < 0.75
    lot = stream.uniform()
    path = meander(stream, size, 0.05 * size)
    road = (path < 0.9) & (lot < 0.6)
    town = classes == BUILT_UP
    classes = np.where(town & park & ~street, np.uint8(GRASS if lot < 0.5 else DECIDUOUS), classes)
    classes = np.where(road, np.uint8(BUILT_UP), classes)
    town = classes == BUILT_UP
    occupied = houses.spread(stream.uniforms(houses.shape, 0.2, 1.0))
    roof = np.where(town & ~street & ~road, np.minimum(1.3 * density * occupied, 0.95), 0.0)
    asphalt = np.where(town & (street | road), 0.72, 0.0) + np.where(town & ~street & ~road, 0.08, 0.0)
    return classes, roof * (1.0 - asphalt), asphalt


def _grow(stream: Stream, classes: ClassMap, fields: Grid, scale: float) -> tuple[Array, Array, Array]:
    """Shift of the season (days), tone of the ground and vigour: by parcel on farms, smooth elsewhere."""
    size = classes.shape[0]
    farmed = np.isin(classes, (WINTER_CROP, SUMMER_CROP, GRASS))
    smooth = fractal_noise(stream, size, 0.5 * scale)
    shift = np.where(farmed, fields.spread(stream.uniforms(fields.shape, -20.0, 20.0)), 14.0 * smooth)
    patchy = fractal_noise(stream, size, 0.8 * scale)
    tone = np.where(farmed, fields.spread(stream.uniforms(fields.shape, 0.8, 1.2)), 1.0) + 0.45 * patchy
    contrast = np.where(np.isin(classes, (BARE, EVERGREEN)), 0.5, 0.25)
    tone = tone + contrast * smooth
    vigour = np.where(farmed, fields.spread(stream.uniforms(fields.shape, 0.75, 1.1)), 1.0 + 0.3 * smooth)
    return shift + 6.0 * patchy, tone, vigour + 0.15 * patchy
