"""The source stac: a server of items and rasters on 127.0.0.1, and a catalogue of files."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("pystac_client", reason="pystac-client is not installed")
from scenes import SIZE, expected_patch, inside, write_item
from stac_server import StacServer

from seco.collect.stac.items import COMMON_NAMES, is_ambiguous, offset_of, tile_of
from seco.collect.stac.source import StacSource
from seco.errors import ConfigError, SceneError, SourceError

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul")  # rasterio of its own dependency
WINDOW = [(np.datetime64("2021-06-01"), np.datetime64("2021-07-31"))]


@pytest.fixture
def server(tmp_path):
    with StacServer(tmp_path) as running:
        yield running


def add(server, day, seed, **changes):
    href = f"{server.url}/files/{{}}"
    server.items.append(write_item(server.folder, day, seed, href=lambda file: href.format(file.name), **changes))


def source_of(server):
    return StacSource(catalogue=server.url, collection="sentinel-2-test", patch_size=SIZE)


def test_scenes_and_pixels_come_from_the_server(server):
    add(server, "2021-06-21", 1)
    add(server, "2021-07-01", 2, names=COMMON_NAMES)
    add(server, "2021-09-01", 3)
    source, place = source_of(server), inside()
    (scenes,) = source.list_scenes([place], [WINDOW])
    assert [str(scene.time) for scene in scenes] == ["2021-06-21T10:36:31", "2021-07-01T10:36:31"]
    assert {(scene.tile, scene.baseline, scene.cloud_percent) for scene in scenes} == {("31TDG", 3.0, 3.5)}
    pixels = source.read(place, scenes)
    np.testing.assert_array_equal(pixels, [expected_patch(place, seed) for seed in (1, 2)])
    assert source.cloud_fractions(place, scenes) == [0.0, 0.0]
    assert server.counts["range"] > 0, "whole files were read"
    assert server.counts["search"] == 1


@pytest.mark.parametrize(
    ("properties", "offset"),
    [
        ({"baseline": "05.09"}, -1000),
        ({"baseline": "05.09", "earthsearch:boa_offset_applied": True}, 0),
        ({"baseline": "05.09", "earthsearch:boa_offset_applied": False}, -1000),
        ({"baseline": "03.01"}, 0),
    ],
)
def test_numbers_are_brought_to_offset_zero(server, properties, offset):
    add(server, "2021-06-21", 1, **properties)
    source, place = source_of(server), inside(1)
    (scenes,) = source.list_scenes([place], [WINDOW])
    np.testing.assert_array_equal(source.read(place, scenes)[0], expected_patch(place, 1, offset))


def test_clouds_are_those_of_the_classification(server):
    add(server, "2021-06-21", 1, cloudy=True)
    source, place = source_of(server), inside()
    (scenes,) = source.list_scenes([place], [WINDOW])
    assert source.cloud_fractions(place, scenes) == [1.0]


def test_a_patch_at_the_edge_is_not_listed(server):
    add(server, "2021-06-21", 1)
    assert source_of(server).list_scenes([inside(9)], [WINDOW]) == [[]]  # beyond the scene's last pixel


def test_an_item_without_a_band_is_not_listed(server):
    add(server, "2021-06-21", 1)
    del server.items[0]["assets"]["B11"]
    assert source_of(server).list_scenes([inside()], [WINDOW]) == [[]]


@pytest.mark.parametrize(("status", "retriable"), [(503, True), (429, True), (400, False)])
def test_refusals_say_whether_to_ask_again(server, status, retriable):
    source = source_of(server)
    server.fail = status
    with pytest.raises(SourceError, match=f"got HTTP {status}") as caught:
        source.list_scenes([inside()], [WINDOW])
    assert caught.value.retriable is retriable
    assert server.counts["failed"] == 1, "the collector asks again, not the client"


def test_a_missing_raster_is_no_reason_to_ask_again(server):
    add(server, "2021-06-21", 1)
    source, place = source_of(server), inside()
    (scenes,) = source.list_scenes([place], [WINDOW])
    (server.folder / "20210621_B04.tif").unlink()
    with pytest.raises(SceneError, match="expected a raster"):
        source.read(place, scenes)


def test_unknown_collections_and_servers_are_one_line(server):
    with pytest.raises(ConfigError, match=r"collection: expected one of .* got landsat; choose from sentinel-2-test"):
        StacSource(catalogue=server.url, collection="landsat", patch_size=SIZE)
    with pytest.raises(SourceError, match=r"stac: expected items of http://127\.0\.0\.1:9"):
        StacSource(catalogue="http://127.0.0.1:9", collection="landsat", patch_size=SIZE)
    with pytest.raises(SourceError, match=r"stac: expected items of nowhere\.json"):
        StacSource(catalogue="nowhere.json", patch_size=SIZE)


def test_a_catalogue_of_files_is_searched_here(tmp_path):
    links = []
    for day, seed in (("2021-06-21", 1), ("2021-09-01", 2)):
        item = write_item(tmp_path, day, seed, href=lambda file: f"./{file.name}")
        (tmp_path / f"{item['id']}.json").write_text(json.dumps(item))
        links.append({"rel": "item", "href": f"./{item['id']}.json", "type": "application/json"})
    catalogue = {"type": "Catalog", "id": "test", "stac_version": "1.0.0", "description": "test", "links": links}
    (tmp_path / "catalog.json").write_text(json.dumps(catalogue))
    source, place = StacSource(catalogue=str(tmp_path), patch_size=SIZE), inside()
    (scenes,) = source.list_scenes([place], [WINDOW])
    np.testing.assert_array_equal(source.read(place, scenes), [expected_patch(place, 1)])
    with pytest.raises(ConfigError, match="expected items of other"):
        StacSource(catalogue=str(tmp_path), collection="other", patch_size=SIZE)


@pytest.mark.parametrize(
    ("name", "properties", "tile"),
    [
        ("x", {"s2:mgrs_tile": "31TDG"}, "31TDG"),
        ("x", {"grid:code": "MGRS-4QFJ"}, "04QFJ"),
        ("x", {"mgrs:utm_zone": 4, "mgrs:latitude_band": "Q", "mgrs:grid_square": "FJ"}, "04QFJ"),
        ("S2A_MSIL2A_20210621T103631_N0300_R008_T31TDG_20210621T143310", {}, "31TDG"),
        ("S2A_31TDG_20210621_0_L2A", {}, "31TDG"),
        ("scene", {}, ""),
    ],
)
def test_tiles_are_found_in_every_spelling(name, properties, tile):
    assert tile_of(SimpleNamespace(id=name, properties=properties)) == tile


def test_an_unknown_baseline_has_no_offset():
    assert offset_of(SimpleNamespace(id="x", properties={})) == 0
    assert offset_of(SimpleNamespace(id="S2A_MSIL2A_20230621T103631_N0509_R008_T31TDG_x", properties={})) == -1000


@pytest.mark.parametrize(
    ("collection", "applied", "baseline", "ambiguous"),
    [
        ("sentinel-2-l2a", False, "05.09", True),
        ("sentinel-2-l2a", True, "05.09", False),
        ("sentinel-2-l2a", False, "03.01", False),
        ("sentinel-2-c1-l2a", False, "05.09", False),
    ],
)
def test_scenes_whose_offset_nobody_knows_are_left_out(collection, applied, baseline, ambiguous):
    properties = {"earthsearch:boa_offset_applied": applied, "s2:processing_baseline": baseline}
    assert is_ambiguous(SimpleNamespace(id="x", collection_id=collection, properties=properties)) is ambiguous
