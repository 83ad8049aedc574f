"""A collection that is killed, interrupted or cut off goes on, from every source, to the store of one that was not."""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from earthengine_stub import EarthEngineStub
from killed_collection import LOCATIONS, run, watch_steps
from scenes import make_items, write_place
from small_collections import POOR, files_of
from stac_stub import stub_apart

from seco.data.store import open_store
from seco.errors import SourceError

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
KINDS = ("earthengine", "stac", "local")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Scenes as STAC items of a server, and as GeoTIFFs of one place."""
    folder = tmp_path_factory.mktemp("scenes")
    (folder / "items.json").write_text(json.dumps(make_items(folder, "HREF")))
    write_place(folder / "local" / "31TDG")
    return folder


@contextmanager
def serve(kind, scenes, **faults):
    """Where a source finds its scenes."""
    if kind == "earthengine":
        with EarthEngineStub(**POOR) as stub:
            yield stub.url
    elif kind == "stac":
        with stub_apart(scenes, faults) as url:
            yield url
    else:
        yield str(scenes / "local")


@pytest.fixture(params=KINDS)
def place(request, scenes):
    """Name of a source, and where its scenes are."""
    with serve(request.param, scenes) as where:
        yield request.param, where


def run_and_die(place, folder, *lines):
    """How the runs in another process ended: 0 or the number of a signal."""
    command = [sys.executable, Path(__file__).with_name("killed_collection.py"), *place, folder]
    ends = subprocess.run(command, input="\n".join([*lines, "", ""]), capture_output=True, text=True, check=True)
    return [int(line) for line in ends.stdout.split()]


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT"])
def test_kills_leave_the_store_of_an_uninterrupted_run(tmp_path, place, name):
    kind, _ = place
    assert run(*place, tmp_path / "whole").accepted > 0.9 * LOCATIONS[kind]
    deaths = {"SIGKILL": 20, "SIGINT": 4}[name] if kind == "earthengine" else 4
    steps = np.random.default_rng(5).integers(1, 30, deaths)
    assert run_and_die(place, tmp_path / "store", *(f"{name} {n}" for n in steps)) == [*[signal.Signals[name]] * deaths, 0]
    assert files_of(tmp_path / "store") == files_of(tmp_path / "whole")


def test_what_is_there_is_not_asked_for_again(tmp_path, place):
    kind, _ = place
    asked = []

    def interrupt(progress):
        if progress.accepted == LOCATIONS[kind] // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(*place, tmp_path / "store", report=interrupt)

    def count(source):
        read = source.read
        source.read = lambda location, scenes: asked.append(location.id) or read(location, scenes)

    progress = run(*place, tmp_path / "store", watch=count)
    assert progress.accepted_before >= LOCATIONS[kind] // 2
    assert asked
    accepted = {name for name in open_store(tmp_path / "store").locations["id"].tolist() if name not in asked}
    assert len(accepted) == progress.accepted_before


def test_a_server_that_is_gone(tmp_path, scenes):
    with serve("stac", scenes) as url:
        run("stac", url, tmp_path / "whole")
    with (
        serve("stac", scenes, files=[200] * 1_500 + [0] * 10_000) as url,
        pytest.raises(SourceError, match=r"tif: expected an answer of 127\.0\.0\.1, got none; check the network"),
    ):
        run("stac", url, tmp_path / "store", tries=2)
    with serve("stac", scenes) as url:
        assert run("stac", url, tmp_path / "store").accepted_before > 0
    assert files_of(tmp_path / "store") == files_of(tmp_path / "whole")


def test_a_disk_that_is_gone(tmp_path, scenes):
    folder = scenes / "local"
    run("local", folder, tmp_path / "whole")

    def take_away(number):
        if number == 60:
            folder.rename(scenes / "away")

    with pytest.raises(SourceError, match="expected a file that was there at the beginning"):
        run("local", folder, tmp_path / "store", tries=2, watch=lambda s: watch_steps(s, take_away))
    (scenes / "away").rename(folder)
    assert run("local", folder, tmp_path / "store").accepted_before > 0
    assert files_of(tmp_path / "store") == files_of(tmp_path / "whole")
