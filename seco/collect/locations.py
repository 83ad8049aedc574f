"""Where: patches on the ground, and their 60 m lattice in UTM."""

from dataclasses import dataclass
from typing import Any

LATTICE_M = 60  # the coarsest Sentinel-2 pixel: on this lattice 20 m and 60 m bands repeat exactly
SOUTH_NORTHING_M = 10_000_000  # false northing of the southern UTM zones; 40 modulo 60
PIXEL_M = 10


@dataclass(frozen=True)
class Location:
    """A patch on the ground.

    Attributes:
        id: Six digits or more.
        longitude: Of the patch's centre, degrees.
        latitude: Of the patch's centre, degrees.
        epsg: Its UTM zone: 326xx north, 327xx south of the equator.
        transform: GDAL geotransform; the upper left corner lies on the 60 m lattice.
    """

    id: str
    longitude: float
    latitude: float
    epsg: int
    transform: tuple[float, float, float, float, float, float]


def location_id(number: int) -> str:
    """Name of location number ``number``, from 0."""
    return f"{number:06d}"


def location_number(location_id: str) -> int:
    """Number of the location of that name."""
    return int(location_id)


def utm_epsg(longitude: float, latitude: float) -> int:
    """EPSG code of a point's UTM zone (degrees); other zones over Norway and Svalbard as Sentinel-2's tiles have."""
    zone = min(int((longitude + 180.0) / 6.0), 59) + 1
    if 56.0 <= latitude < 64.0 and 3.0 <= longitude < 12.0:
        zone = 32
    elif latitude >= 72.0 and 0.0 <= longitude < 42.0:
        zone = 31 + 2 * int((longitude + 3.0) / 12.0)  # 31, 33, 35 and 37, which meet at 9, 21 and 33 degrees
    return (32600 if latitude >= 0 else 32700) + zone


def place_patch(location_id: str, longitude: float, latitude: float, patch_size: int) -> Location:
    """Snap the patch of patch_size px around a point (degrees) to the 60 m lattice of its UTM zone."""
    from rasterio.warp import transform

    epsg = utm_epsg(longitude, latitude)
    utm = f"EPSG:{epsg}"
    (x,), (y,) = transform("EPSG:4326", utm, [longitude], [latitude])
    half = 0.5 * patch_size * PIXEL_M
    lattice_y = 0 if latitude >= 0 else SOUTH_NORTHING_M % LATTICE_M
    left = LATTICE_M * round((x - half) / LATTICE_M)
    top = lattice_y + LATTICE_M * round((y + half - lattice_y) / LATTICE_M)
    (longitude,), (latitude,) = transform(utm, "EPSG:4326", [left + half], [top - half])
    geotransform = (float(left), float(PIXEL_M), 0.0, float(top), 0.0, float(-PIXEL_M))
    return Location(location_id, round(longitude, 7), round(latitude, 7), epsg, geotransform)


def footprint_of(location: Location, patch_size: int) -> Any:  # noqa: ANN401 - a shapely polygon
    """The patch of ``patch_size`` px of 10 m on the ground, in degrees."""
    from rasterio.warp import transform_geom
    from shapely.geometry import box, shape

    left, top, side = location.transform[0], location.transform[3], patch_size * PIXEL_M
    outline = box(left, top - side, left + side, top).segmentize(side / 4)  # its edges are no straight lines in degrees
    return shape(transform_geom(f"EPSG:{location.epsg}", "EPSG:4326", outline.__geo_interface__))
