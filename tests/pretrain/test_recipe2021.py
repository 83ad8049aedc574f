"""The recipe of 2021 against loops written from the paper, and against torchvision."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision
from commands import seco
from reference.augment import augment
from reference.moco import Encoder, train
from torch import nn

from seco.bands import SENTINEL2_L2A
from seco.data.store import open_store
from seco.ops.random import permutation, sample_view_params
from seco.pretrain import recipe2021
from seco.pretrain.backbone import build_backbone
from seco.pretrain.checkpoint import read_checkpoint
from seco.pretrain.config import PretrainConfig
from seco.pretrain.method import MomentumContrast
from seco.pretrain.schedule import learning_rate

RGB = ("B04", "B03", "B02")
SIDE, BATCH, QUEUE, CHANNELS, DIM = 8, 3, 7, 4, 5
IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


class Tiny(nn.Module):
    """What the loops compute, in torch."""

    num_features = CHANNELS

    def __init__(self, in_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, CHANNELS, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(CHANNELS)

    def forward(self, views):
        return torch.relu(self.norm(self.conv(views))).mean(dim=(2, 3))


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setattr("seco.pretrain.method.build_backbone", lambda _, channels: Tiny(channels))


def eight_bit(dn, band, *, offset=-1000, quantification=10_000):
    """A digital number as the network saw it: archived as reflectance × 255, then stretched; digits are dropped twice."""
    low, high = {"B04": (0, 129), "B03": (2, 103), "B02": (3, 88)}[band]
    archived = int(min(max((dn + offset) / quantification, 0), 1) * 255)
    return int(min(max((archived - low) / (high - low) * 255, 0), 255))


def views_of(store, config, locations):
    """Views ``[1 + M, N, C, H, W]`` of a batch of epoch 0, from digital numbers by loops."""
    size = {"height": SIDE, "width": SIDE}
    params = sample_view_params(config.views, locations, epoch=0, seed=config.seed, dates=3, **size)
    columns = [store.band_names.index(band) for band in RGB]
    views = np.empty((params.shape[1], len(locations), 3, SIDE, SIDE))
    for n, location in enumerate(locations):
        patches = store[int(location)][1][:, columns].astype(np.int64)
        for t, c, y, x in np.ndindex(patches.shape):
            patches[t, c, y, x] = eight_bit(int(patches[t, c, y, x]), RGB[c])
        for v in range(len(views)):
            views[v, n] = augment(patches, params[n, v], size=SIDE, scale=1 / 255, offset=0.0, rgb=True, **IMAGENET)
    return views


def by_loops(module, sub_spaces):
    weights = {name: array.detach().double().numpy().copy() for name, array in module.named_parameters()}
    return Encoder(weights, sub_spaces)


@pytest.mark.parametrize(("method", "sub_spaces"), [("seco", 3), ("moco_tp", 1)])
def test_two_steps_are_those_of_the_papers_equations(tiny, make_store, tmp_path, method, sub_spaces):
    folder = make_store(locations=tuple("abcdefg"))
    settings = {
        "batch_size": BATCH,
        "size": SIDE,
        "queue": QUEUE,
        "dim": DIM,
        "lr": 0.5,
        "key_momentum": 0.9,
        "log_every": 1,
    }
    config = PretrainConfig(data=str(folder), recipe="seco2021", method=method, seed=4, **settings)
    file, out = tmp_path / "run.toml", tmp_path / "run"
    file.write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
    words = ["--recipe", "seco2021", "--method", method, "--seed", 4, "--config", file]
    seco("pretrain", "--data", folder, "--out", out, *words, "--steps", 2)
    losses = [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]

    model = MomentumContrast(
        backbone="tiny",
        in_channels=3,
        sub_spaces=sub_spaces,
        dim=DIM,
        queue_length=QUEUE,
        momentum=0.9,
        temperature=0.07,
        seed=4,
    )
    query, key = by_loops(model.query, sub_spaces), by_loops(model.key, sub_spaces)
    queues, store = model.queue.keys.double().tolist(), open_store(folder)
    order = permutation(len(store), seed=4, epoch=0)
    steps = [views_of(store, config, order[start : start + BATCH]) for start in (0, BATCH)]
    sgd = {"momentum": 0.9, "decay": 1e-4}
    expected = train(query, key, queues, steps, rates=[0.5] * 2, key_momentum=0.9, temperature=0.07, **sgd)
    # Below 10, a loss of float32 has six digits after the point; what is asked for is 1e-5.
    assert losses == pytest.approx(expected, abs=1e-5)

    after = read_checkpoint(out / "checkpoints" / "last.pt")["model"]
    close = {"rtol": 0, "atol": 1e-5}
    for name, array in query.weights.items():
        np.testing.assert_allclose(after[f"query.{name}"].numpy(), array, **close)
    np.testing.assert_allclose(after["queue.keys"].numpy(), queues, **close)
    # A running mean remembers the last batch best, so it tells in which order the key views came.
    for side, encoder in {"query": query, "key": key}.items():
        for name, values in {"running_mean": "mean", "running_var": "variance"}.items():
            np.testing.assert_allclose(after[f"{side}.backbone.norm.{name}"].numpy(), encoder.running[values], **close)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_stretch_is_that_of_2021(dtype):
    # An archive of 2021 has reflectance × 255 already.
    meaning = {"offset": 0, "quantification": 255} if dtype == "uint8" else {"offset": -1000, "quantification": 10_000}
    table = recipe2021.stretched(SimpleNamespace(dtype=dtype, **meaning), RGB)
    assert table.dtype == dtype
    numbers = range(256) if dtype == "uint8" else range(0, 65536, 7)
    for band, row in zip(RGB, table, strict=True):
        assert [int(row[dn]) for dn in numbers] == [eight_bit(dn, band, **meaning) for dn in numbers]


def test_the_checkpoint_says_what_the_network_saw(make_store, tmp_path):
    description = open_store(make_store(bands=SENTINEL2_L2A)).description
    table, normalization = recipe2021.stretched(description, RGB), recipe2021.normalization(description.reflectance, RGB)
    numbers = np.arange(65536)
    for band in range(3):
        exact = np.clip(numbers * normalization.scale[band] + normalization.offset[band], 0, 1)
        # Dropped digits: less than one of 8-bit reflectance, stretched threefold at most, and less than one of the result.
        assert (exact - table[band] / 255 > -1e-12).all()
        assert (exact - table[band] / 255 < (255 / 85 + 1) / 255).all()
    assert (normalization.mean, normalization.std) == (tuple(IMAGENET["mean"]), tuple(IMAGENET["std"]))


def test_learning_rate_falls_at_epochs_120_and_160_of_any_number():
    milestones = PretrainConfig(data="", recipe="seco2021", epochs=400).milestones
    rates = [
        learning_rate(step, base=0.03, schedule="step", epochs=400, steps_per_epoch=2, milestones=milestones)
        for step in (0, 239, 240, 319, 320, 799)
    ]
    np.testing.assert_allclose(rates, [0.03, 0.03, 0.003, 0.003, 0.0003, 0.0003])


def test_residual_branches_begin_as_torchvisions():
    for name in ("resnet18", "resnet50"):
        ours, theirs = build_backbone(name, 3), getattr(torchvision.models, name)()
        recipe2021.open_residuals(ours)
        weights = theirs.state_dict()
        norms = {key for key, value in weights.items() if value.ndim == 1 and not key.startswith("fc")}
        assert all(torch.equal(ours.state_dict()[key], weights[key]) for key in norms)


def test_dates_may_repeat_where_the_default_recipe_draws_others(make_store, tmp_path):
    one_date = make_store(locations=tuple("abcd"), dates=("2021-07-01T10:00:00",))
    words = ["--data", one_date, "--backbone", "test_resnet", "--batch-size", 4, "--size", 16, "--queue", 8, "--steps", 1]
    assert "expected at least 4 locations with 3 dates" in seco("pretrain", *words, "--out", tmp_path / "a", code=1).stderr
    seco("pretrain", *words, "--out", tmp_path / "b", "--recipe", "seco2021")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--recipe", "seco2020"], "recipe: expected default, seco2021, got 'seco2020'"),
        (["--recipe", "seco2021", "--bands", "all"], "bands: expected rgb, for the recipe seco2021 has a table of B04"),
        (["--recipe", "seco2021", "--loader", "dali"], "loader: expected native, which makes the 8-bit input"),
    ],
)
def test_what_the_recipe_cannot_do_is_said(make_store, tmp_path, words, message):
    assert message in seco("pretrain", "--data", make_store(), "--out", tmp_path / "run", *words, code=1).stderr
