"""Exports are loaded by the libraries they are for, and give the features of the checkpoint."""

import errno
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from full_disk import files_no_longer_than
from seco.cli.main import main

from seco.bands import RGB
from seco.data.normalization import Normalization
from seco.data.store import open_store
from seco.evaluate.features import normalized_input
from seco.export.run import FORMATS
from seco.export.subject import Subject
from seco.pretrain.backbone import build_backbone
from seco.pretrain.checkpoint import save_checkpoint
from seco.pretrain.config import PretrainConfig

ALL = ("B02", "B03", "B04", "B08", "B11")
SIZE = 48


@pytest.fixture
def make_checkpoint(make_store, tmp_path):
    """A checkpoint as training leaves it, with weights and running statistics that are not those of a new network."""

    def make(backbone="resnet18", bands=RGB, size=SIZE):
        store = open_store(make_store(f"store-of-{backbone}-{len(list(tmp_path.iterdir()))}"))
        torch.manual_seed(0)
        network = build_backbone(backbone, len(bands)).train()
        with torch.no_grad():
            network(torch.randn(8, len(bands), size, size))
        content = {
            "config": PretrainConfig(data=str(store.path), backbone=backbone, size=size).to_dict(),
            "normalization": Normalization.from_store(store, bands).to_dict(),
            "model": {f"query.backbone.{name}": value for name, value in network.state_dict().items()},
            "step": 7,
        }
        file = tmp_path / f"{backbone}-{len(bands)}.pt"
        save_checkpoint(file, content)
        return file

    return make


def seco(*words, code=0):
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def export(checkpoint, form, folder, *more, code=0):
    return seco("export", checkpoint, "--format", form, "--out", folder, *more, code=code)


def digital_numbers(bands):
    return np.random.default_rng(1).integers(1, 9000, (3, len(bands), SIZE, SIZE), dtype=np.uint16)


def normalised(numbers, folder):
    """As the model card says."""
    said = json.loads((folder / "seco.json").read_text())["normalization"]
    scale, offset, mean, std = (np.array(said[name])[:, None, None] for name in ("scale", "offset", "mean", "std"))
    x = (numbers * scale + offset).clip(0, 1)
    return torch.from_numpy(((x - mean) / std).astype(np.float32))


def load_torchvision(folder, bands):
    torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")
    name = json.loads((folder / "seco.json").read_text())["backbone"]
    model = torchvision.models.get_model(name, weights=None)
    model.fc = torch.nn.Identity()
    if len(bands) != 3:
        model.conv1 = torch.nn.Conv2d(len(bands), 64, 7, stride=2, padding=3, bias=False)
    model.load_state_dict(torch.load(folder / "weights.pth", weights_only=True), strict=True)
    return model


def load_torchgeo(folder, bands):
    models = pytest.importorskip("torchgeo.models", reason="torchgeo is not installed")
    name = json.loads((folder / "seco.json").read_text())["backbone"]
    model = getattr(models, name)(in_chans=len(bands), num_classes=0)
    model.load_state_dict(torch.load(folder / "weights.pth", weights_only=True), strict=True)
    return model


def load_timm(folder, bands):
    import timm

    model = timm.create_model(f"local-dir:{folder}", pretrained=True)
    assert tuple(model.pretrained_cfg["input_size"]) == (len(bands), SIZE, SIZE)  # JSON gives timm before 1.0.31 a list
    # timm before 1.0.31 would adapt what it names from three bands.
    assert "first_conv" not in json.loads((folder / "config.json").read_text())["pretrained_cfg"]
    said = json.loads((folder / "seco.json").read_text())["normalization"]
    assert list(model.pretrained_cfg["mean"]) == pytest.approx(said["mean"])
    return model


def load_safetensors(folder, bands):
    import timm
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as file:
        metadata = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    said = json.loads((folder / "seco.json").read_text())
    assert json.loads(metadata["seco.normalization"]) == said["normalization"]
    model = timm.create_model(said["backbone"], in_chans=len(bands), num_classes=0)
    model.load_state_dict(weights, strict=True)
    return model


LOADERS = {f.__name__.removeprefix("load_"): f for f in (load_torchvision, load_torchgeo, load_timm, load_safetensors)}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torchgeo's imports
@pytest.mark.parametrize("form", sorted(LOADERS))
@pytest.mark.parametrize(
    ("backbone", "bands"), [("resnet18", RGB), ("resnet50", ALL)], ids=["resnet18 rgb", "resnet50 5 bands"]
)
def test_stock_models_take_the_weights(form, bands, backbone, make_checkpoint, tmp_path):
    checkpoint, folder = make_checkpoint(backbone, bands), tmp_path / "out"
    export(checkpoint, form, folder)
    model = LOADERS[form](folder, bands).eval()
    encoder = Subject.of_run(checkpoint).encoder
    numbers = digital_numbers(bands)
    with torch.inference_mode():
        found, expected = model(normalised(numbers, folder)), encoder.backbone(normalized_input(encoder, numbers))
    # The same convolutions on inputs that differ in their last bits.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def test_timm_makes_networks_of_one_size_again(make_checkpoint, tmp_path):
    import timm

    checkpoint, folder = make_checkpoint("test_vit", ALL, size=160), tmp_path / "out"
    export(checkpoint, "timm", folder)
    model, original = timm.create_model(f"local-dir:{folder}", pretrained=True), Subject.of_run(checkpoint).encoder.backbone
    assert all(torch.equal(model.state_dict()[name], weight) for name, weight in original.state_dict().items())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torchgeo's imports
@pytest.mark.parametrize("form", ["onnx", "timm", "torchgeo", "torchvision"])
def test_features_are_compared_before_anything_is_written(form, make_checkpoint, tmp_path, monkeypatch):
    if form == "onnx":
        pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    monkeypatch.setattr("seco.export.weights.TOLERANCE", -1.0)
    line = export(make_checkpoint(), form, tmp_path / "out", code=1).stderr
    assert "expected the features of the checkpoint, got others by" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("backbone", "bands"), [("resnet18", RGB), ("convnext_atto", ALL)])
def test_onnx_takes_digital_numbers(backbone, bands, make_checkpoint, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    checkpoint, folder = make_checkpoint(backbone, bands), tmp_path / "out"
    export(checkpoint, "onnx", folder)
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    numbers = digital_numbers(bands)
    (found,) = session.run(None, {"digital_numbers": numbers.astype(np.float32)})
    encoder = Subject.of_run(checkpoint).encoder
    with torch.inference_mode():
        expected = encoder.backbone(normalized_input(encoder, numbers)).numpy()
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["seco.normalization"])["bands"] == list(bands)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torchgeo's imports
@pytest.mark.parametrize("form", [*sorted(LOADERS), "onnx"])
@pytest.mark.parametrize("bands", [RGB, ALL], ids=["rgb", "5 bands"])
def test_the_card_s_code_runs_as_it_stands(form, bands, make_checkpoint, tmp_path, monkeypatch):
    for needed in {"torchvision": ["torchvision"], "torchgeo": ["torchgeo"], "onnx": ["onnxruntime"]}.get(form, []):
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    checkpoint, folder = make_checkpoint("resnet18", bands), tmp_path / "out"
    export(checkpoint, form, folder)
    monkeypatch.chdir(folder)
    names = {}
    exec(re.search(r"```python\n(.*?)```", Path("README.md").read_text(), re.DOTALL)[1], names)
    encoder = Subject.of_run(checkpoint).encoder
    numbers = np.ones((1, len(bands), SIZE, SIZE), np.uint16)
    with torch.inference_mode():
        expected = encoder.backbone(normalized_input(encoder, numbers))
    found = torch.as_tensor(names["features"]).detach()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))


def weights_of(checkpoint):
    return Subject.of_run(checkpoint).describe()["weights_sha256"]


def write_result(file, **encoder):
    """A result of evaluation, in so far as the card needs one."""
    result = {"protocol": "retrieval", "data": {"path": "/data/places"}, "metrics": {"recall@1": 0.51234}}
    file.write_text(json.dumps(result | {"encoder": {"kind": "checkpoint", "name": "resnet18"} | encoder}))
    return file


def test_the_card_says_what_a_user_has_to_know(make_checkpoint, tmp_path):
    checkpoint, folder = make_checkpoint(), tmp_path / "out"
    result = write_result(tmp_path / "result.json", weights_sha256=weights_of(checkpoint))
    export(checkpoint, "timm", folder, "--metrics", result)
    card = (folder / "README.md").read_text()
    for text in ("B04", "CC0-1.0", "Reflectance = (DN - 1000) / 10000", "| retrieval | places | recall@1 | 0.5123 |"):
        assert text in card
    assert "7 steps" in card
    said = json.loads((folder / "seco.json").read_text())
    assert said["weights_sha256"] in card
    assert said["size"] == SIZE


def test_what_cannot_be_exported(make_checkpoint, tmp_path):
    for form in ("torchvision", "torchgeo"):
        result = export(make_checkpoint("convnext_atto"), form, tmp_path / form, code=1)
        assert "convnext_atto" in result.stderr
        assert "--format timm" in result.stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert "new or empty folder" in export(make_checkpoint(), "timm", tmp_path / "full", code=1).stderr
    assert "no such file" in export(tmp_path / "missing.pt", "timm", tmp_path / "a", code=1).stderr
    (tmp_path / "result.json").write_text("[]")
    wrong = export(make_checkpoint(), "timm", tmp_path / "b", "--metrics", tmp_path / "result.json", code=1)
    assert "result.json: expected a result of `seco evaluate --json`" in wrong.stderr
    assert not (tmp_path / "b").exists()
    assert set(FORMATS) == {*LOADERS, "onnx"}


@pytest.mark.parametrize(
    "words", [("retrieval",), ("finetune", "--epochs", 1, "--batch-size", 8)], ids=lambda words: words[0]
)
def test_the_card_takes_results_of_the_checkpoint(words, make_checkpoint, make_store, tmp_path):
    """Fine-tuning changes the encoder, but its result is of the weights that it began with."""
    checkpoint, names = make_checkpoint("test_resnet"), tuple("abcdefgh")
    store = make_store(locations=names, labels={name: "xy"[i % 2] for i, name in enumerate(names)})
    common = ("--data", store, "--checkpoint", checkpoint, "--bootstrap", 0, "--threads", 1)
    seco("evaluate", *words, *common, "--json", tmp_path / "result.json")
    export(checkpoint, "safetensors", tmp_path / "out", "--metrics", tmp_path / "result.json")
    asked = ", epochs 1, batch size 8" * (words[0] == "finetune")
    card = (tmp_path / "out" / "README.md").read_text()
    assert re.search(rf"^\| {words[0]}{asked} at \d+ px \| store \|", card, re.M)


def test_the_card_refuses_results_of_other_weights(make_checkpoint, tmp_path):
    checkpoint, out = make_checkpoint(), tmp_path / "out"
    good = write_result(tmp_path / "good.json", weights_sha256=weights_of(checkpoint))
    other = write_result(tmp_path / "other.json", weights_sha256="0123456789abcdef" * 4, name="resnet50")
    line = export(checkpoint, "timm", out, "--metrics", good, "--metrics", other, code=1).stderr
    assert line == (
        f"Error: {other}: expected a result of the exported weights, SHA-256 "
        f"{weights_of(checkpoint)[:12]}…, got one of checkpoint resnet50, SHA-256 0123456789ab…; "
        "evaluate this checkpoint and give that result\n"
    )
    for encoder in ({}, {"weights_sha256": None}):
        line = export(checkpoint, "timm", out, "--metrics", write_result(other, **encoder), code=1).stderr
        assert f"{other}: expected a result of the exported weights" in line
        assert "does not say of which" in line
    assert not out.exists()


@pytest.mark.parametrize("there", [True, False], ids=["empty folder", "no folder"])
@pytest.mark.parametrize("form", sorted(FORMATS))
def test_a_full_disk_is_one_line_and_leaves_nothing(form, there, make_checkpoint, tmp_path):
    if form == "onnx":
        pytest.importorskip("onnxscript", reason="onnxscript is not installed")
    checkpoint, out = make_checkpoint(), tmp_path / "new" / "out"
    if there:
        out.mkdir(parents=True)
    with files_no_longer_than(1 << 20):
        line = export(checkpoint, form, out, code=1).stderr
    assert line.startswith(f"Error: {out}/")
    assert line.endswith("got: File too large; free some space or choose another --out\n")
    assert line.count("\n") == 1
    assert list(out.iterdir()) == [] if there else not out.parent.exists()


def test_what_was_written_before_the_disk_was_full_is_removed(make_checkpoint, tmp_path, monkeypatch):
    checkpoint, out = make_checkpoint(), tmp_path / "out"
    fsync, calls = os.fsync, []

    def full_at_last(descriptor):
        calls.append(descriptor)
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full_at_last)
        line = export(checkpoint, "timm", out, code=1).stderr
    assert line.startswith(f"Error: {out / 'README.md'}: expected a place to write, got: No space left on device; free")
    assert not out.exists()
    export(checkpoint, "timm", out)
    assert {file.name for file in out.iterdir()} == {"model.safetensors", "config.json", "seco.json", "README.md"}


def test_weights_that_safetensors_cannot_hold(make_checkpoint, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise RuntimeError("\n            Some tensors share memory: a, b.\n            More of it.")

    monkeypatch.setattr("safetensors.torch.save", refuse)
    line = export(make_checkpoint(), "timm", tmp_path / "out", code=1).stderr
    assert "got: Some tensors share memory: a, b.; take --format onnx" in line
    assert not (tmp_path / "out").exists()
