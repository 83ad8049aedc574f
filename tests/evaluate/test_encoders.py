"""Encoders under test: what identifies them and how their input is scaled."""

import numpy as np
import pytest
import torch
from PIL import Image

from seco.data.normalization import Normalization
from seco.data.store import open_store
from seco.errors import ConfigError, DataError
from seco.evaluate.datasets import ClassFolder, StorePatches
from seco.evaluate.encoders import from_checkpoint, from_timm, untrained, weights_fingerprint
from seco.pretrain.checkpoint import save_checkpoint
from seco.pretrain.encoder import build_backbone

BACKBONE = "test_resnet"
RGB = ("B04", "B03", "B02")


@pytest.fixture
def store(make_store):
    return open_store(make_store())


@pytest.fixture
def checkpoint(store, tmp_path):
    backbone = build_backbone(BACKBONE, 3)
    content = {
        "normalization": Normalization.from_store(store, RGB).to_dict(),
        "config": {"backbone": BACKBONE, "size": 24},
        "model": {f"query.backbone.{name}": value for name, value in backbone.state_dict().items()},
    }
    save_checkpoint(tmp_path / "last.pt", content)
    return tmp_path / "last.pt", backbone


@pytest.fixture
def pictures(tmp_path):
    for i in range(8):
        file = tmp_path / "folder" / "ab"[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(40, 90, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file)
    return ClassFolder(tmp_path / "folder")


def test_normalisation_and_size_of_a_checkpoint_come_with_it(store, checkpoint):
    file, backbone = checkpoint
    subject = from_checkpoint(file, StorePatches(store))
    assert subject.encoder.normalization == Normalization.from_store(store, RGB)
    assert subject.encoder.size == 24
    assert subject.describe()["weights_sha256"] == weights_fingerprint(backbone)
    assert subject.describe()["normalization"]["source"] == "checkpoint"
    assert from_checkpoint(file, StorePatches(store), size=16).encoder.size == 16


def test_eight_bit_pictures_are_not_read_as_digital_numbers_of_a_product(store, checkpoint, pictures):
    subject = from_checkpoint(checkpoint[0], pictures)
    trained, used = Normalization.from_store(store, RGB), subject.encoder.normalization
    assert (used.mean, used.std) == (trained.mean, trained.std)
    # 2 % and 98 % of the training half become 0 and 1.
    values = pictures.read(slice(0, 8), ("B04",))[pictures.splits["train"]]
    low, high = np.quantile(values, [0.02, 0.98], method="inverted_cdf")
    assert low * used.scale[0] + used.offset[0] == pytest.approx(0, abs=1e-12)
    assert high * used.scale[0] + used.offset[0] == pytest.approx(1, rel=1e-12)
    assert "quantiles of the data" in subject.describe()["normalization"]["source"]


def test_untrained_follows_its_seed_and_leaves_the_generator_alone(store):
    images = StorePatches(store)
    state = torch.random.get_rng_state()
    first, again, other = (untrained(BACKBONE, images, seed=seed).describe() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert first == again
    assert first["weights_sha256"] != other["weights_sha256"]
    assert first["size"] == 8


def test_untrained_takes_any_bands(store):
    subject = untrained(BACKBONE, StorePatches(store), bands="B08,B04")
    assert subject.encoder.normalization == Normalization.from_store(store, ("B08", "B04"))
    assert subject.encoder.backbone(torch.zeros(1, 2, 32, 32)).ndim == 2


def test_names_that_timm_does_not_have(store):
    images = StorePatches(store)
    with pytest.raises(ConfigError, match="no_such_model"):
        untrained("no_such_model", images)
    with pytest.raises(ConfigError, match="expected a model that has weights, got 'no_such_model'"):
        from_timm("no_such_model", images)
    with pytest.raises(ConfigError, match="bands: expected rgb"):
        from_timm(BACKBONE, images, bands="all")


def test_weights_that_cannot_be_fetched_are_one_line(store, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(store.path / "no_cache"))
    with pytest.raises(DataError, match="timm: expected the weights of resnet18 in the cache or on line") as caught:
        from_timm("resnet18", StorePatches(store))
    assert "\n" not in str(caught.value)


def test_without_a_network_nobody_waits(store, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")  # nobody listens there
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(store.path / "no_cache"))
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail(f"waits {seconds} s to ask again"))
    with pytest.raises(DataError, match=r"weights of resnet18 in the cache or on line, got .*; fetch them once"):
        from_timm("resnet18", StorePatches(store))
