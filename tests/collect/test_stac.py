"""STAC: the real clients, and GDAL, on an API at 127.0.0.1 and on a catalogue of files."""

import json
import os
from dataclasses import replace

import numpy as np
import pystac
import pytest
import rasterio
import requests
from click.testing import CliRunner
from commands import error_line
from scenes import (
    CLOUDY,
    DAYS,
    NORTH,
    SIDE_M,
    WEST,
    check_store,
    expected_patch,
    item,
    make_items,
    write_points,
    write_raster,
)
from seco.cli.main import main
from shapely.geometry import box, mapping
from small_collections import quick_gate
from stac_stub import CONFORMS, StacStub, stub_apart

from seco.bands import LEVELS, SENTINEL2_L2A
from seco.collect.locations import Location, footprint_of, place_patch
from seco.collect.stac import tokens
from seco.collect.stac.catalogue import anonymous, ask_for_start
from seco.collect.stac.items import COMMON_NAMES, scene_of
from seco.collect.stac.source import StacSource
from seco.collect.window import RefusedError
from seco.data.store import open_store
from seco.errors import SceneError, SourceError

SIZE = 24
PLACE = Location("000000", 1.8, 41.5, 32631, (WEST + 600.0, 10.0, 0.0, NORTH - 600.0, 0.0, -10.0))
YEAR = [(np.datetime64("2021-01-01"), np.datetime64("2021-12-31"))]


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Rasters of scenes of baseline 03.00 and the items of them, with links to fill in."""
    folder = tmp_path_factory.mktemp("archive")
    return folder, make_items(folder, "HREF")


@pytest.fixture
def stub(archive):
    folder, items = archive
    with StacStub(folder) as running:
        running.items = json.loads(json.dumps(items).replace("HREF", f"{running.url}/files"))
        yield running


@pytest.fixture
def catalogue(archive, tmp_path):
    """A catalogue on disk, with relative links."""
    folder, items = archive
    content = json.loads(json.dumps(items).replace("HREF", os.path.relpath(folder, tmp_path / "stac/s2/item")))
    extent = pystac.Extent(pystac.SpatialExtent([[-180, -90, 180, 90]]), pystac.TemporalExtent([[None, None]]))
    collection = pystac.Collection("s2", "Sentinel-2 level 2A", extent)
    collection.add_items(pystac.Item.from_dict(each | {"collection": None}) for each in content)
    root = pystac.Catalog("mine", "A catalogue on disk")
    root.add_child(collection)
    root.normalize_and_save(str(tmp_path / "stac"), pystac.CatalogType.SELF_CONTAINED)
    return tmp_path / "stac"


def open_source(catalogue, **changes):
    return StacSource(**{"catalogue": str(catalogue), "patch_size": SIZE, "cloud_percent": 10.0} | changes)


def collect(catalogue, out, *more):
    words = ["collect", "--source", "stac", "--catalog", catalogue, "--out", out, "--locations", 4, "--seed", 3]
    words += ["--patch-size", SIZE, "--dates", 2, *more]
    return CliRunner().invoke(main, [str(word) for word in words])


def test_scenes_of_all_pages_with_what_the_items_say(stub):
    source = open_source(stub.url)
    (scenes,) = source.list_scenes([PLACE], [YEAR])
    assert len(scenes) == sum(each["properties"]["datetime"].startswith("2021") for each in stub.items) > stub.page
    scene = min(scenes, key=lambda scene: scene.time)
    assert (scene.tile, scene.cloud_percent, scene.baseline) == ("31TDG", 2.5, 3.0)
    assert scene.time == np.datetime64("2021-01-12T10:36:31")
    assert source.collection == "127.0.0.1, sentinel-2-c1-l2a"


def test_scenes_that_cover_a_part_of_the_patch_are_left_out(stub):
    edge = Location("000000", 1.8, 41.5, 32631, (WEST - 60.0, 10.0, 0.0, NORTH - 600.0, 0.0, -10.0))
    assert open_source(stub.url).list_scenes([edge], [YEAR]) == [[]]


def test_pixels_come_through_range_requests_and_clouds_from_the_classification(stub):
    source = open_source(stub.url)
    (scenes,) = source.list_scenes([PLACE], [YEAR])
    scenes = sorted(scenes, key=lambda scene: scene.time)[:2]
    dates = [DAYS.index(str(scene.time)[:10]) for scene in scenes]
    expected = [expected_patch(PLACE.transform, date, patch_size=SIZE) for date in dates]
    np.testing.assert_array_equal(source.read(PLACE, scenes), expected)
    assert stub.ranges
    assert sorted(source.cloud_fractions(PLACE, scenes)) == [0.0, 1.0]


@pytest.mark.parametrize("fault", [429, 503])
def test_what_may_pass_is_asked_again(stub, fault):
    source = open_source(stub.url)
    stub.faults, before = {"search": [fault]}, len(stub.headers)
    with pytest.raises(SourceError, match=f"got HTTP {fault}; run the same command again later") as caught:
        source.list_scenes([PLACE], [YEAR])
    assert (caught.value.retriable, caught.value.quota) == (True, fault == 429)
    assert len(stub.headers) == before + 1, "the collector asks again, not the client"
    stub.faults = {"search": [fault]}
    (scenes,) = quick_gate().call(lambda: source.list_scenes([PLACE], [YEAR]))
    stub.faults = {"files": [fault] * 3}
    with pytest.raises(SourceError, match=rf"tif: expected an answer of 127\.0\.0\.1, got HTTP {fault}") as caught:
        source.read(PLACE, scenes[:1])
    assert (caught.value.retriable, caught.value.quota) == (True, fault == 429)
    stub.faults = {"files": [fault]}
    assert quick_gate().call(lambda: source.read(PLACE, scenes[:1])).all()


def test_retry_after_is_heeded(stub):
    source = open_source(stub.url)
    for fault, quota in ((429, True), (503, False)):
        stub.faults, stub.retry_after = {"search": [fault]}, "17"
        with pytest.raises(SourceError, match=f"got HTTP {fault}") as caught:
            source.list_scenes([PLACE], [YEAR])
        assert (caught.value.retry_after_s, caught.value.quota, caught.value.retriable) == (17.0, quota, True)


def test_requests_that_are_wrong_are_not_made_again(stub):
    source = open_source(stub.url)
    stub.faults = {"search": [400]}
    with pytest.raises(SourceError, match="got HTTP 400; check the URL") as caught:
        source.list_scenes([PLACE], [YEAR])
    assert not caught.value.retriable


def test_a_line_that_drops_is_asked_again(stub):
    source = open_source(stub.url)
    stub.faults = {"search": [0], "files": [0]}
    (scenes,) = quick_gate().call(lambda: source.list_scenes([PLACE], [YEAR]))
    assert quick_gate().call(lambda: source.read(PLACE, scenes[:1])).all()


def test_items_without_a_band_are_left_out(stub):
    source = open_source(stub.url)
    for each in stub.items:
        del each["assets"]["swir16"]
    assert source.list_scenes([PLACE], [YEAR]) == [[]]


def test_clouds_are_of_the_pixels_that_have_a_class(stub, tmp_path):
    side = SIDE_M // 20
    classes = np.full((side, side), CLOUDY, np.uint8)
    classes[:, : side // 2], classes[: side // 2] = 3, 0
    write_raster(tmp_path / "SCL.tif", classes)
    source = open_source(stub.url)
    (scenes,) = source.list_scenes([PLACE], [YEAR])
    scene = replace(scenes[0], handle=replace(scenes[0].handle, classes=str(tmp_path / "SCL.tif")))
    assert source.cloud_fractions(at(SIDE_M / 2 - 120), [scene]) == [1.0]  # shadow, cloud, and nothing known
    classes[classes == 3] = 4
    write_raster(tmp_path / "SCL.tif", classes)
    assert source.cloud_fractions(at(SIDE_M / 2 - 120), [scene]) == [0.5]
    assert source.cloud_fractions(at(0), [scene]) == [1.0]  # nothing known: not clear
    scene = replace(scene, handle=replace(scene.handle, classes=None))
    assert np.isnan(source.cloud_fractions(PLACE, [scene])).all()


def at(metres):
    """A place so far to the south-east of the scenes' corner."""
    return Location("000000", 1.8, 41.5, 32631, (WEST + metres, 10.0, 0.0, NORTH - metres, 0.0, -10.0))


def test_a_file_that_is_gone_costs_the_scene_only(stub):
    source = open_source(stub.url)
    (scenes,) = source.list_scenes([PLACE], [YEAR])
    stub.faults = {"files": [404] * 3}
    with pytest.raises(SceneError, match="expected a raster that can be read"):
        source.read(PLACE, scenes[:1])


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_may_pass(stub, status):
    source = open_source(stub.url)
    (scenes,) = source.list_scenes([PLACE], [YEAR])
    stub.faults = {"files": [status] * 3}
    with pytest.raises(RefusedError, match=rf"tif: expected an answer of 127\.0\.0\.1, got HTTP {status}") as caught:
        source.read(PLACE, scenes[:1])
    assert caught.value.retriable
    stub.faults = {"files": [status]}
    with pytest.raises(RefusedError, match="127"):
        ask_for_start(requests.Session(), f"{stub.url}/files/any.tif")


def test_a_patch_at_the_date_line_is_searched_on_both_sides(stub):
    asked, search = [], stub.search
    stub.search = lambda body: asked.append(body.get("bbox")) or search(body)
    source = open_source(stub.url)
    place = place_patch("000000", 180.0, -16.8, SIZE)
    footprint = footprint_of(place, SIZE)
    for each in stub.items:
        each["geometry"], each["bbox"] = mapping(footprint.buffer(0.01)), [-180, -20, 180, -10]
    asked.clear()
    (scenes,) = source.list_scenes([place], [YEAR])
    boxes = {tuple(box) for box in asked}
    assert len(boxes) == 2
    assert max(east - west for west, _, east, _ in boxes) < 0.01
    assert len({scene.id for scene in scenes}) == len(scenes) > 3


def test_malformed_items_are_left_out(stub):
    source = open_source(stub.url)
    (scenes,) = source.list_scenes([PLACE], [YEAR])
    first, second, third, fourth, *_ = (item for item in stub.items if item["properties"]["datetime"] > "2021")
    del first["assets"]
    second["assets"]["red"] = {}
    third["geometry"] = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}
    fourth["geometry"] = {"type": "Circle"}
    assert len(source.list_scenes([PLACE], [YEAR])[0]) == len(scenes) - 4


def test_a_damaged_file_is_told_from_a_line_that_fails(stub):
    source = open_source(stub.url)
    (scenes,) = source.list_scenes([PLACE], [YEAR])
    whole = scenes[0].handle.bands["B04"][0]
    for fault in (503, 0):
        for answers in range(6):  # before the fault: after all requests for the file there is none
            stub.faults, outcome = {"files": [200] * answers + [fault] * 20}, "read"
            try:
                source._read_window(whole, PLACE, [1])
            except SourceError as error:
                outcome = type(error)
            assert outcome in ("read", SourceError), (fault, answers)
    stub.faults = {}
    content = (stub.folder / whole.partition("/files/")[2]).read_bytes()
    for name, damaged in (("html.tif", b"<html>" * 5_000), ("cut.tif", content[:20_000])):
        (stub.folder / name).write_bytes(damaged)
        with pytest.raises(SceneError, match=f"{name}: expected a raster that can be read, got none") as caught:
            quick_gate(tries=3).call(lambda name=name: source._read_window(f"{stub.url}/files/{name}", PLACE, [1]))
        assert caught.value.retriable


def test_dry_run_around_cities_finds_nothing_in_one_tile(tmp_path, stub):
    result = collect(stub.url, tmp_path / "store", "--dry-run", "--attempts", 2)
    assert "Sampled 4 locations: 0 with all dates; rejected: " in result.stdout


def test_api_to_store_through_faults(tmp_path, archive):
    folder, items = archive
    (folder / "items.json").write_text(json.dumps(items))
    # Places around cities would miss the one tile of the stub.
    points = ("--sampling", "points", "--points", write_points(tmp_path / "points.csv", 20))
    with stub_apart(folder, {"search": [200, 503, 0], "files": [503, 429, 500, 0] * 3}) as url:
        result = collect(url, tmp_path / "store", "--locations", 20, *points)
    assert result.exit_code == 0, result.output
    store = open_store(tmp_path / "store")
    assert (len(store), store.description.product_level, store.description.offset) == (20, "L2A", 0.0)
    assert store.description.source == "stac, 127.0.0.1, sentinel-2-c1-l2a"
    check_store(store)
    assert url not in (tmp_path / "store/dataset.json").read_text()


def test_catalogue_on_disk_to_store_at_offset_zero(tmp_path, catalogue):
    for file in catalogue.rglob("S2A*.json"):
        file.write_text(file.read_text().replace('"03.00"', '"05.10"'))
    result = collect(catalogue, tmp_path / "store")
    assert result.exit_code == 0, result.output
    store = open_store(tmp_path / "store")
    assert store.description.source == "stac, mine"
    check_store(store, offset=-1000)
    again = collect(catalogue / "catalog.json", tmp_path / "other", "--collection", "s2")
    assert "4 locations, 2 dates each, 12 bands of 24 x 24 px" in again.stdout


def test_real_pixels_are_those_of_the_file(tmp_path, shared_data):
    (folder,) = shared_data("bigearthnet").glob("S2A_MSIL2A_20170613*")
    files = {band.name: f"{folder}/{folder.name}_{band.name}.tif" for band in SENTINEL2_L2A}
    with rasterio.open(files["B02"]) as file:
        expected, bounds, epsg = file.read(1), file.bounds, file.crs.to_epsg()
    assets = {COMMON_NAMES[name]: {"href": file} for name, file in files.items()}
    real = item(
        "S2A_31TDG_20170613_0_L2A", {"datetime": "2017-06-13T10:10:31Z", "s2:processing_baseline": "2.05"}, assets, "x"
    )
    real["geometry"] = mapping(box(-180, -90, 180, 90))
    scene = scene_of(real, SENTINEL2_L2A)
    place = Location("000000", 0.0, 0.0, epsg, (bounds.left, 10.0, 0.0, bounds.top, 0.0, -10.0))
    pystac.Catalog("real", "One patch of BigEarthNet").normalize_and_save(str(tmp_path), pystac.CatalogType.SELF_CONTAINED)
    root = pystac.Catalog.from_file(str(tmp_path / "catalog.json"))
    root.add_item(pystac.Item.from_dict(real | {"collection": None, "bbox": [-180, -90, 180, 90]}))
    root.normalize_and_save(str(tmp_path), pystac.CatalogType.SELF_CONTAINED)
    pixels = open_source(tmp_path, patch_size=120).read(place, [scene])[0]
    np.testing.assert_array_equal(pixels[1], expected)
    for plane, (name, file) in zip(pixels, files.items(), strict=True):
        with rasterio.open(file) as raster:
            native = raster.read(1)
        repeats = 120 // native.shape[0]
        np.testing.assert_array_equal(plane, native.repeat(repeats, 0).repeat(repeats, 1), err_msg=name)


@pytest.mark.parametrize(
    ("collection", "host", "properties", "offset"),
    [
        ("sentinel-2-c1-l2a", "earth-search.aws.element84.com", {"s2:processing_baseline": "05.00"}, -1000),
        ("sentinel-2-c1-l2a", "earth-search.aws.element84.com", {"s2:processing_baseline": "02.14"}, 0),
        ("sentinel-2-l2a", "earth-search.aws.element84.com", {"earthsearch:boa_offset_applied": True}, 0),
        ("sentinel-2-l2a", "earth-search.aws.element84.com", {"s2:processing_baseline": "05.11"}, None),
        ("sentinel-2-l2a", "earth-search.aws.element84.com", {"s2:processing_baseline": "03.01"}, 0),
        ("sentinel-2-l2a", "a.copy", {"s2:processing_baseline": "05.09", "earthsearch:boa_offset_applied": False}, None),
        ("sentinel-2-c1-l2a", "a.copy", {"s2:processing_baseline": "05.09", "earthsearch:boa_offset_applied": False}, -1000),
        ("sentinel-2-l2a", "planetarycomputer.microsoft.com", {"s2:processing_baseline": "04.00"}, -1000),
        ("sentinel-2-l2a", "stac.dataspace.copernicus.eu", {"processing:version": "05.11"}, -1000),
        ("mine", "localhost", {"s2:product_uri": "S2B_MSIL2A_20230101T100319_N0509_R122_T33UXP_20230101T1.SAFE"}, -1000),
        ("mine", "localhost", {"s2:processing_baseline": "05.00", "earthsearch:boa_offset_applied": "false"}, -1000),
        ("mine", "localhost", {}, None),
    ],
)
def test_the_offset_by_collection_and_baseline(collection, host, properties, offset):
    assets = {f"{band.name}_{band.resolution_m}m": {"href": "x"} for band in SENTINEL2_L2A}
    found = item("S2A_31TDG_1", {"datetime": "2023-01-01T00:00:00Z", **properties}, assets, collection)
    found["links"] = [{"rel": "self", "href": f"https://{host}/items/1"}]
    scene = scene_of(found, SENTINEL2_L2A)
    assert (scene and scene.handle.offset) == offset


def test_tiles_in_all_spellings():
    assets = {band.name: {"href": "x"} for band in SENTINEL2_L2A}
    for name, more in (
        ("a", {"s2:mgrs_tile": "5QKB"}), ("a", {"grid:code": "MGRS-05QKB"}), ("S2A_5QKB_20210101_0_L2A", {}),
        ("S2A_MSIL2A_20210621T103631_N0300_R008_T05QKB_20210621T143310", {}),
        ("a", {"mgrs:utm_zone": 5, "mgrs:latitude_band": "Q", "mgrs:grid_square": "KB"}),
    ):  # fmt: skip
        found = item(name, {"datetime": "2021-01-01T00:00:00Z", "s2:processing_baseline": "03.00", **more}, assets, "c")
        assert scene_of(found, SENTINEL2_L2A).tile == "05QKB"


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"datetime": "2021-06-21T10:36:31.024000Z"}, "2021-06-21T10:36:31"),
        ({"datetime": "2021-06-21T01:36:31+02:00"}, "2021-06-20T23:36:31"),
        ({"datetime": None, "start_datetime": "2021-06-21T10:36:31Z"}, "2021-06-21T10:36:31"),
        ({"datetime": "2021-06-21T10:36:31"}, "2021-06-21T10:36:31"),  # no zone: UTC, wherever this runs
        ({"datetime": "midsummer"}, None),
        ({"datetime": None}, None),
    ],
)
def test_times_are_utc(times, expected):
    assets = {band.name: {"href": "x"} for band in SENTINEL2_L2A}
    found = item("S2A_31TDG", {"s2:processing_baseline": "03.00", **times}, assets, "c")
    scene = scene_of(found, SENTINEL2_L2A)
    assert (scene and str(scene.time)) == expected


def test_no_credentials_are_looked_for(stub, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("GDAL_HTTP_USERPWD", "me:secret")
    monkeypatch.setenv("GDAL_HTTP_HEADERS", "Authorization: Bearer secret")
    monkeypatch.setenv("GDAL_HTTP_COOKIE", "session=secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    source = open_source(stub.url)
    (scenes,) = source.list_scenes([PLACE], [YEAR])
    source.read(PLACE, scenes[:1])
    assert not any(
        "secret" in value or name == "Authorization" for headers in stub.headers for name, value in headers.items()
    )


def test_links_into_the_planetary_computers_storage_are_signed_once(stub, monkeypatch):
    monkeypatch.setattr(tokens, "TOKEN_URL", f"{stub.url}/files")
    (stub.folder / "account").mkdir(exist_ok=True)
    (stub.folder / "account/container").write_text('{"token": "sig=1", "msft:expiry": "2999-01-01T00:00:00Z"}')
    signer = tokens.Tokens(anonymous(requests.Session()))
    link = "https://account.blob.core.windows.net/container/a.tif"
    before = len(stub.headers)
    assert [signer.sign(link), signer.sign(link)] == [f"{link}?sig=1"] * 2
    assert len(stub.headers) == before + 1
    (stub.folder / "account/container").write_text('{"token": "sig=2", "msft:expiry": "2999-01-01T00:00:00Z"}')
    signer.forget(f"{link}?sig=0")
    assert signer.sign(link) == f"{link}?sig=1"  # not the one that was refused
    signer.forget(f"{link}?sig=1")
    assert signer.sign(link) == f"{link}?sig=2"
    assert signer.sign("https://elsewhere/a.tif") == "https://elsewhere/a.tif"
    with pytest.raises(SceneError, match=r"expected an answer of 127\.0\.0\.1, got HTTP 404"):
        signer.sign("https://other.blob.core.windows.net/container/a.tif")


def test_what_a_user_can_cause_is_one_line(tmp_path, stub, catalogue, capfd):
    store = tmp_path / "store"
    assert "expected an answer of 127.0.0.1, got none" in error_line(collect("http://user:secret@127.0.0.1:9/", store))
    assert "collection: expected one of sentinel-2-c1-l2a, got x;" in error_line(
        collect(stub.url, store, "--collection", "x")
    )
    assert "collection: expected one of s2, got x;" in error_line(collect(catalogue, store, "--collection", "x"))
    assert "catalog: expected earth-search, planetary-computer, a URL" in error_line(collect(tmp_path / "none", store))
    assert "expected a STAC catalogue, got" in error_line(collect(tmp_path, store))
    (stub.folder / "other.json").write_text('{"token": "sig=1"}')
    assert "in STAC's words" in error_line(collect(f"{stub.url}/files/other.json", store))
    stub.conforms = CONFORMS
    assert "expected a STAC API with item search" in error_line(collect(stub.url, store))
    assert capfd.readouterr() == ("", "")
    assert not store.exists()


def test_missing_bands_private_files_and_no_items_are_known_at_once(stub):
    everything = stub.items
    stub.items = []
    assert "without any" in error_line(collect(stub.url, "x"))
    stub.items = json.loads(json.dumps(everything[:1]))
    stub.items[0]["assets"]["red"]["href"] = "s3://bucket/B04.jp2"
    assert "got 127.0.0.1, sentinel-2-c1-l2a with s3:// links" in error_line(collect(stub.url, "x"))
    del stub.items[0]["assets"]["red"]
    assert "without B04; choose another" in error_line(collect(stub.url, "x"))
    stub.items = json.loads(json.dumps(everything[:1]))
    del stub.items[0]["properties"]["s2:processing_baseline"]
    assert "expected items that say their processing baseline (s2:" in error_line(collect(stub.url, "x"))


@pytest.mark.skipif(not os.environ.get("SECO_LIVE_STAC"), reason="asks live catalogues: set SECO_LIVE_STAC=1")
@pytest.mark.parametrize("name", ["earth-search", "planetary-computer"])
def test_live(name):
    source = open_source(name, cloud_percent=20.0, patch_size=264)
    place = place_patch("000000", 2.1, 41.8, 264)
    (scenes,) = source.list_scenes([place], [(np.datetime64("2022-06-01"), np.datetime64("2022-07-31"))])
    pixels = source.read(place, scenes[:1])
    assert pixels.shape == (1, len(LEVELS["L2A"]), 264, 264)
    assert 100 < np.median(pixels[pixels > 0]) < 5_000
    assert 0.0 <= source.cloud_fractions(place, scenes[:1])[0] <= 1.0
