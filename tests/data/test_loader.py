import itertools
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seco import _core
from seco.data.loader import Loader
from seco.data.normalization import Normalization
from seco.data.store import open_store
from seco.errors import ArrayError, ConfigError, DataError, DeviceError, StoreError
from seco.ops.augment import augment_views
from seco.ops.random import sample_view_params
from seco.ops.recipe import RECIPES

BANDS = ("B08", "B02")
NAMES = tuple(f"{i:02}" for i in range(11))


@pytest.fixture
def store(make_store):
    dates = tuple(f"2021-0{month}-01T10:00:00" for month in range(1, 6))
    return open_store(make_store(locations=NAMES, dates=dates))


def make_loader(store, method="seco", **changes):
    normalization = Normalization.from_store(store, BANDS)
    recipe = RECIPES[method].for_bands(BANDS)
    return Loader(store, recipe=recipe, normalization=normalization, **{"size": 6, "batch_size": 3, "seed": 9} | changes)


@pytest.mark.parametrize("method", ["seco", "moco", "moco_tp"])
def test_batches_are_views_of_the_locations_they_name(store, method):
    loader = make_loader(store, method)
    n = loader.normalization
    for batch in loader.epoch(2):
        pixels = np.ascontiguousarray([store[i][1][:, [7, 1]] for i in batch.locations])
        params = sample_view_params(loader.recipe, batch.locations, epoch=2, seed=9, height=8, width=8, dates=5)
        expected = augment_views(pixels, params, size=6, scale=n.scale, offset=n.offset, mean=n.mean, std=n.std)
        np.testing.assert_array_equal(batch.views.numpy(), expected)


def test_number_of_threads_changes_nothing(store):
    one, four = (list(make_loader(store, threads=threads).epoch(0)) for threads in (1, 4))
    for a, b in zip(one, four, strict=True):
        assert (a.locations == b.locations).all()
        np.testing.assert_array_equal(a.views, b.views)


def test_an_epoch_shows_each_location_once_and_the_next_in_another_order(store):
    loader = make_loader(store, batch_size=2)
    assert loader.steps_per_epoch == 5  # the eleventh waits for another epoch
    epochs = [np.concatenate([b.locations for b in loader.epoch(e)]) for e in (0, 1)]
    assert all(len(set(order.tolist())) == 10 for order in epochs)
    assert (epochs[0] != epochs[1]).any()


def test_starting_late_gives_the_rest(store):
    loader = make_loader(store)
    whole, rest = list(loader.epoch(1)), list(loader.epoch(1, start_step=2))
    assert len(rest) == 1
    np.testing.assert_array_equal(rest[0].views, whole[2].views)


def test_ranks_share_the_batches_of_one(store):
    together = list(make_loader(store, batch_size=4).epoch(0))
    apart = [list(make_loader(store, batch_size=2, rank=rank, world_size=2).epoch(0)) for rank in (0, 1)]
    for both, first, second in zip(together, *apart, strict=True):
        assert both.locations.tolist() == [*first.locations.tolist(), *second.locations.tolist()]


def test_normalization_maps_quantiles_and_statistics(store):
    n = Normalization.from_store(store, BANDS)
    s = store.statistics["B08"]
    # float64 arithmetic on numbers of a few thousand.
    assert s.q02 * n.scale[0] + n.offset[0] == pytest.approx(0, abs=1e-9)
    assert s.q98 * n.scale[0] + n.offset[0] == pytest.approx(1, abs=1e-9)
    assert s.mean * n.scale[0] + n.offset[0] == pytest.approx(n.mean[0], abs=1e-9)
    assert Normalization.from_dict(n.to_dict()) == n


def test_locations_with_too_few_dates_are_left_out(make_store):
    store = open_store(make_store(dates=("2021-01-01T10:00:00", "2021-04-01T10:00:00")))
    with pytest.raises(StoreError, match=r"at least 3 locations with 3 dates or more .* got 0 of 3"):
        make_loader(store)
    assert make_loader(store, "moco_tp").excluded == 0


def test_unknown_band_and_corrupt_patch_are_named(store):
    with pytest.raises(StoreError, match="without B10"):
        Normalization.from_store(store, ["B10"])
    for i in range(len(store)):
        store.sources(i)[0].write_bytes(b"II*\0 and then nothing")
    with pytest.raises(DataError, match=r"unreadable, got \d+: .*patches.*\.tif: expected a readable GeoTIFF"):
        list(make_loader(store).epoch(0))


def test_what_takes_the_place_of_a_bad_patch_is_the_same_on_any_number_of_ranks(store):
    for location in (1, 6):
        for file in store.sources(location):
            file.unlink()
    settings = {"max_bad_fraction": 0.2}
    together = list(make_loader(store, batch_size=4, threads=3, **settings).epoch(0))
    apart = [list(make_loader(store, batch_size=2, rank=rank, world_size=2, **settings).epoch(0)) for rank in (0, 1)]
    shown = [batch.locations for batch in together]
    assert not np.isin([1, 6], shown).any()
    for both, first, second in zip(together, *apart, strict=True):
        assert both.locations.tolist() == [*first.locations.tolist(), *second.locations.tolist()]
        np.testing.assert_array_equal(both.views, np.concatenate([first.views, second.views], axis=1))


def test_views_on_a_gpu_need_a_build_with_cuda(store, monkeypatch):
    monkeypatch.setattr(_core, "built_with_cuda", False)
    with pytest.raises(DeviceError, match="expected seco built with CUDA"):
        make_loader(store, device="cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_views_on_a_gpu_need_one(store, monkeypatch):
    monkeypatch.setattr(_core, "built_with_cuda", True)
    with pytest.raises(DeviceError, match="expected an NVIDIA GPU, got none"):
        make_loader(store, device="cuda")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"rank": 2, "world_size": 2}, "rank"),
        ({"rank": -1}, "rank"),
        ({"world_size": 0}, "world_size"),
        ({"batch_size": 0}, "batch_size"),
        ({"threads": 0}, "threads"),
        ({"seed": -1}, "seed"),
        ({"seed": 1 << 64}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"table": np.zeros((3, 1 << 16), np.uint16)}, "table"),
        ({"table": np.zeros((2, 256), np.uint16)}, "table"),
    ],
)
def test_impossible_numbers_are_refused(store, change, name):
    with pytest.raises(ConfigError, match=f"^{name}: expected"):
        make_loader(store, **change)


@pytest.mark.parametrize(
    ("place", "name"), [((-1,), "epoch"), ((1 << 32,), "epoch"), ((0, -1), "start_step"), ((0, 1.5), "start_step")]
)
def test_epochs_and_steps_that_are_not_there_are_refused(store, place, name):
    with pytest.raises(ArrayError, match=f"^{name}: expected a whole number"):
        next(make_loader(store).epoch(*place))


@pytest.mark.parametrize("device", ["mps", "meta"])
def test_other_devices_are_refused(store, device):
    with pytest.raises(DeviceError, match=f"device: expected cpu or cuda, got {device}"):
        make_loader(store, device=device)


def test_bands_of_another_store_are_named(store, make_store):
    three = open_store(make_store("three", bands=store.bands[:3]))
    normalization, recipe = Normalization.from_store(store, BANDS), RECIPES["moco"].for_bands(BANDS)
    with pytest.raises(StoreError, match="expected bands B08, B02, got data without B08; it has B01, B02, B03"):
        Loader(three, recipe=recipe, normalization=normalization, size=6, batch_size=3, seed=9)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_may_go_on(store):
    loader = make_loader(store)
    expected = next(loader.epoch(0)).views.numpy().tobytes()
    process = os.fork()
    if not process:
        signal.alarm(30)
        same = False
        try:
            same = next(loader.epoch(0)).views.numpy().tobytes() == expected
        finally:
            os._exit(0 if same else 1)
    assert os.waitpid(process, 0)[1] == 0


def test_a_store_without_a_readable_patch_ends_the_search(store):
    for location in range(len(store)):
        for file in store.sources(location):
            file.unlink()
    with pytest.raises(DataError, match=r"expected a readable location in 100 draws, got none; .* No such file"):
        next(make_loader(store, max_bad_fraction=1.0).epoch(0))


def test_memory_does_not_grow_with_batches(store):
    loader = make_loader(store)
    batches = (batch for epoch in itertools.count() for batch in loader.epoch(epoch))
    resident = []
    for count in (200, 1800):
        for _ in itertools.islice(batches, count):
            pass
        resident.append(int(Path("/proc/self/statm").read_text().split()[1]))
    assert resident[1] < 1.02 * resident[0]


def test_three_bands_are_red_green_blue_only_by_name(store):
    def views(bands):
        settings = {"size": 6, "batch_size": 11, "seed": 9, "threads": 1}
        recipe = replace(RECIPES["moco"].for_bands(bands), grey_probability=1.0)
        return next(iter(Loader(store, recipe=recipe, normalization=plain(bands), **settings).epoch(0))).views

    def plain(bands):
        zeros, ones = (0.0,) * 3, (1.0,) * 3
        return Normalization(bands, (1e-4,) * 3, zeros, zeros, ones)

    same = {bands: views(bands) for bands in (("B04", "B03", "B02"), ("B02", "B03", "B04"), ("B03", "B04", "B02"))}
    rgb, turned, mixed = same.values()
    assert torch.allclose(turned, mixed, atol=1e-6)  # the mean, whatever the order
    assert not torch.allclose(rgb, turned, atol=1e-2)
