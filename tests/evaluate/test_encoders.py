"""Encoders under test: what identifies them and how their input is scaled."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from seco.bands import SENTINEL2_L2A
from seco.data.normalization import Normalization
from seco.data.reflectance import Reflectance
from seco.data.store import open_store
from seco.data.writer import StoreWriter
from seco.errors import ConfigError, DataError
from seco.evaluate.datasets import ClassFolder, StorePatches
from seco.evaluate.encoders import from_checkpoint, from_timm, from_torchvision, untrained
from seco.evaluate.features import extract_features
from seco.pretrain.backbone import build_backbone
from seco.pretrain.checkpoint import save_checkpoint
from seco.pretrain.encoder import weights_fingerprint

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
    values = pictures.read(np.arange(0, 8), ("B04",))[pictures.splits["train"]]
    low, high = np.quantile(values, [0.02, 0.98], method="inverted_cdf")
    assert low * used.scale[0] + used.offset[0] == pytest.approx(0, abs=1e-12)
    assert high * used.scale[0] + used.offset[0] == pytest.approx(1, rel=1e-12)
    assert "quantiles of the data" in subject.describe()["normalization"]["source"]


def write_scenes(folder, *, quantification, offset):
    """The same reflectances, 1e-4 to 0.8, as digital numbers of some product."""
    words = {"product_level": "L2A", "sensor": "Sentinel-2", "seed": 0, "source": "random numbers", "licence": "CC0-1.0"}
    units = {"quantification": quantification, "offset": offset}
    with StoreWriter(folder, bands=SENTINEL2_L2A, patch_size=16, dtype="uint16", **units, **words) as writer:
        for i in range(6):
            reflectance = np.random.default_rng(i).integers(1, 8000, (12, 16, 16)) / 10_000
            pixels = np.rint(reflectance * quantification - offset).astype(np.uint16)
            place = {"epsg": 32631, "transform": (5e5, 10.0, 0.0, 4e6, 0.0, -10.0), "longitude": 3.0, "latitude": 36.0}
            date = np.datetime64("2021-07-01")
            writer.add(f"{i}", date, pixels, scene_id="scene", cloud_fraction=0.0, **place)
    return open_store(folder)


def test_units_of_the_data_decide_nothing(tmp_path):
    """One model has been published at 52 % and at 87 % of EuroSAT, by its preprocessing alone: here it cannot happen."""
    trained = write_scenes(tmp_path / "trained", quantification=10_000, offset=-1000)
    backbone = build_backbone(BACKBONE, 3).eval()
    content = {
        "normalization": Normalization.from_store(trained, RGB).to_dict(),
        "config": {"backbone": BACKBONE, "size": 16},
        "model": {f"query.backbone.{name}": value for name, value in backbone.state_dict().items()},
    }
    file = tmp_path / "last.pt"
    save_checkpoint(file, content)

    def features(store, subject=None):
        images = StorePatches(store)
        return extract_features((subject or from_checkpoint(file, images)).encoder, images)

    expected = features(trained)
    scale = np.abs(expected).max()
    for name, (quantification, offset) in {"before 2022": (10_000, 0), "finer": (20_000, -500)}.items():
        store = write_scenes(tmp_path / name, quantification=quantification, offset=offset)
        subject = from_checkpoint(file, StorePatches(store))
        np.testing.assert_allclose(features(store, subject), expected, rtol=0, atol=1e-5 * scale)
        assert f"to {Reflectance(quantification, offset)}" in subject.describe()["normalization"]["source"]
        # Numbers taken for those of the training data, which is what this guards against, are far off.
        wrong = features(store, from_checkpoint(file, StorePatches(trained)))
        assert np.abs(wrong - expected).max() > 0.05 * scale


def test_units_that_nobody_knows_are_refused(store, checkpoint):
    content = torch.load(checkpoint[0], weights_only=True)
    content["normalization"]["reflectance"] = None
    save_checkpoint(checkpoint[0], content)
    with pytest.raises(
        ConfigError, match=r"does not say what its digital numbers mean, got reflectance = \(DN - 1000\) / 10000"
    ):
        from_checkpoint(checkpoint[0], StorePatches(store))


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
    assert subject.encoder.normalization == replace(Normalization.from_store(store, ("B08", "B04")), reflectance=None)
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


def test_torchvision_by_file_and_by_name(store, tmp_path, monkeypatch):
    torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")
    model = torchvision.models.resnet18().eval()
    torch.save(model.state_dict(), tmp_path / "weights.pth")
    subject = from_torchvision(str(tmp_path / "weights.pth"), StorePatches(store))
    model.fc = torch.nn.Identity()
    batch = torch.randn(2, 3, 40, 40)
    with torch.inference_mode():
        torch.testing.assert_close(subject.encoder.backbone(batch), model(batch), rtol=0, atol=1e-5)
    assert subject.origin == {"kind": "torchvision", "name": "resnet18", "weights": str(tmp_path / "weights.pth")}
    assert subject.encoder.normalization.mean == (0.485, 0.456, 0.406)
    # By name the file is looked for where torch keeps it.
    address = torchvision.models.get_model_weights("resnet18").DEFAULT.url
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "weights.pth").rename(tmp_path / "hub" / "checkpoints" / address.rsplit("/", 1)[1])
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    assert from_torchvision("resnet18", StorePatches(store)).describe()["weights_sha256"] == weights_fingerprint(
        subject.encoder.backbone
    )
    for name in ("vgg16", "resnet19"):
        with pytest.raises(ConfigError, match=f"got '{name}'"):
            from_torchvision(name, StorePatches(store))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: (_ for _ in ()).throw(OSError("no network")))
    with pytest.raises(DataError, match="got no network; fetch https"):
        from_torchvision("resnet34", StorePatches(store))
