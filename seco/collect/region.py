"""Regions and points that users give: polygon files, countries, outlines of scenes, CSV files."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas
import numpy as np

from seco.collect.geography import clip_to, country, land
from seco.collect.sampling import OverArea
from seco.collect.stream import Array
from seco.errors import ConfigError, reason_of

COLUMNS = (("lon", "lng", "longitude", "x"), ("lat", "latitude", "y"))
LIMITS = ((-180.0, 180.0), (-80.0, 84.0))  # degrees; UTM ends there


def open_region(region: str) -> OverArea:
    """Uniform by area on the land of a polygon file, in any projection, or of a country.

    Args:
        region: File that GDAL reads, or else an English name or ISO code.

    Raises:
        ConfigError: If there is neither, or no land in it.
    """
    shapes = _read_polygons(Path(region)) if Path(region).exists() else country(region)
    on_land = clip_to(land(), shapes)
    if on_land.is_empty:
        raise ConfigError(
            f"region: expected land that Sentinel-2 covers (56° S to 84° N; map 1:50,000,000), got none in {region}; "
            "choose another, or give places with --sampling points"
        )
    return OverArea(on_land, "land of a region")


def open_outlines(outlines: Sequence[Any]) -> OverArea:
    """Uniform by area on the land within outlines of scenes (polygons, degrees).

    Raises:
        ConfigError: If there is none.
    """
    if not outlines:
        raise ConfigError("sampling: expected scenes on disk, got a source that does not list them all; choose another")
    on_land = clip_to(land(), geopandas.GeoSeries(outlines, crs="EPSG:4326"))
    if on_land.is_empty:
        raise ConfigError(
            f"sampling: expected scenes over land (56° S to 84° N; map 1:50,000,000), got {len(outlines)} without any; "
            "give places with --sampling points"
        )
    return OverArea(on_land, "land of the scenes")


def read_points(file: Path) -> Array:
    """Longitudes and latitudes ``[n, 2]``, degrees, of a CSV file with columns lon and lat among others.

    Raises:
        ConfigError: If the file cannot be read or a row is no point; says which line.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            rows = csv.DictReader(text)
            columns = [_column(file, rows.fieldnames or [], names) for names in COLUMNS]
            points = [_point(f"{file}, line {rows.line_num}", row, columns) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"points: expected a CSV file in UTF-8, got {file}: {reason_of(error)}; give another") from error
    if not points:
        raise ConfigError(f"points: expected rows of points, got none in {file}; give another file")
    return np.array(points)


def _read_polygons(file: Path) -> geopandas.GeoSeries:
    from pyogrio.errors import DataSourceError

    try:
        shapes: Any = geopandas.read_file(file)
    except DataSourceError as error:
        raise ConfigError(
            f"region: expected a file of polygons, got {error}; give GeoJSON, GeoPackage or the like"
        ) from error
    if not isinstance(shapes, geopandas.GeoDataFrame) or not shapes.geom_type.str.contains("Polygon").any():
        raise ConfigError(f"region: expected polygons, got none in {file}; give another file")
    if shapes.crs is None:
        raise ConfigError(f"region: expected polygons with a reference system, got none in {file}; write it into the file")
    degrees = shapes.geometry.to_crs("EPSG:4326")
    west, _, east, _ = degrees.total_bounds
    if not -180.0 <= west <= east <= 180.0:
        raise ConfigError(
            f"region: expected longitudes from -180 to 180, got {west:g} to {east:g} in {file}; cut it at the date line, or "
            "write its reference system into the file"
        )
    return degrees


def _column(file: Path, header: Sequence[str], names: tuple[str, ...]) -> str:
    column = next((each for each in header if each.strip().lower() in names), None)
    if column is None:
        got = ", ".join(header) or "none"
        remedy = "name it so, and separate columns by commas"
        raise ConfigError(f"points: expected a column {names[0]} in {file}, got {got}; {remedy}")
    return column


def _point(where: str, row: dict[str, str], columns: list[str]) -> list[float]:
    point = []
    for column, (low, high) in zip(columns, LIMITS, strict=True):
        try:
            degrees = float(row[column])
        except (TypeError, ValueError):
            degrees = math.nan
        if not low <= degrees <= high:
            raise ConfigError(
                f"points: expected {column} from {low:g} to {high:g}, got {row[column]!r} in {where}; correct it"
            )
        point.append(degrees)
    return point
