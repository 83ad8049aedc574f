"""Scenes on disk: SAFE products as ESA lays them out, and dated GeoTIFFs, read in place."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from commands import error_line
from rasterio.transform import Affine
from scenes import (
    DAYS,
    NORTH,
    OUTLINE,
    WEST,
    check_store,
    classes,
    expected_patch,
    pixels,
    write_place,
    write_points,
    write_raster,
)
from seco.cli.main import main
from shapely.geometry import Polygon

from seco.bands import SENTINEL2_L1C, SENTINEL2_L2A
from seco.collect.local.source import LocalSource, _may_hold, find_scenes
from seco.collect.locations import Location, footprint_of, place_patch
from seco.data.store import open_store
from seco.errors import SceneError, SourceError

SIZE = 24
YEAR = [(np.datetime64("2021-01-01"), np.datetime64("2021-12-31"))]
OUTLINE_WORDS = re.compile(r"<EXT_POS_LIST>(.*)</EXT_POS_LIST>")

METADATA = """<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-{level}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{level}.xsd">
  <n1:General_Info>
    <Product_Info>
      <PRODUCT_START_TIME>{day}T10:36:31.024Z</PRODUCT_START_TIME>
      <PRODUCT_URI>{name}.SAFE</PRODUCT_URI>
      <PROCESSING_LEVEL>Level-{level}</PROCESSING_LEVEL>
      <PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>
    </Product_Info>
    <Product_Image_Characteristics>{numbers}</Product_Image_Characteristics>
  </n1:General_Info>
  <n1:Geometric_Info><Product_Footprint><Product_Footprint><Global_Footprint>
    <EXT_POS_LIST>{footprint}</EXT_POS_LIST>
  </Global_Footprint></Product_Footprint></Product_Footprint></n1:Geometric_Info>
  <n1:Quality_Indicators_Info><Cloud_Coverage_Assessment>2.5</Cloud_Coverage_Assessment></n1:Quality_Indicators_Info>
</n1:Level-{level}_User_Product>
"""
OFFSETS = {"2A": ("BOA_QUANTIFICATION_VALUE", "BOA_ADD_OFFSET"), "1C": ("QUANTIFICATION_VALUE", "RADIO_ADD_OFFSET")}


def write_product(folder, date, *, level="2A", baseline="05.10", offset=-1000):
    day = DAYS[date]
    stamp = f"{day.replace('-', '')}T103631"
    name = f"S2A_MSIL{level}_{stamp}_N{baseline.replace('.', '')}_R008_T31TDG_{stamp}"
    images = folder / f"{name}.SAFE/GRANULE/L{level}_T31TDG_A031313_{stamp}/IMG_DATA"
    for band in SENTINEL2_L2A if level == "2A" else SENTINEL2_L1C:
        resolution = f"{band.resolution_m}m"
        tail = f"R{resolution}/T31TDG_{stamp}_{band.name}_{resolution}" if level == "2A" else f"T31TDG_{stamp}_{band.name}"
        write_raster(images / f"{tail}.jp2", pixels(band, date), driver="JP2OpenJPEG")
    if level == "2A":
        write_raster(images / f"R20m/T31TDG_{stamp}_SCL_20m.jp2", classes(date), driver="JP2OpenJPEG")
    quantification, added = OFFSETS[level]
    numbers = f'<{quantification} unit="none">10000</{quantification}>'
    if offset:
        numbers += "".join(f'<{added} band_id="{i}">{offset}</{added}>' for i in range(13))
    footprint = " ".join(f"{latitude} {longitude}" for longitude, latitude in OUTLINE.exterior.coords)
    file = folder / f"{name}.SAFE/MTD_MSIL{level}.xml"
    file.write_text(
        METADATA.format(level=level, day=day, name=name, baseline=baseline, numbers=numbers, footprint=footprint)
    )
    return file


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    folder = tmp_path_factory.mktemp("products")
    for date in range(len(DAYS)):
        write_product(folder / "2021", date)
    return folder


def collect(folder, out, *more):
    words = ["collect", "--source", "local", "--catalog", folder, "--out", out, "--locations", 4, "--seed", 3]
    words += ["--patch-size", SIZE, "--dates", 2, *more]
    return CliRunner().invoke(main, [str(word) for word in words])


def test_products_to_store(tmp_path, products):
    result = collect(products, tmp_path / "store")
    assert result.exit_code == 0, result.output
    store = open_store(tmp_path / "store")
    assert (store.description.product_level, store.description.offset, len(store)) == ("L2A", 0.0, 4)
    row = store.read_index(["scene_id", "tile", "baseline", "scene_cloud"]).to_pylist()[0]
    assert row["scene_id"].startswith("S2A_MSIL2A_")
    assert (row["tile"], row["baseline"], row["scene_cloud"]) == ("31TDG", np.float32(5.1), 2.5)
    check_store(store, offset=-1000)


def test_level_1c_by_name_where_both_are(tmp_path):
    for date in (0, 3):
        write_product(tmp_path, date, level="1C", baseline="03.00", offset=0)
        write_product(tmp_path, date)
    assert "expected one product level, got L1C and L2A; choose" in error_line(collect(tmp_path, tmp_path / "store"))
    source = LocalSource(tmp_path, level="L1C", patch_size=SIZE)
    assert (len(source.bands), source.product_level) == (13, "L1C")
    place = Location("0", 0.0, 0.0, 32631, (WEST + 120.0, 10.0, 0.0, NORTH - 120.0, 0.0, -10.0))
    (scenes,) = source.list_scenes([place], [[(np.datetime64(DAYS[0]), np.datetime64(DAYS[0]))]])
    assert [scene.baseline for scene in scenes] == [3.0]
    np.testing.assert_array_equal(
        source.read(place, scenes)[0],
        expected_patch(place.transform, 0, patch_size=SIZE, bands=SENTINEL2_L1C),
    )
    assert np.isnan(source.cloud_fractions(place, scenes)).all()


@pytest.mark.parametrize("offset", [None, -0.1])
def test_dated_rasters_to_store_with_the_offset_in_the_files(tmp_path, offset):
    write_place(tmp_path / "scenes/31TDG", offset=offset)
    result = collect(tmp_path / "scenes", tmp_path / "store")
    assert result.exit_code == 0, result.output
    store = open_store(tmp_path / "store")
    assert store.description.source == "local, scenes, L2A"
    check_store(store, offset=-1000 if offset else 0, clear=False)


def test_real_rasters_in_degrees_take_the_nearest_pixel(shared_data):
    source = LocalSource(shared_data("boadella_s2"), patch_size=60)
    west, south, east, north = source.outlines[0].bounds
    place = place_patch("0", (west + east) / 2, (south + north) / 2, 60)
    (scenes,) = source.list_scenes([place], [[(np.datetime64("2020-01-01"), np.datetime64("2022-12-31"))]])
    assert len(scenes) == 12
    patch = source.read(place, scenes[-1:])[0]
    with rasterio.open(scenes[-1].handle.bands["B04"][0]) as file:
        assert np.isin(patch[3], file.read(4)).all()
        (middle,) = file.sample([(place.longitude, place.latitude)], indexes=4)
    assert middle[0] in patch[3, 27:33, 27:33]


def test_bad_input_is_one_line(tmp_path, products):
    store = tmp_path / "store"
    empty = tmp_path / "empty"
    assert "expected a folder of scenes, got no such folder" in error_line(collect(empty, store))
    empty.mkdir()
    assert "expected SAFE products or dated GeoTIFFs, got none" in error_line(collect(empty, store))
    assert "expected products of level L1C, got L2A" in error_line(collect(products, store, "--collection", "L1C"))
    file = write_product(empty, 0)
    image = next(file.parent.rglob("*_B8A_20m.jp2"))
    image.unlink()
    assert "expected an image of each band, got none of B8A; fetch" in error_line(collect(empty, store))
    file.write_text("<a><PRODUCT_URI>x</PRODUCT_URI></a>")
    assert "expected the metadata of a SAFE product, got no PRODUCT_START_TIME" in error_line(collect(empty, store))
    file.write_text("no XML")
    assert "expected the metadata of a SAFE product, got syntax error" in error_line(collect(empty, store))
    words = ["collect", "--source", "local", "--locations", "1", "--seed", "1", "--out", str(store)]
    assert CliRunner().invoke(main, words).exit_code == 2
    write_place(tmp_path / "grey", dtype=np.uint8)
    assert "expected 16 bits and reflectance × 10000, got uint8" in error_line(collect(tmp_path / "grey", store))
    assert not store.exists()


def test_links_to_products_and_places_are_followed_once(tmp_path, products):
    linked = tmp_path / "linked"
    linked.mkdir()
    for product in products.iterdir():
        (linked / product.name).symlink_to(product)
    (linked / "again").symlink_to(linked)
    assert len(find_scenes(linked)) == len(find_scenes(products))
    places = tmp_path / "places"
    places.mkdir()
    (places / "place").symlink_to(write_place(tmp_path / "place"))
    assert len(find_scenes(places)) == len(DAYS)


def test_suffixes_may_be_in_capitals_and_hidden_files_are_none(tmp_path):
    for number, file in enumerate(sorted(write_place(tmp_path / "place").iterdir())):
        file.rename(file.with_suffix((".TIF", ".Tiff")[number % 2]))
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "._place_2021-01-01.tif").write_bytes(b"what a Mac leaves")
    assert len(LocalSource(tmp_path, patch_size=SIZE).outlines) == len(DAYS)


def test_places_of_other_bands_are_named_with_their_folder(tmp_path):
    for place in ("east", "west"):
        write_place(tmp_path / place)
    files = sorted((tmp_path / "west").iterdir())
    for file in files:
        with rasterio.open(file, "r+") as raster:
            raster.descriptions = tuple(band.name for band in reversed(SENTINEL2_L2A))
    error = error_line(collect(tmp_path, tmp_path / "store"))
    assert f"{files[0]}: expected the bands B01,B02," in error
    assert f"of {tmp_path}/east/{files[0].name}, got B12,B11," in error


def test_scale_that_is_refused_is_named_with_its_folder(tmp_path):
    files = sorted(write_place(tmp_path / "place").iterdir())
    for scales, got in (([2e-4] * 12, "got uint16 and scale 0.0002;"), ([1e-4] * 11 + [1], "got 0.0001 with 0, 1 with 0;")):
        with rasterio.open(files[1], "r+") as raster:
            raster.scales = scales
        error = error_line(collect(tmp_path, tmp_path / "store"))
        assert f"{files[1]}: expected" in error
        assert got in error


def test_a_disk_that_went_away_is_no_fault_of_the_scenes(tmp_path):
    write_place(tmp_path / "scenes/31TDG")
    source = LocalSource(tmp_path / "scenes", patch_size=SIZE)
    place = Location("0", 0.0, 0.0, 32631, (WEST + 120.0, 10.0, 0.0, NORTH - 120.0, 0.0, -10.0))
    (scenes,) = source.list_scenes([place], [[(np.datetime64(DAYS[1]), np.datetime64(DAYS[1]))]])
    file = Path(scenes[0].handle.bands["B04"][0])
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(SceneError, match=r"tif: expected a raster that can be read, got .*; check the catalogue"):
        source.read(place, scenes)
    (tmp_path / "scenes").rename(tmp_path / "away")
    with pytest.raises(SourceError, match="expected a file that was there at the beginning, got none; bring it") as caught:
        source.read(place, scenes)
    assert caught.value.retriable


def test_points_beyond_the_scenes_and_within(tmp_path):
    write_place(tmp_path / "31TDG")
    more = ("--sampling", "points", "--points", write_points(tmp_path / "points.csv", 4))
    result = collect(tmp_path / "31TDG", tmp_path / "store", *more)
    assert result.exit_code == 0, result.output
    check_store(open_store(tmp_path / "store"), clear=False)
    error = error_line(collect(tmp_path / "31TDG", tmp_path / "other", "--sampling", "region", "--region", "FR"))
    assert "no clear scene 80); allow more cloud or wider windows, or choose places and dates that scenes cover" in error
    error = error_line(collect(tmp_path / "31TDG", tmp_path / "other", "--patch-size", "400"))
    assert error == (
        f"Error: patch_size: expected patches that fit into the scenes of {tmp_path / '31TDG'}, got 400 px of 10 m; "
        "choose smaller ones"
    )


def fiji():
    """A place on the date line, its zone, and the corner of a scene of 3 km around it."""
    place = place_patch("000000", 180.0, -16.8, SIZE)
    return place, place.transform[0] - 1_200, place.transform[3] + 1_200


def test_dated_rasters_across_the_date_line(tmp_path):
    place, left, top = fiji()
    pixels = np.random.default_rng(0).integers(1, 4_000, (12, 300, 300)).astype(np.uint16)
    profile = {"width": 300, "height": 300, "count": 12, "dtype": "uint16", "crs": f"EPSG:{place.epsg}"}
    with rasterio.open(tmp_path / "fiji_2021-03-01.tif", "w", transform=Affine(10, 0, left, 0, -10, top), **profile) as file:
        file.write(pixels)
    shutil.copyfile(tmp_path / "fiji_2021-03-01.tif", tmp_path / "fiji_2021-06-01.tif")
    source = LocalSource(tmp_path, patch_size=SIZE)
    (scenes,) = source.list_scenes([place], [YEAR])
    assert len(scenes) == 2
    np.testing.assert_array_equal(source.read(place, scenes[:1])[0], pixels[:, 120 : 120 + SIZE, 120 : 120 + SIZE])


def test_products_across_the_date_line_are_not_around_the_earth(tmp_path):
    file = write_product(tmp_path, 20)
    outline = " ".join(OUTLINE_WORDS.findall(file.read_text()))
    file.write_text(file.read_text().replace(outline, "-16.7 179.9 -16.7 -179.9 -16.9 -179.9 -16.9 179.9 -16.7 179.9"))
    source = LocalSource(tmp_path, patch_size=SIZE)
    places = [place_patch("000000", longitude, -16.8, SIZE) for longitude in (180.0, 179.95, -179.95, 0.0, 170.0)]
    assert [len(scenes) for scenes in source.list_scenes(places, [YEAR] * 5)] == [1, 1, 1, 0, 0]


def test_a_triangle_may_hold_a_patch_that_its_middle_does_not():
    corner = footprint_of(place_patch("", 2.0, 42.0, 600), 600).exterior.coords
    triangle = Polygon([corner[0], corner[4], corner[8]])  # of a square of 6 km, whose sides are of four parts
    assert _may_hold(triangle, 264)
    assert not _may_hold(triangle, 700)


@pytest.mark.skipif(
    not os.environ.get("SECO_LOCAL_SCENES"), reason="needs scenes: SECO_LOCAL_SCENES=folder of SAFE products"
)
def test_real_products():
    source = LocalSource(Path(os.environ["SECO_LOCAL_SCENES"]), patch_size=264)
    west, south, east, north = source.outlines[0].bounds
    place = place_patch("0", (west + east) / 2, (south + north) / 2, 264)
    (scenes,) = source.list_scenes([place], [[(np.datetime64("2015-01-01"), np.datetime64("2100-01-01"))]])
    patch = source.read(place, scenes[:1])
    assert patch.shape == (1, len(source.bands), 264, 264)
    assert 100 < np.median(patch[patch > 0]) < 5_000
