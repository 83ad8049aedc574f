"""The source ``earthengine``: Google's own client against a stub that evaluates what it sends."""

import gc
import io
import json
import re
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from earthengine_catalogue import BANDS, pixels
from earthengine_graph import BadRequestError
from earthengine_stub import PROJECT, EarthEngineStub, random_faults
from small_collections import SIZE, quick_gate, source_of

from seco.collect.dates import Calendar
from seco.collect.earthengine.credentials import load_credentials, project_of
from seco.collect.earthengine.expressions import grid
from seco.collect.earthengine.pixels import _read_header, parse_pixels
from seco.collect.earthengine.source import EarthEngineSource
from seco.collect.locations import place_patch
from seco.collect.source import Scene
from seco.errors import ConfigError, SceneError, SourceError

PLACES = [place_patch(f"{i:06d}", *point, SIZE) for i, point in enumerate([(2.17, 41.38), (25.5, -12.25), (101.0, 30.0)])]
WINDOWS = Calendar(until=np.datetime64("2021-12-31"), dates=3).windows(0, 0, 0)


def one_of_each(scenes):
    """The first scene of each window."""
    days = [(s, s.time.astype("datetime64[D]")) for s in scenes]
    return [next(s for s, day in days if first <= day <= last) for first, last in WINDOWS]


def holds(left, top, transform):
    """Whether a tile of 109.8 km holds a patch."""
    x, y = transform[0] - left, top - transform[3]
    return 0 <= x <= 109_800 - 10 * SIZE and 0 <= y <= 109_800 - 10 * SIZE


def milliseconds(day):
    return int(day.astype(int)) * 86_400_000


def test_listing_of_many_locations_is_one_request(stub):
    listed = source_of(stub).list_scenes(PLACES, [WINDOWS] * 3)
    assert stub.requests == 1
    for place, scenes in zip(PLACES, listed, strict=True):
        expected = {
            asset.index: asset
            for tile, (epsg, left, top) in stub.catalogue.tiles.items()
            if epsg == place.epsg and holds(left, top, place.transform)
            for first, last in WINDOWS
            for asset in stub.catalogue.assets(tile, milliseconds(first), milliseconds(last + 1))
            if asset.cloud <= 10.0
        }
        assert {scene.handle for scene in scenes} == set(expected)
        for scene in scenes:
            asset = expected[scene.handle]
            assert scene.id == asset.properties.get("PRODUCT_ID", asset.index)
            assert scene.time == np.datetime64(asset.time_ms, "ms")
            assert (scene.tile, scene.cloud_percent, scene.baseline) == (asset.tile, asset.cloud, float(asset.baseline))
            np.testing.assert_equal(scene.patch_cloud, np.nan if asset.patch_cloud is None else asset.patch_cloud)


@pytest.mark.parametrize(("collection", "count"), [("COPERNICUS/S2_SR_HARMONIZED", 12), ("COPERNICUS/S2_HARMONIZED", 13)])
def test_pixels_of_all_dates_are_one_request(stub, collection, count):
    source = source_of(stub, collection=collection)
    assert len(source.bands) == count
    place = PLACES[1]
    scenes = one_of_each(source.list_scenes([place], [WINDOWS])[0])
    found = source.read(place, scenes)
    assert stub.counts["image:computePixels"] == 1
    assert (found.shape, found.dtype) == ((3, count, SIZE, SIZE), np.uint16)
    for scene, patch in zip(scenes, found, strict=True):
        expected = [pixels(scene.handle, band, grid(place, SIZE)) for band in BANDS[collection]]
        np.testing.assert_array_equal(patch, expected)


def test_every_request_has_the_workload_tag(stub):
    source = source_of(stub)
    source.read(PLACES[0], one_of_each(source.list_scenes(PLACES[:1], [WINDOWS])[0]))
    assert [body["workloadTag"] for _, body in stub.asked] == ["seco-collect"] * 2


def test_too_much_for_one_request_is_asked_for_by_date(stub):
    # 3 dates are 12 bands x 2 bytes x 840 x 840 px x 3 = 50.8 MB, more than 50.3.
    source = source_of(stub, patch_size=840)
    place = place_patch("000000", 2.17, 41.38, 840)
    scenes = one_of_each(source.list_scenes([place], [WINDOWS])[0])
    assert source.read(place, scenes).shape == (3, 12, 840, 840)
    assert stub.counts["image:computePixels"] == 3


def test_what_the_server_refuses_at_once_is_asked_for_by_date(stub, monkeypatch):
    source = source_of(stub)
    scenes = one_of_each(source.list_scenes(PLACES[:1], [WINDOWS])[0])
    whole = source.read(PLACES[0], scenes)
    evaluate = stub.compute_pixels

    def refuse_many(body, **options):
        if json.dumps(body).count("Image.load") > 1:
            raise BadRequestError("User memory limit exceeded.")
        return evaluate(body, **options)

    monkeypatch.setattr(stub, "compute_pixels", refuse_many)
    np.testing.assert_array_equal(source.read(PLACES[0], scenes), whole)
    assert stub.counts["image:computePixels"] == 1 + 1 + 3


def test_a_listing_that_the_server_refuses_is_asked_for_in_halves(stub, monkeypatch):
    source = source_of(stub)
    whole = source.list_scenes(PLACES, [WINDOWS] * 3)
    evaluate = stub.compute_value

    def refuse_many(body):
        if json.dumps(body).count("GeometryConstructors.Polygon") > 1:
            raise BadRequestError("Computation timed out.")
        return evaluate(body)

    monkeypatch.setattr(stub, "compute_value", refuse_many)
    assert repr(source.list_scenes(PLACES, [WINDOWS] * 3)) == repr(whole)


def test_a_scene_that_is_gone_is_no_failure_of_the_source(stub):
    gone = Scene(
        id="x",
        time=np.datetime64("2021-01-01"),
        tile="31TDG",
        cloud_percent=0,
        baseline=1,
        handle="20210101T0_20210101T0_T31TDG",
    )
    with pytest.raises(SceneError, match="not found"):
        source_of(stub).read(PLACES[0], [gone])


@pytest.mark.parametrize("fault", ["429", "503", "drop", "truncate", "dtype"])
def test_faults_are_retriable_and_then_the_answer_is_right(fault):
    with EarthEngineStub() as stub:
        source = source_of(stub)
        scenes = one_of_each(source.list_scenes(PLACES[:1], [WINDOWS])[0])
        expected = source.read(PLACES[0], scenes)
        stub.faults = lambda number, path: fault if number % 2 else None
        with pytest.raises(SourceError) as caught:
            source.read(PLACES[0], scenes)
        assert caught.value.retriable
        assert caught.value.quota == (fault == "429")
        np.testing.assert_array_equal(source.read(PLACES[0], scenes), expected)
        assert stub.counts[f"fault {fault}"] == 1  # the client itself tries nothing again


def test_a_server_that_says_nothing_is_given_up():
    with EarthEngineStub(faults=lambda number, path: "hang", hang_s=2.0) as stub:
        source = source_of(stub, timeout_s=0.2)
        with pytest.raises(SourceError, match="no answer") as caught:
            source.list_scenes(PLACES, [WINDOWS] * 3)
        assert caught.value.retriable


def test_retry_after_is_passed_on(stub, monkeypatch):
    source = source_of(stub)
    stub.faults = lambda number, path: "429"
    stub.retry_after = "7"
    with pytest.raises(SourceError) as caught:
        source.list_scenes(PLACES, [WINDOWS] * 3)
    assert caught.value.retry_after_s == 7.0


def test_a_random_fifth_of_faults_changes_nothing():
    with EarthEngineStub() as stub:
        source, gate = source_of(stub), quick_gate(tries=20)
        expected = source.list_scenes(PLACES, [WINDOWS] * 3)
        stub.faults = random_faults(1, 0.2)
        for _ in range(30):
            assert repr(gate.call(lambda: source.list_scenes(PLACES, [WINDOWS] * 3))) == repr(expected)
        assert sum(count for name, count in stub.counts.items() if name.startswith("fault")) > 0


# Accounts.


def test_wrong_project_is_said_without_its_name(stub):
    project = "-".join(["their", "project", "77"])  # not as it would stand in a traceback's lines of code
    with pytest.raises(SourceError, match=r"HTTP 403.*give a --project") as caught:
        source_of(stub, project=project)
    assert project not in "".join(traceback.format_exception(caught.value))
    assert not caught.value.retriable


def test_an_error_in_the_middle_names_no_account(stub):
    source = source_of(stub)
    stub.faults = lambda number, path: "403"
    with pytest.raises(SourceError, match="HTTP 403") as caught:
        source.list_scenes(PLACES, [WINDOWS] * 3)
    assert not re.search(rf"{PROJECT}|robot@|ya29", "".join(traceback.format_exception(caught.value)))


def test_no_credentials_name_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="run `earthengine authenticate`"):
        load_credentials("user")


def test_no_default_credentials_name_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(ConfigError, match="run `gcloud auth application-default login`"):
        load_credentials("adc")


def test_user_credentials_are_read_where_the_client_keeps_them(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".config/earthengine").mkdir(parents=True)
    stored = {"refresh_token": "r", "project": "their-project"}
    (tmp_path / ".config/earthengine/credentials").write_text(json.dumps(stored))
    credentials = load_credentials("user")
    assert credentials.refresh_token == "r"
    assert project_of(credentials, None) == "their-project"
    assert project_of(credentials, "another") == "another"


def test_a_key_file_that_is_none_is_not_quoted(tmp_path):
    (tmp_path / "key.json").write_text('{"private_key": "SECRET"}')
    with pytest.raises(ConfigError, match="expected the JSON key") as caught:
        load_credentials(str(tmp_path / "key.json"))
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))
    with pytest.raises(ConfigError, match="No such file"):
        load_credentials(str(tmp_path / "none.json"))


@pytest.fixture
def key_file(tmp_path, stub):
    """A service account's key whose tokens the stub gives."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    content = {
        "type": "service_account",
        "client_email": f"robot@{PROJECT}.iam.gserviceaccount.com",
        "private_key": key.private_bytes(*form).decode(),
        "project_id": PROJECT,
        "token_uri": f"{stub.url}/token",
    }
    (tmp_path / "key.json").write_text(json.dumps(content))
    return str(tmp_path / "key.json")


def test_a_service_account_asks_in_its_own_project(stub, key_file):
    source = source_of(stub, credentials=key_file, project=None)
    source.list_scenes(PLACES, [WINDOWS] * 3)
    assert "Bearer ya29.token" in stub.authorizations


def test_a_revoked_key_names_what_to_do_and_no_account(stub, key_file):
    stub.revoked = True
    with pytest.raises(SourceError, match="make a new key") as caught:
        source_of(stub, credentials=key_file, project=None)
    assert "robot" not in "".join(traceback.format_exception(caught.value))
    assert not caught.value.retriable


def test_no_project_and_unknown_collection_are_refused():
    with pytest.raises(ConfigError, match=r"^project: expected"):
        EarthEngineSource(patch_size=SIZE, cloud_percent=10, credentials="anonymous")
    with pytest.raises(ConfigError, match=r"^collection: expected"):
        EarthEngineSource(patch_size=SIZE, cloud_percent=10, credentials="anonymous", collection="COPERNICUS/S3")
    with pytest.raises(ConfigError, match=r"^patch_size: expected"):
        EarthEngineSource(patch_size=1500, cloud_percent=10, credentials="anonymous")


@pytest.mark.parametrize("answer", [b"", b"hello", b"\x93NUMPY\x01\x00\xff", b"\x93NUMPY\x01\x00v\x00{" + b" " * 117])
def test_answers_that_are_no_pixels(answer):
    with pytest.raises(SourceError, match="expected 24 uint16 bands") as caught:
        parse_pixels(answer, (2, 12, SIZE, SIZE))
    assert caught.value.retriable


class Cycle:
    """Garbage whose collection lets another thread go on, wherever this one is."""

    def __init__(self):
        self.itself = self

    def __del__(self):
        time.sleep(1e-5)


def test_many_threads_read_headers_at_once():
    def read(bands):
        buffer = io.BytesIO()
        np.save(buffer, np.full((1, 1), 7, [(f"b{i}", "<u2") for i in range(bands)]))
        for _ in range(10):
            _read_header.cache_clear()
            for _ in range(3):
                Cycle()
            assert (parse_pixels(buffer.getvalue(), (1, bands, 1, 1)) == 7).all()

    usual = gc.get_threshold()
    gc.set_threshold(50)
    try:
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(read, range(30, 130)))
    finally:
        gc.set_threshold(*usual)
