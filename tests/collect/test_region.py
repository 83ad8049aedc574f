"""Regions and points of the user, and what is said where they will not do."""

import geopandas
import numpy as np
import pytest
import shapely
from click.testing import CliRunner
from seco.cli.main import main

from seco.collect.locations import place_patch, utm_epsg
from seco.collect.region import open_outlines, open_region, read_points
from seco.collect.stream import Stream
from seco.errors import ConfigError

CATALONIA = shapely.box(0.5, 41.0, 3.0, 42.5)


def write(path, *shapes, crs="EPSG:4326", **columns):
    geopandas.GeoDataFrame(columns, geometry=list(shapes), crs=crs).to_file(path)
    return str(path)


def test_a_file_in_any_projection_gives_places_on_its_land(tmp_path):
    square = geopandas.GeoSeries([CATALONIA], crs="EPSG:4326").to_crs("EPSG:25831").iloc[0]
    file = write(tmp_path / "area.gpkg", square, crs="EPSG:25831")
    longitude, latitude = open_region(file).draw(Stream(0, 0, 0), 500).T
    # Straight edges of a projection are curved in degrees: 0.05° is far more than they bend here.
    assert shapely.contains_xy(CATALONIA.buffer(0.05), longitude, latitude).all()
    assert not shapely.contains_xy(shapely.box(2.4, 41.0, 3.0, 41.2), longitude, latitude).any()  # the sea off Barcelona


def test_the_same_region_has_the_same_name_and_another_has_not(tmp_path):
    one, two = (write(tmp_path / name, CATALONIA) for name in ("one.geojson", "two.gpkg"))
    assert open_region(one).name == open_region(two).name != open_region("Spain").name


@pytest.mark.parametrize(
    ("shape", "crs", "message"),
    [
        (shapely.box(-40, 20, -35, 25), "EPSG:4326", "expected land that Sentinel-2 covers .* got none"),
        (shapely.box(0, -80, 9, -75), "EPSG:4326", "expected land that Sentinel-2 covers .* got none"),
        (shapely.box(170, -20, 185, -10), "EPSG:4326", "expected longitudes from -180 to 180, got 170 to 185"),
        (shapely.Point(2, 42), "EPSG:4326", "expected polygons, got none"),
        (CATALONIA, None, "expected polygons with a reference system"),
    ],
)
@pytest.mark.filterwarnings("ignore:'crs' was not provided")
def test_a_file_that_will_not_do(tmp_path, shape, crs, message):
    with pytest.raises(ConfigError, match=message):
        open_region(write(tmp_path / "area.gpkg", shape, crs=crs))


def test_a_file_that_is_none(tmp_path):
    (tmp_path / "area.geojson").write_text("nothing")
    with pytest.raises(ConfigError, match="region: expected a file of polygons"):
        open_region(str(tmp_path / "area.geojson"))


@pytest.mark.parametrize("header", ["lon,lat", "name,Longitude, latitude ", "\ufefflon,lat"])
def test_points_of_a_csv_file(tmp_path, header):
    file = tmp_path / "points.csv"
    values = "2.5,42.1" if "name" not in header else "Girona,2.5,42.1"
    file.write_text(f"{header}\n{values}\n\n", encoding="utf-8")
    np.testing.assert_array_equal(read_points(file), [[2.5, 42.1]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lon,lat\n1,2\n181,2\n", "expected lon from -180 to 180, got '181' in .*points.csv, line 3"),
        ("lon,lat\n1,nan\n", "expected lat from -80 to 84, got 'nan' in .*line 2"),
        ("lon,lat\n1\n", "expected lat .* got None in .*line 2"),
        ("lon,lat\n", "expected rows of points, got none"),
        ("east,lat\n1,2\n", "expected a column lon in .*, got east, lat"),
        ("", "expected a column lon in .*, got none"),
    ],
)
def test_wrong_rows_are_named(tmp_path, text, message):
    file = tmp_path / "points.csv"
    file.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_points(file)
    with pytest.raises(ConfigError, match=r"expected a CSV file in UTF-8, got .*none\.csv: No such file or directory; give"):
        read_points(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("wrong", "code", "message"),
    [
        (("--sampling", "region"), 2, "--region: expected with --sampling region, got none"),
        (("--region", "FR"), 2, "--region: expected with --sampling region, got none; give both or neither"),
        (("--region", "FR", "--sampling", "land"), 2, "--region: expected with --sampling region, got --sampling land"),
        (("--sampling", "points"), 2, "--points: expected with --sampling points"),
        (("--sampling", "region", "--region", "Frence"), 1, "did you mean France"),
        (("--sampling", "region", "--region", "Antarctica"), 1, "expected land that Sentinel-2 covers"),
    ],
)
def test_wrong_options_are_one_line(tmp_path, wrong, code, message):
    options = ("--source", "earthengine", "--out", str(tmp_path / "store"), "--locations", "1", "--seed", "1")
    result = CliRunner().invoke(main, ["collect", *options, *wrong])
    assert result.exit_code == code
    assert message in result.stderr.splitlines()[-1]
    assert not (tmp_path / "store").exists()


def test_patches_lie_on_the_lattice_of_published_tiles():
    """T51LTE begins at x 199980, y 8500000: a whole number of 60 m pixels from its corner to each patch's."""
    for longitude, latitude in [(120.3, -13.7), (120.9, -14.2), (121.1, -13.9)]:
        place = place_patch("0", longitude, latitude, 264)
        left, _, _, top, _, _ = place.transform
        assert place.epsg == 32751
        assert (left - 199_980) % 60 == (8_500_000 - top) % 60 == 0
        assert top % 60 == 40
    left, _, _, top, _, _ = place_patch("0", 2.8, 42.3, 264).transform  # T31TDG begins at x 399960, y 4700040
    assert (left - 399_960) % 60 == (4_700_040 - top) % 60 == 0


@pytest.mark.parametrize(
    ("longitude", "zone"), [(3, 31), (8.9, 31), (9, 33), (20.9, 33), (21, 35), (33, 37), (41.9, 37), (43, 38)]
)
def test_svalbard_has_its_own_zones(longitude, zone):
    assert utm_epsg(longitude, 78.0) == 32600 + zone


def test_scenes_of_a_source_that_cannot_list_them(tmp_path):
    with pytest.raises(ConfigError, match="expected scenes on disk, got a source that does not list them all"):
        open_outlines([])
    sea = shapely.box(-40, 0, -39, 1)
    with pytest.raises(ConfigError, match=r"expected scenes over land .*, got 1 without any"):
        open_outlines([sea])
    land = open_outlines([shapely.box(2, 41.5, 3, 42.5), sea]).draw(Stream(0, 0, 0), 50)
    assert ((land > (2, 41.5)) & (land < (3, 42.5))).all()
