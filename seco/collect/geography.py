"""The packaged map: land, countries and cities, in degrees; origin and licences in ``data/README.md``."""

import difflib
from functools import cache
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from seco.errors import ConfigError

DATA = Path(__file__).parent / "data"
MAP = DATA / "countries-50m.json"
# Where Sentinel-2 observes land systematically, 56° S to 84° N; UTM ends at 84° N too.
COVERED = shapely.box(-180, -56, 180, 84)


@cache
def cities() -> NDArray[np.float64]:
    """Longitude and latitude of the 10,000 most populated cities ``[10000, 2]``, degrees, most populated first."""
    return np.loadtxt(DATA / "cities.csv", delimiter=",", skiprows=1, usecols=(0, 1))


@cache
def land() -> Any:  # noqa: ANN401 - shapely has no types
    """All land that Sentinel-2 covers, a prepared multipolygon, degrees."""
    geometry = clip_to(COVERED, countries().geometry)
    shapely.prepare(geometry)
    return geometry


@cache
def countries() -> geopandas.GeoDataFrame:
    """Countries with ``name``, ``name_geonames``, ``iso2`` and ``iso3``, NaN where there is none; Antarctica is empty."""
    codes = pd.read_csv(DATA / "country_codes.csv", dtype=str, keep_default_na=False)  # NA is Namibia
    shapes = geopandas.read_file(MAP, layer="countries").set_crs("EPSG:4326")
    # Antarctica's coast runs around the pole, and Sentinel-2 seldom looks there.
    shapes.loc[shapes["name"] == "Antarctica", "geometry"] = shapely.Polygon()
    shapes.geometry = [shape if shape.is_empty else cut_at_date_line(shape) for shape in shapes.geometry]
    return shapes.merge(codes, on="id", how="left", suffixes=("", "_geonames"))


def country(name: str) -> geopandas.GeoSeries:
    """Shapes of a country by its English name or ISO 3166-1 code of two or three letters, in any case.

    Raises:
        ConfigError: If there is none; says which names are near.
    """
    table = countries()
    names = table[["name", "name_geonames", "iso2", "iso3"]].apply(lambda column: column.str.casefold())
    found = table.geometry[names.eq(name.casefold()).any(axis=1)]
    if found.empty:
        known = {each.casefold(): each for each in pd.concat([table["name"], table["name_geonames"]]).dropna()}
        near = [known[each] for each in difflib.get_close_matches(name.casefold(), known, n=3)]
        advice = f"did you mean {' or '.join(near)}?" if near else "give its English name or ISO code"
        raise ConfigError(f"region: expected a file of polygons or a country, got {name}; {advice}")
    return found


def cut_at_date_line(shape: Any) -> Any:  # noqa: ANN401
    """Polygons whose outline jumps from 180° to -180°, in parts on both sides."""
    parts = shapely.get_parts(shape)
    if shapely.bounds(parts)[:, 2].max() - shapely.bounds(parts)[:, 0].min() < 180:
        return shape
    smooth = [shapely.transform(part, _unwrap) for part in parts]
    turns = [shapely.intersection(smooth, shapely.box(turn - 180, -90, turn + 180, 90)) for turn in (-360, 0, 360)]
    back = [shapely.transform(turn, lambda xy, by=by: xy - (by, 0)) for turn, by in zip(turns, (-360, 0, 360), strict=True)]
    return shapely.union_all(back)


def _unwrap(xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole turns are added, so that a ring still closes to the bit."""
    turns = np.round((np.unwrap(xy, period=360, axis=0) - xy) / 360)
    return xy + 360 * turns


def clip_to(shape: Any, geometry: geopandas.GeoSeries) -> Any:  # noqa: ANN401
    """The part of polygons within a shape, as one valid polygon or multipolygon, empty if they do not meet."""
    pieces = shapely.get_parts(shapely.intersection(shape, geometry.make_valid().union_all()))
    while (shapely.get_type_id(pieces) == shapely.GeometryType.GEOMETRYCOLLECTION).any():
        pieces = shapely.get_parts(pieces)
    return shapely.union_all(pieces[shapely.get_dimensions(pieces) == 2])
