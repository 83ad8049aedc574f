"""DALI's loader is the native one, through other hands: the same batches."""

import subprocess
import sys
from pathlib import Path

# Before what imports them: an error here would end the collection of all tests.
import dali_plugin  # noqa: F401
import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pytest.importorskip("rasterio", reason="rasterio is not installed")
from seco.data.dali_loader import DaliLoader
from seco.data.loader import Loader
from seco.data.normalization import Normalization
from seco.data.packing import pack_store
from seco.data.store import open_store
from seco.errors import ArrayError, ConfigError, StoreError
from seco.ops.recipe import RECIPES

BANDS = ("B04", "B03", "B02")


@pytest.fixture(params=["loose", "packed"])
def store(make_store, tmp_path, request):
    dates = tuple(f"2021-0{month}-01T10:00:00" for month in range(1, 6))
    names = tuple(f"{i:02}" + "-x" * (i % 3) for i in range(11))  # of any length
    loose = make_store(locations=names, dates=dates)
    if request.param == "packed":
        pack_store(open_store(loose), tmp_path / "packed")
        return open_store(tmp_path / "packed")
    return open_store(loose)


def make(kind, store, method="seco", **changes):
    normalization = Normalization.from_store(store, changes.pop("bands", BANDS))
    recipe = RECIPES[method].for_bands(normalization.bands)
    settings = {"size": 6, "batch_size": 3, "seed": 9, "threads": 2} | changes
    return kind(store, recipe=recipe, normalization=normalization, **settings)


def batches(loader, epoch=0, start_step=0):
    return [(b.views.clone(), b.locations) for b in loader.epoch(epoch, start_step)]


def test_steps_that_are_not_there_are_refused(store):
    with pytest.raises(ArrayError, match="start_step: expected a whole number"):
        next(make(DaliLoader, store).epoch(0, -1))


def compare(store, device="cpu", **settings):
    made = batches(make(DaliLoader, store, device=device, **settings))
    for (views, places), (expected, named) in zip(made, batches(make(Loader, store, **settings)), strict=True):
        np.testing.assert_array_equal(places, named)
        assert views.dtype == expected.dtype
        assert views.device.type == device
        np.testing.assert_array_equal(views.cpu().float(), expected.float())


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    return request.param


@pytest.mark.parametrize("method", ["seco", "moco", "moco_tp"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_batches_are_the_native_loaders(store, method, dtype, device):
    compare(store, method=method, dtype=dtype, device=device)


def test_any_bands_and_ranks(store, device):
    compare(store, bands=("B08", "B02", "B12", "B01"), device=device)
    compare(store, batch_size=2, rank=1, world_size=2, device=device)


def test_it_goes_on_where_it_was(store):
    loader = make(DaliLoader, store)
    whole = batches(loader, epoch=1)
    for _ in loader.epoch(0):
        break  # two more are in the making; they must not turn up again
    rest = batches(loader, epoch=1, start_step=1)
    assert len(rest) == len(whole) - 1
    for (views, places), (expected, named) in zip(rest, whole[1:], strict=True):
        np.testing.assert_array_equal(places, named)
        np.testing.assert_array_equal(views, expected)


def test_bad_patches_are_replaced_by_the_same_stand_ins(make_store, device):
    store = open_store(make_store(locations=tuple(f"{i:02}" for i in range(11))))
    for location in (1, 6):
        for file in store.sources(location)[1:]:
            file.write_bytes(b"II*\0 and then nothing")
    compare(store, max_bad_fraction=0.9, device=device)


def test_what_it_cannot_do_is_said(store):
    with pytest.raises(ConfigError, match="take --loader native"):
        make(DaliLoader, store, verify=True)
    with pytest.raises(ConfigError, match="take --loader native"):
        make(DaliLoader, store, table=np.zeros((3, 1 << 16), np.uint16))


def test_a_batch_without_a_readable_patch_is_made_of_stand_ins(make_store, device):
    store = open_store(make_store(locations=tuple(f"{i:02}" for i in range(5))))
    for file in store.sources(3):
        file.write_bytes(b"II*\0 and then nothing")
    compare(store, batch_size=1, max_bad_fraction=0.9, device=device)


def test_an_error_on_the_way_to_torch_is_the_one_that_is_told(store, monkeypatch):
    loader, whole = make(DaliLoader, store), batches(make(Loader, store))

    def broken(_):
        raise RuntimeError("no memory")

    with monkeypatch.context() as patch:
        patch.setattr(loader, "_as_torch", broken)
        with pytest.raises(RuntimeError, match="no memory"):
            batches(loader)
    for (views, places), (expected, named) in zip(batches(loader), whole, strict=True):
        np.testing.assert_array_equal(places, named)
        np.testing.assert_array_equal(views, expected)


def test_an_error_leaves_nothing_for_the_next_epoch(store, monkeypatch):
    loader, named = make(DaliLoader, store), []

    def break_third(rows, really=store.ranges_of_rows):
        named.append(rows)
        if len(named) == 3:
            raise StoreError("the shard is gone")
        return really(rows)

    monkeypatch.setattr(store, "ranges_of_rows", break_third)
    with pytest.raises(StoreError, match="the shard is gone"):
        batches(loader)
    for (views, places), (expected, there) in zip(batches(loader, 1), batches(make(Loader, store), 1), strict=True):
        np.testing.assert_array_equal(places, there)
        np.testing.assert_array_equal(views, expected)


def test_the_time_that_naming_files_takes_is_waited(store, monkeypatch):
    loader, seconds = make(DaliLoader, store), [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: seconds[0])

    def slow(*of_batch, really=loader._name):
        seconds[0] += 10
        return really(*of_batch)

    monkeypatch.setattr(loader, "_name", slow)
    assert [batch.wait_s for batch in loader.epoch(0)] == [20, 10, 0], "three batches, two of them named before the first"


LEFT = """
import sys
from data.test_dali_loader import DaliLoader, make, open_store
batches = make(DaliLoader, open_store(sys.argv[1])).epoch(0)
next(batches)
"""


def test_python_ends_in_silence_in_the_middle_of_an_epoch(store):
    words = [sys.executable, "-c", LEFT, str(store.path)]
    done = subprocess.run(words, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
