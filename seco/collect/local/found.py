"""A scene that was found on disk."""

from dataclasses import dataclass

from shapely.geometry import MultiPolygon, Polygon

from seco.bands import Band
from seco.collect.source import Scene


@dataclass(frozen=True)
class FoundScene:
    """A scene, its product level and bands, and where it has pixels (longitude and latitude, degrees)."""

    scene: Scene
    level: str
    bands: tuple[Band, ...]
    footprint: Polygon | MultiPolygon
