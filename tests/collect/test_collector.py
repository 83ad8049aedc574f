"""The collector: what it writes depends on settings and catalogue alone, whatever happens on the way."""

import errno
import itertools
import json
import os
from collections import Counter
from contextlib import closing, suppress

import numpy as np
import pyarrow.parquet
import pytest
import shapely
from earthengine_catalogue import BANDS, pixels
from earthengine_graph import BadRequestError
from earthengine_stub import FAULTS, random_faults
from land_rectangles import LandRectangles
from rasterio.warp import transform
from small_collections import SIZE, files_of, quick_gate, run, settings_of, source_of

from seco.collect.choose import PlaceRejected
from seco.collect.collector import LOST, Progress, collect, explain_rejections
from seco.collect.estimate import estimate
from seco.collect.gate import RequestGate
from seco.collect.geography import land
from seco.collect.journal import Journal
from seco.collect.places import PLACES_EACH, DrawnPlaces
from seco.collect.sampling import AroundCities
from seco.data import writer
from seco.data.merge import merge_stores
from seco.data.packing import pack_store
from seco.data.statistics import DigitalNumberHistogram
from seco.data.store import open_store
from seco.errors import RunError, SourceError, StoreError


def test_store_has_what_the_catalogue_has(tmp_path, stub):
    progress = run(tmp_path / "store", stub, locations=3)
    assert (progress.accepted, progress.requests) == (3, 4)
    store = open_store(tmp_path / "store")
    assert (len(store), store.patch_size, len(store.bands)) == (3, SIZE, 12)
    columns = ["location_id", "time", "scene_id", "tile", "baseline", "scene_cloud", "cloud_fraction", "geotransform"]
    rows = store.read_index(columns).to_pylist()
    assert len(rows) == 15
    for number, row in enumerate(rows):
        names = [asset.index for asset in assets(stub, row)]
        index = next(name for name in names if row["scene_id"] in (name, f"S2A_MSIL2A_{name}"))
        x, _, _, y, _, _ = row["geotransform"]
        grid = {"affineTransform": {"translateX": x, "translateY": y}, "dimensions": {"width": SIZE, "height": SIZE}}
        expected = [pixels(index, band, grid) for band in BANDS["COPERNICUS/S2_SR_HARMONIZED"]]
        np.testing.assert_array_equal(store.read(np.array([number]))[0], expected)
        (asset,) = (asset for asset in assets(stub, row) if asset.index == index)
        assert row["baseline"] == np.float32(asset.baseline)
        assert row["scene_cloud"] == np.float32(asset.cloud)
        assert row["cloud_fraction"] == (None if asset.patch_cloud is None else np.float32(asset.patch_cloud))
        assert row["scene_cloud"] <= 10


def assets(stub, row):
    day = int(np.datetime64(row["time"], "D").astype(int)) * 86_400_000
    return stub.catalogue.assets(row["tile"], day, day + 86_400_000)


def test_one_tile_and_one_grid_for_all_dates(tmp_path, stub):
    run(tmp_path / "store", stub)
    rows = open_store(tmp_path / "store").read_index(["location_id", "tile", "epsg", "geotransform"]).to_pylist()
    for _, group in itertools.groupby(rows, key=lambda row: row.pop("location_id")):
        assert len({json.dumps(row) for row in group}) == 1


def test_statistics_are_those_of_the_pixels(tmp_path, stub):
    run(tmp_path / "store", stub)
    store = open_store(tmp_path / "store")
    values = np.concatenate([store[i][1] for i in range(len(store))])[:, 3].astype(np.float64)
    assert store.statistics["B04"].mean == pytest.approx(values.mean(), rel=1e-12)
    assert store.statistics["B04"].std == pytest.approx(values.std(), rel=1e-12)
    assert (store.path / "journal.sqlite").exists() is False


def test_rejected_candidates_are_kept_with_reasons(tmp_path, poor_stub):
    progress = run(tmp_path / "store", poor_stub, locations=30)
    table = pyarrow.parquet.read_table(tmp_path / "store/rejected.parquet").to_pandas()
    assert len(table) == progress.rejected.total() > 10
    assert set(table["reason"]) <= {"no clear scene", "no tile with all dates", "cloud over the patch"}
    assert table["reason"].value_counts().to_dict() == progress.rejected
    assert table["longitude"].between(-180, 180).all()
    for _, attempts in table.groupby("location_id")["attempt"]:
        assert attempts.tolist() == list(range(len(attempts)))


def test_places_in_the_sea_and_overlapping_ones_are_kept_with_their_position(tmp_path, stub):
    places = DrawnPlaces(AroundCities(20_000.0, np.array([[2.17, 41.38]])), locations=40, patch_size=264)
    settings = settings_of(locations=40)
    collect(tmp_path / "store", settings, source_of(stub), places, gate=quick_gate())
    table = pyarrow.parquet.read_table(tmp_path / "store/rejected.parquet").to_pandas()
    assert {"sea", "overlap"} <= set(table["reason"])
    assert table["longitude"].between(1, 3).all()
    assert table["latitude"].between(40, 43).all()
    for row in table[table["reason"] == "sea"].itertuples():
        assert not shapely.contains_xy(land(), row.longitude, row.latitude)


def test_location_k_does_not_depend_on_how_many_there_are(tmp_path, poor_stub):
    for locations in (5, 12):
        run(tmp_path / str(locations), poor_stub, locations=locations)
    few, many = (files_of(tmp_path / n / "patches") for n in ("5", "12"))
    assert few.items() <= many.items()


def test_threads_and_faults_change_nothing(tmp_path, poor_stub):
    run(tmp_path / "calm", poor_stub, gate=quick_gate(most=1), locations=30)
    poor_stub.faults = random_faults(4, 0.15, FAULTS)
    run(tmp_path / "wild", poor_stub, locations=30)
    assert sum(count for name, count in poor_stub.counts.items() if name.startswith("fault")) > 5
    assert files_of(tmp_path / "wild") == files_of(tmp_path / "calm")


def test_a_server_of_little_quota_is_served_and_changes_nothing(tmp_path, stub):
    run(tmp_path / "wide", stub, locations=60)
    stub.most_in_flight, stub.latency_s = 3, 0.005
    run(tmp_path / "narrow", stub, locations=60)
    assert stub.counts["fault 429"] > 0
    assert files_of(tmp_path / "narrow") == files_of(tmp_path / "wide")


def test_ctrl_c_keeps_what_there_is(tmp_path, poor_stub):
    run(tmp_path / "whole", poor_stub, locations=30)
    steps = itertools.count()

    def interrupt(_progress):
        if next(steps) == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "store", poor_stub, locations=30, report=interrupt)
    before = poor_stub.counts["image:computePixels"]
    kept = len(list((tmp_path / "store/patches").iterdir()))
    progress = run(tmp_path / "store", poor_stub, locations=30)
    assert progress.accepted_before >= 1
    assert poor_stub.counts["image:computePixels"] - before == 30 - progress.accepted_before <= 30 - kept + 12
    assert files_of(tmp_path / "store") == files_of(tmp_path / "whole")


def test_ctrl_c_between_the_journal_and_the_histogram(tmp_path, poor_stub, monkeypatch):
    run(tmp_path / "whole", poor_stub)
    calls = itertools.count()

    def interrupted(self, seen, add=DigitalNumberHistogram.add_counts):
        if next(calls) == 4:
            raise KeyboardInterrupt
        add(self, seen)

    with monkeypatch.context() as patch:
        patch.setattr(DigitalNumberHistogram, "add_counts", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "store", poor_stub)
    assert run(tmp_path / "store", poor_stub).accepted_before >= 5
    assert files_of(tmp_path / "store") == files_of(tmp_path / "whole")


def test_a_finished_store_asks_nothing(tmp_path, stub):
    run(tmp_path / "store", stub)
    before = stub.requests
    assert run(tmp_path / "store", stub) is None
    assert stub.requests == before


def test_network_loss_ends_the_run_and_the_next_goes_on(tmp_path, poor_stub):
    run(tmp_path / "whole", poor_stub, locations=30)
    start = poor_stub.requests
    poor_stub.faults = lambda number, path: "drop" if number > start + 20 else None
    with pytest.raises(SourceError, match="run the same command again"):
        run(tmp_path / "store", poor_stub, locations=30, gate=quick_gate(tries=2))
    poor_stub.faults = lambda number, path: None
    assert run(tmp_path / "store", poor_stub, locations=30).accepted_before > 0
    assert files_of(tmp_path / "store") == files_of(tmp_path / "whole")


def test_one_place_that_never_answers_does_not_stop_the_others(tmp_path, stub):
    progress = []
    place = LandRectangles(SIZE).candidate(7, 3, 0)

    def refuse(body, evaluate=stub.compute_pixels, **options):
        if body["grid"]["affineTransform"]["translateX"] == place.transform[0]:
            raise ConnectionAbortedError
        return evaluate(body, **options)

    stub.compute_pixels = refuse
    with pytest.raises(SourceError):
        run(tmp_path / "store", stub, gate=quick_gate(tries=3), report=progress.append)
    assert progress[-1].accepted == 11
    with pytest.raises(SourceError, match="locations left for the next run, or for --skip-bad: 1; the last: earthengine"):
        run(tmp_path / "store", stub, gate=quick_gate(tries=3))
    ended = run(tmp_path / "store", stub, gate=quick_gate(tries=3), skip_bad=True)
    assert (ended.accepted, ended.rejected) == (12, {"unreadable": 1})
    assert ended.unreadable.startswith("earthengine: expected an answer, got none")


def fail_for(stub, numbers):
    """Never give pixels of the first places of some locations."""
    corners = {LandRectangles(SIZE).candidate(7, number, 0).transform[0] for number in numbers}

    def refuse(body, evaluate=stub.compute_pixels, **options):
        if body["grid"]["affineTransform"]["translateX"] in corners:
            raise ConnectionAbortedError
        return evaluate(body, **options)

    stub.compute_pixels = refuse


def test_many_places_that_never_answer_may_be_skipped(tmp_path, stub):
    fail_for(stub, range(4, 4 + LOST + 3))
    with suppress(SourceError):  # ten in a row or not
        run(tmp_path / "store", stub, gate=quick_gate(tries=2), locations=24)
    ended = run(tmp_path / "store", stub, gate=quick_gate(tries=2), locations=24, skip_bad=True)
    assert (ended.accepted, ended.rejected) == (24, {"unreadable": LOST + 3})


def test_an_outage_skips_one_place_at_most(tmp_path, stub):
    rejected = []
    for _ in range(2):
        stub.faults = lambda number, path: "drop" if path == "image:computePixels" else None
        with pytest.raises(SourceError):
            run(tmp_path / "other", stub, gate=quick_gate(tries=2), locations=24, skip_bad=True)
        with closing(Journal(tmp_path / "other")) as journal:
            rejected.append(len(journal.rejected()))
    assert rejected == [1, 2]


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("Computation timed out.", {"gate": quick_gate(tries=2), "skip_bad": True}),  # may pass, but does not
        ("Collection query aborted after accumulating over 5000 elements.", {}),
    ],
)
def test_a_place_that_cannot_be_listed_is_a_rejection_and_spoils_no_other(tmp_path, stub, words, changes):
    place = LandRectangles(SIZE).candidate(7, 3, 0)
    (corner,), _ = transform(f"EPSG:{place.epsg}", "EPSG:4326", [place.transform[0]], [place.transform[3]])

    def refuse(body, evaluate=stub.compute_value):
        if str(corner)[:10] in json.dumps(body):
            raise BadRequestError(words)
        return evaluate(body)

    stub.compute_value = refuse
    ended = run(tmp_path / "store", stub, **changes)
    assert (ended.accepted, ended.rejected) == (12, {"unreadable": 1})


def test_every_place_that_cannot_be_listed_ends_with_the_servers_words(tmp_path, stub):
    def refuse(_body):
        raise BadRequestError("No such function.")

    stub.compute_value = refuse
    with pytest.raises(RunError, match=r"unreadable \d+, the last: earthengine: .*No such function"):
        run(tmp_path / "store", stub, locations=30, max_attempts=2)


def test_a_burst_of_computations_that_time_out_changes_nothing(tmp_path, stub):
    run(tmp_path / "calm", stub)
    asked = itertools.count()

    def refuse(body, evaluate=stub.compute_pixels, **options):
        if 3 <= next(asked) < 60:
            raise BadRequestError("Computation timed out.")
        return evaluate(body, **options)

    stub.compute_pixels = refuse
    assert run(tmp_path / "store", stub).rejected == Counter()
    assert files_of(tmp_path / "store") == files_of(tmp_path / "calm")


@pytest.mark.parametrize("content", [b"<html></html>", b'{"result": [[0', b"", b"{}", b"null", b'{"result": [[0, [[1]]]]}'])
def test_a_list_that_makes_no_sense_is_asked_for_again(stub, tmp_path, content):
    asked = itertools.count()
    stub.compute_value = lambda body, evaluate=stub.compute_value: evaluate(body) if next(asked) else content
    assert run(tmp_path / "store", stub).accepted == 12


def test_a_scene_that_cannot_be_read_is_a_rejection(tmp_path, stub):
    place = LandRectangles(SIZE).candidate(7, 3, 0)
    find = stub.catalogue.find

    def lose(body, evaluate=stub.compute_pixels, **options):
        gone = body["grid"]["affineTransform"]["translateX"] == place.transform[0]
        stub.catalogue.find = (lambda index: None) if gone else find
        try:
            return evaluate(body, **options)
        finally:
            stub.catalogue.find = find

    stub.compute_pixels = lose
    assert run(tmp_path / "store", stub, gate=quick_gate(most=1)).rejected == {"unreadable": 1}


def test_a_packed_collection_is_complete(tmp_path, stub):
    run(tmp_path / "store", stub)
    pack_store(open_store(tmp_path / "store"), tmp_path / "packed")
    assert run(tmp_path / "packed", stub) is None


def test_full_disk_loses_nothing(tmp_path, poor_stub, monkeypatch):
    run(tmp_path / "whole", poor_stub)
    written = itertools.count()

    def full(path, content, write=writer.write_atomic):
        if next(written) > 50:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_atomic", full)
        with pytest.raises(OSError, match="No space left"):
            run(tmp_path / "store", poor_stub)
    assert run(tmp_path / "store", poor_stub).accepted_before >= 1
    assert files_of(tmp_path / "store") == files_of(tmp_path / "whole")


def test_merged_shards_are_the_store_of_one_run(tmp_path, poor_stub):
    run(tmp_path / "whole", poor_stub, locations=20)
    for shard in range(3):
        run(tmp_path / f"part{shard}", poor_stub, locations=20, num_shards=3, shard=shard)
    parts = [open_store(tmp_path / f"part{shard}") for shard in range(3)]
    assert merge_stores(parts, tmp_path / "merged") == 20
    assert files_of(tmp_path / "merged") == files_of(tmp_path / "whole")
    with pytest.raises(StoreError, match=r"expected all 3 shards of its collection, got \[0, 2\]"):
        merge_stores([parts[2], parts[0]], tmp_path / "fewer")


@pytest.mark.parametrize(
    ("change", "name"),
    [({"seed": 8}, "seed"), ({"dates": 4}, "dates"), ({"until": "2021-12-30"}, "until"), ({"locations": 13}, "locations")],
)
def test_other_settings_are_refused_by_name(tmp_path, stub, change, name):
    run(tmp_path / "store", stub)
    before = files_of(tmp_path / "store")
    with pytest.raises(StoreError, match=rf"expected a collection with {name} .*, got one begun with"):
        run(tmp_path / "store", stub, **change)
    assert files_of(tmp_path / "store") == before


def test_a_folder_in_use_is_refused(tmp_path, stub):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="expected a new or empty folder"):
        run(tmp_path, stub)


def test_two_at_once_are_refused(tmp_path, stub):
    settings, source = settings_of(), source_of(stub)  # one client: its state is that of the process

    def start(report=lambda progress: None):
        return collect(tmp_path / "store", settings, source, LandRectangles(SIZE), gate=quick_gate(), report=report)

    def second(_progress):
        with pytest.raises(StoreError, match="wait for the other"):
            start()

    start(report=second)


def test_an_impossible_cloud_limit_ends_with_the_reasons(tmp_path, stub):
    with pytest.raises(RunError, match=r"expected 1000, got 0.*after 3 attempts.*no clear scene \d+"):
        run(tmp_path / "store", stub, locations=1000, cloud_percent=0.0, max_attempts=3)
    assert stub.counts["value:compute"] <= 40  # of the 120 that all attempts of all locations would take
    with pytest.raises(RunError, match=r"expected 2, got 0"):
        run(tmp_path / "few", stub, locations=2, cloud_percent=0.0, max_attempts=2)


def test_advice_is_for_the_reason_that_occurs_most():
    progress = Progress(wanted=3, given_up=3, rejected=Counter({"no clear scene": 2, "overlap": 58}))
    expected = "(rejected: overlap 58, no clear scene 2); ask for fewer locations, smaller patches or a larger region"
    assert explain_rejections(progress, settings_of()).endswith(expected)


def test_after_a_collection_of_nothing_other_settings_may_be_tried(tmp_path, stub):
    with pytest.raises(RunError, match="allow more cloud"):
        run(tmp_path / "store", stub, cloud_percent=0.0, max_attempts=2)
    assert run(tmp_path / "store", stub).accepted == settings_of().locations


def test_estimate_writes_and_reads_nothing(poor_stub):
    assert estimate(settings_of(locations=399), source_of(poor_stub), LandRectangles(SIZE)).sample.wanted == 200
    settings = settings_of(locations=2000)
    found = estimate(settings, source_of(poor_stub), LandRectangles(SIZE))
    assert poor_stub.counts["image:computePixels"] == 0
    assert (found.sample.wanted, found.every) == (200, 10)
    locations = 2000 * found.sample.accepted / 200
    assert found.locations == locations
    assert 1900 < locations < found.requests < 1.5 * locations
    assert found.bytes_received == locations * 5 * 12 * SIZE**2 * 2


def test_estimate_sees_the_overlap_of_late_locations(stub):
    """Around one city places fill up: the first locations find room, a third of all does not."""
    places = DrawnPlaces(AroundCities(3_000.0, np.array([[25.5, -12.25]])), locations=1000, patch_size=SIZE)

    def finds_room(number):
        for attempt in range(PLACES_EACH):
            with suppress(PlaceRejected):
                return bool(places.candidate(7, number, attempt))
        return False

    room = [finds_room(number) for number in range(1000)]
    assert sum(room[:200]) > 180, "the first ones tell nothing of the others"
    found = estimate(settings_of(locations=1000, max_attempts=8), source_of(stub), places)
    assert found.every == 5
    three_sigma = 3 * np.sqrt(0.65 * 0.35 / 200) * 1000
    assert abs(found.locations - sum(room)) < three_sigma


def test_requests_and_concurrency_of_a_large_collection(tmp_path, stub):
    stub.latency_s = 0.02
    gate = RequestGate(backoff_s=0.01)
    progress = run(tmp_path / "store", stub, locations=150, gate=gate)
    assert stub.counts["fault 429"] == 0
    assert stub.peak <= 40
    assert gate.limit > 18
    assert stub.requests / progress.accepted <= 1.2
