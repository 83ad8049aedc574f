"""Checkpoints of others: their structure is made again here, for the files cannot be fetched in a test."""

import argparse
import json
import pickle
import sys
import types

import numpy as np
import pytest
import torch
from commands import seco
from full_disk import files_no_longer_than
from PIL import Image
from torch import nn

from seco.bands import RGB, SENTINEL2_L1C
from seco.data.store import open_store
from seco.errors import DataError
from seco.evaluate.datasets import StorePatches
from seco.evaluate.encoders import from_checkpoint
from seco.export.import_checkpoint import import_checkpoint
from seco.export.run import export
from seco.pretrain.backbone import build_backbone
from seco.pretrain.encoder import load_encoder


class MocoV2(nn.Module):
    """The state of the 2021 code's module: torchvision's networks as sequences of their children, heads and queues."""

    def __init__(self, bands=3):
        import torchvision

        super().__init__()

        def encoder():
            network = torchvision.models.resnet18()
            network.conv1 = nn.Conv2d(bands, 64, 7, stride=2, padding=3, bias=False)
            return nn.Sequential(*list(network.children())[:-1], nn.Flatten())

        def heads():
            return nn.ModuleList(
                nn.Sequential(nn.Linear(512, 512), nn.ReLU(inplace=True), nn.Linear(512, 128)) for _ in range(3)
            )

        self.encoder_q, self.encoder_k, self.heads_q, self.heads_k = encoder(), encoder(), heads(), heads()
        self.register_buffer("queue", torch.randn(3, 128, 32))
        self.register_buffer("queue_ptr", torch.zeros(1, dtype=torch.long))


@pytest.fixture
def lightning(monkeypatch):
    """A package that is there when a checkpoint is written and not when it is read."""
    names = ("pytorch_lightning", "pytorch_lightning.utilities", "pytorch_lightning.utilities.parsing")
    modules = [types.ModuleType(name) for name in names]
    attributes = type("AttributeDict", (dict,), {"__module__": names[-1]})
    modules[-1].AttributeDict = attributes
    with monkeypatch.context() as patched:
        for name, module in zip(names, modules, strict=True):
            patched.setitem(sys.modules, name, module)
        yield attributes


def write_release(file, module, attributes):
    content = {
        "epoch": 199,
        "global_step": 78_000,
        "pytorch-lightning_version": "1.0.5",
        "callbacks": {},
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 0.03}]}],
        "state_dict": module.state_dict(),
        "hparams_name": "kwargs",
        "hyper_parameters": attributes(base_encoder="resnet18", args=argparse.Namespace(gpus=4)),
    }
    torch.save(content, file)


def test_a_lightning_checkpoint_of_2021(tmp_path, lightning, monkeypatch):
    module = MocoV2().eval()
    write_release(tmp_path / "seco.ckpt", module, lightning)
    for name in [name for name in sys.modules if name.startswith("pytorch_lightning")]:
        monkeypatch.delitem(sys.modules, name)
    said = seco("import-checkpoint", tmp_path / "seco.ckpt", "--out", tmp_path / "run").stdout
    assert "resnet18 of B04, B03, B02 at 224 px" in said
    encoder = load_encoder(tmp_path / "run")
    batch = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(encoder.backbone(batch), module.encoder_q(batch), rtol=0, atol=1e-5)
    # The archive's red, 2 % and 98 %: 0 and 129 of 255 become 0 and 1.
    n = encoder.normalization
    assert [0 * n.scale[0] + n.offset[0], 129 * n.scale[0] + n.offset[0]] == pytest.approx([0, 1])
    assert n.mean == (0.485, 0.456, 0.406)


def test_an_imported_encoder_is_one_everywhere(tmp_path, make_store):
    torch.save(MocoV2().state_dict(), tmp_path / "plain.pth")
    run, store = tmp_path / "run", make_store()
    seco("import-checkpoint", tmp_path / "plain.pth", "--out", run, "--size", 32)
    seco("evaluate", "retrieval", "--data", store, "--checkpoint", run, "--json", tmp_path / "r.json")
    result = json.loads((tmp_path / "r.json").read_text())
    assert "from reflectance = DN / 255 to (DN - 1000) / 10000" in result["encoder"]["normalization"]["source"]
    # A reflectance of 129 / 255 is white for red, whatever the units.
    images = StorePatches(open_store(store))
    n = from_checkpoint(run, images).encoder.normalization
    assert (129 / 255 * 10_000 + 1000) * n.scale[0] + n.offset[0] == pytest.approx(1)
    seco("export", run, "--format", "torchvision", "--out", tmp_path / "exported")
    assert "imported from `plain.pth`" in (tmp_path / "exported" / "README.md").read_text()
    back = seco("import-checkpoint", tmp_path / "exported" / "weights.pth", "--out", tmp_path / "back").stdout
    assert "at 32 px; normalisation: as seco.json beside it says" in back
    assert load_encoder(tmp_path / "back").normalization == load_encoder(run).normalization
    same = ["import-checkpoint", tmp_path / "exported" / "weights.pth", "--out", tmp_path / "same", "--bands"]
    refused = seco(*same, "B02,B03,B04", code=1).stderr
    assert "bands: expected B04,B03,B02 as seco.json beside" in refused
    assert "as seco.json beside it says" in seco(*same, "B04,B03,B02").stdout
    torch.save({n: w + 1 for n, w in MocoV2().state_dict().items()}, tmp_path / "exported" / "weights.pth")
    seco("import-checkpoint", tmp_path / "exported" / "weights.pth", "--out", tmp_path / "other")
    assert load_encoder(tmp_path / "other").size == 224, "a description of other weights says nothing"
    resumed = seco("pretrain", "--data", store, "--out", run, "--resume", code=1)
    assert "imported encoder; begin a new run" in resumed.stderr


def test_plain_paths_and_lists_from_python(tmp_path):
    torch.save(MocoV2().state_dict(), tmp_path / "plain.pth")
    run, exported = f"{tmp_path}/run", f"{tmp_path}/exported"
    import_checkpoint(f"{tmp_path}/plain.pth", run, size=np.int64(32))
    weights = export(run, "torchvision", exported)
    assert import_checkpoint(str(weights), f"{tmp_path}/back", bands=list(RGB)).size == 32
    (tmp_path / "result.json").write_text("{}")
    with pytest.raises(DataError, match=r"result\.json: expected a result of"):
        export(run, "torchvision", f"{tmp_path}/other", results=[f"{tmp_path}/result.json"])


@pytest.mark.parametrize("prefix", ["", "module.encoder_q."])
@pytest.mark.parametrize(("name", "bands"), [("resnet18", 3), ("resnet50", 13)])
def test_torchgeo_and_ssl4eo(tmp_path, name, bands, prefix):
    network = build_backbone(name, bands)
    state = {f"{prefix}{key}": value for key, value in network.state_dict().items()}
    state |= {f"{prefix}fc.0.weight": torch.zeros(2, 2), f"{prefix}fc.0.bias": torch.zeros(2)}
    torch.save({"epoch": 99, "arch": name, "state_dict": state} if prefix else state, tmp_path / "file.pth")
    seco("import-checkpoint", tmp_path / "file.pth", "--out", tmp_path / "run")
    encoder = load_encoder(tmp_path / "run")
    assert encoder.name == name
    assert encoder.normalization.bands == (RGB if bands == 3 else tuple(band.name for band in SENTINEL2_L1C))
    for key, value in network.state_dict().items():
        assert torch.equal(encoder.backbone.state_dict()[key], value)


class Bomb:
    def __reduce__(self):
        return (open, ("was-here", "w"))


def make_classes(folder):
    for name in ("a", "b"):
        (folder / name).mkdir(exist_ok=True)
        for i in range(2):
            Image.fromarray(np.random.default_rng(i).integers(1, 255, (8, 8, 3), np.uint8)).save(folder / name / f"{i}.png")


def test_code_is_named_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": MocoV2().state_dict(), "hyper_parameters": Bomb()}, "evil.ckpt")
    folder = seco("import-checkpoint", tmp_path, "--out", "run", code=1).stderr
    assert "expected a checkpoint, got a folder; give the file of the weights in it" in folder
    refused = seco("import-checkpoint", "evil.ckpt", "--out", "run", code=1).stderr
    assert "evil.ckpt" in refused
    assert "would run" in refused
    assert "open" in refused
    assert not (tmp_path / "was-here").exists()
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps({"state_dict": Bomb()}))
    assert "plain.pkl" in seco("import-checkpoint", "plain.pkl", "--out", "run", code=1).stderr
    for file in ("evil.ckpt", "plain.pkl"):
        words = ("--data", tmp_path, "--checkpoint", file)
        make_classes(tmp_path)
        errors = seco("evaluate", "knn", *words, code=1).stderr
        (line,) = (line for line in errors.splitlines() if line.startswith("Error: "))
        assert line.endswith("do not trust it")
        assert "weights_only" not in errors  # torch's advice is to run it all the same
    assert not (tmp_path / "was-here").exists()


def test_a_full_disk_leaves_nothing(tmp_path):
    torch.save(build_backbone("resnet18", 3).state_dict(), tmp_path / "weights.pth")
    out = tmp_path / "runs" / "of-others"
    with files_no_longer_than(1 << 20):
        line = seco("import-checkpoint", tmp_path / "weights.pth", "--out", out, code=1).stderr
    assert line.startswith(f"Error: {out}/checkpoints/last.pt: expected a place to write, got: File too large; free")
    assert not out.parent.exists()


def test_an_own_checkpoint_needs_no_import(tmp_path):
    torch.save(build_backbone("resnet18", 3).state_dict(), tmp_path / "weights.pth")
    seco("import-checkpoint", tmp_path / "weights.pth", "--out", tmp_path / "run")
    words = ("import-checkpoint", tmp_path / "run" / "checkpoints" / "last.pt", "--out", tmp_path / "again")
    assert "expected a checkpoint of others, got one of seco; use it, or its run, as it is" in seco(*words, code=1).stderr
    assert not (tmp_path / "again").exists()


def test_files_that_are_no_such_checkpoints(tmp_path):
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "picture.png")
    torch.save({"state_dict": {"cls_token": torch.zeros(1)}}, tmp_path / "vit.pth")
    torch.save(
        {k: v for k, v in build_backbone("resnet18", 3).state_dict().items() if "layer4" not in k}, tmp_path / "cut.pth"
    )
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    torch.save(build_backbone("resnet18", 5).state_dict(), tmp_path / "five.pth")
    for name, text in {
        "missing.pth": "no such file",
        "picture.png": "does not load",
        "vit.pth": "another architecture",
        "cut.pth": "another architecture",
        "empty.pth": "expected named tensors",
        "five.pth": "5 channels",
    }.items():
        refused = seco("import-checkpoint", tmp_path / name, "--out", tmp_path / "run", code=1).stderr
        assert refused.count("\n") == 1
        assert name in refused
        assert text in refused
    assert not (tmp_path / "run").exists()
    named = seco("import-checkpoint", tmp_path / "five.pth", "--out", tmp_path / "run", "--bands", "B2,B3,B4,B8,VV")
    assert "B02, B03, B04, B08, VV" in named.stdout
