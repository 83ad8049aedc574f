"""The source local: products as ESA packs them, and dated rasters."""

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from scenes import SIZE, expected_patch, inside, numbers_of, write_raster, write_safe
from seco.cli.main import main

from seco.bands import SENTINEL2_L1C, SENTINEL2_L2A
from seco.collect.local import LocalSource
from seco.data.store import open_store
from seco.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul")  # rasterio of its own dependency
WINDOW = [(np.datetime64("2021-06-01"), np.datetime64("2021-07-31"))]


@pytest.mark.parametrize(("level", "bands"), [("L2A", SENTINEL2_L2A), ("L1C", SENTINEL2_L1C)])
def test_products_are_read_in_place(tmp_path, level, bands):
    name = write_safe(tmp_path / "deep" / "down", "2021-06-21", 1, level=level)
    write_safe(tmp_path, "2021-09-01", 2, level=level)
    source, place = LocalSource(tmp_path, patch_size=SIZE), inside(2)
    assert (source.product_level, source.bands) == (level, bands)
    (scenes,) = source.list_scenes([place], [WINDOW])
    (scene,) = scenes
    assert (scene.id, scene.tile, scene.baseline, scene.cloud_percent) == (name, "31TDG", 5.09, 3.5)
    np.testing.assert_array_equal(source.read(place, scenes)[0], expected_patch(place, 1, -1000, bands))
    assert np.isnan(source.cloud_fractions(place, scenes)).all()


def test_products_before_baseline_4_have_no_offset(tmp_path):
    write_safe(tmp_path, "2021-06-21", 1, baseline="03.00", offset=0)
    source, place = LocalSource(tmp_path, patch_size=SIZE), inside()
    (scenes,) = source.list_scenes([place], [WINDOW])
    np.testing.assert_array_equal(source.read(place, scenes)[0], expected_patch(place, 1))


@pytest.fixture
def rasters(tmp_path):
    """Five dates of one place, all bands on the 10 m grid."""
    folder = tmp_path / "rasters"
    for seed, day in enumerate(("2020-12-20", "2021-03-20", "2021-06-21", "2021-09-20", "2021-12-20")):
        planes = [
            np.kron(numbers_of(band, seed), np.ones((band.resolution_m // 10,) * 2, np.uint16)) for band in SENTINEL2_L2A
        ]
        write_raster(folder / f"place_{day}.tif", np.array(planes))
    return folder


def test_dated_rasters_are_read_in_place(rasters):
    source, place = LocalSource(rasters, patch_size=SIZE), inside(3)
    (scenes,) = source.list_scenes([place], [WINDOW])
    assert [scene.id for scene in scenes] == ["place_2021-06-21"]
    np.testing.assert_array_equal(source.read(place, scenes)[0], expected_patch(place, 2))


def test_real_rasters_in_degrees_are_resampled(shared_data):
    source = LocalSource(shared_data("boadella_s2"), patch_size=SIZE)
    with rasterio.open(next(iter(sorted(shared_data("boadella_s2").glob("*.tif"))))) as raster:
        longitude, latitude = (raster.bounds.left + raster.bounds.right) / 2, (raster.bounds.top + raster.bounds.bottom) / 2
        from seco.collect.locations import place_patch

        place = place_patch("000000", longitude, latitude, SIZE)
        (scenes,) = source.list_scenes([place], [[(np.datetime64("2020-01-01"), np.datetime64("2020-01-15"))]])
        pixels = source.read(place, scenes)
        near = raster.read(window=raster.window(longitude - 0.002, latitude - 0.002, longitude + 0.002, latitude + 0.002))
    assert pixels.shape == (1, 12, SIZE, SIZE)
    assert set(np.unique(pixels[0, 3])) <= set(np.unique(near[3])), "numbers that no pixel has: they were mixed"


def test_places_beyond_the_scenes_end_in_one_line(rasters, tmp_path):
    words = ["--catalog", rasters, "--out", tmp_path / "store", "--locations", 3, "--seed", 1, "--patch-size", SIZE]
    result = CliRunner().invoke(
        main, ["collect", "--source", "local", *map(str, words), "--window", "45", "--attempts", "3"]
    )
    assert result.exit_code == 1
    assert "no clear scene" in result.output.strip().splitlines()[-1]
    refused = CliRunner().invoke(main, ["collect", "--source", "local", *map(str, words[2:])])
    assert refused.exit_code == 1
    assert refused.output == "Error: catalog: expected the folder of the scenes, got none; give --catalog FOLDER\n"


def cut(folder):
    name = write_safe(folder, "2021-06-21", 1)
    file = folder / f"{name}.SAFE" / "MTD_MSIL2A.xml"
    file.write_text(file.read_text().replace("_B12_", "_X12_"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "expected two or more dated GeoTIFFs"),
        (lambda folder: (folder / "MTD_MSIL2A.xml").write_text("<r></r>"), "expected metadata of a Sentinel-2 product"),
        (
            lambda folder: [write_safe(folder, "2021-06-21", 1, level=level) for level in ("L1C", "L2A")],
            "scenes of one level",
        ),
        (cut, "expected images of all bands, got none of B12"),
    ],
)
def test_bad_folders_are_one_line(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        LocalSource(tmp_path, patch_size=SIZE)
    assert "\n" not in str(caught.value)


def test_points_end_in_a_store_that_says_where_it_comes_from(rasters, tmp_path):
    places = [inside(number) for number in range(3)]
    rows = [f"{place.longitude},{place.latitude}" for place in places]
    (tmp_path / "points.csv").write_text("\n".join(["lon,lat", *rows]))
    words = ["--catalog", rasters, "--out", tmp_path / "store", "--locations", 3, "--seed", 1, "--patch-size", SIZE]
    words += [
        "--sampling",
        "points",
        "--points",
        tmp_path / "points.csv",
        "--until",
        "2021-12-31",
        "--dates",
        3,
        "--window",
        45,
    ]
    result = CliRunner().invoke(main, ["collect", "--source", "local", *map(str, words)])
    assert result.exit_code == 0, result.output
    store = open_store(tmp_path / "store")
    assert len(store) == 3
    assert store.description.product_level == "L2A"
    assert store.description.source.startswith("local, ")
    dates, pixels = store[0]
    days = ["2020-12-20", "2021-03-20", "2021-06-21", "2021-09-20", "2021-12-20"]
    seeds = [days.index(str(date)[:10]) for date in dates]
    np.testing.assert_array_equal(pixels, [expected_patch(places[0], seed) for seed in seeds])
