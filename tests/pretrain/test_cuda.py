"""Training on a GPU."""

import json

import pytest
import torch

pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pytest.importorskip("timm", reason="timm is not installed")
pytest.importorskip("lightning", reason="lightning is not installed")
from memory_store import MemoryStore

from seco.data.normalization import Normalization
from seco.ops.recipe import RECIPES
from seco.pretrain import loop
from seco.pretrain.checkpoint import read_checkpoint
from seco.pretrain.config import PretrainConfig
from seco.profiling.loader import profile_loader
from seco.profiling.training import MEANING

pytestmark = pytest.mark.gpu


class Silent:
    def started(self, **_):
        pass

    def advanced(self, line):
        pass

    def said(self, text):
        pass

    def warned(self, text):
        raise AssertionError(text)


@pytest.fixture
def train(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "open_store", lambda _: MemoryStore())

    def run(name, *, resume=False, **changes):
        settings = {"backbone": "test_resnet", "batch_size": 8, "size": 32, "queue": 64, "epochs": 4, "log_every": 1}
        config = PretrainConfig(data="memory", **settings | changes)
        assert loop.pretrain(config, tmp_path / name, watcher=Silent(), resume=resume) is None
        return [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]

    return run


def test_losses_are_the_cpus(train):
    on_cpu, on_cuda = (train(device, device=device, steps=3) for device in ("cpu", "cuda"))
    for there, here in zip(on_cuda, on_cpu, strict=True):
        # Convolutions round by 2**-24 for each of some thousand terms, and a logit multiplies that by 1 / 0.07; each step
        # passes it on.
        assert there["loss"] == pytest.approx(here["loss"], rel=1e-2)
    assert on_cuda[0]["loss"] == pytest.approx(on_cpu[0]["loss"], rel=1e-3)


@pytest.mark.parametrize("compiled", [False, True])
def test_bfloat16_trains_and_goes_on(train, tmp_path, compiled):
    settings = {"device": "cuda", "precision": "bf16", "compile": compiled}
    first = train("run", steps=4, **settings)
    lines = train("run", steps=8, resume=True, **settings)
    assert [line["step"] for line in lines] == list(range(1, 9))
    assert lines[:4] == first
    state = read_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt")
    assert all(torch.isfinite(tensor.float()).all() for tensor in state["model"].values())
    assert state["model"]["queue.keys"].dtype == torch.float32


def test_a_profile_times_every_stage_by_the_gpus_clock(train, tmp_path):
    train("profiled", steps=10, device="cuda", precision="bf16", profile=True)
    page = (tmp_path / "profiled" / "profile" / "summary.md").read_text()
    assert all(f"| {stage} | " in page for stage in MEANING)
    assert (tmp_path / "profiled" / "profile" / "trace.json.gz").stat().st_size


def test_a_loader_profile_sees_the_kernels():
    store = MemoryStore()
    normalization = Normalization.from_store(store, ("B04", "B03", "B02"))
    settings = {"size": 32, "batch_size": 4, "threads": 2, "seconds": 0}
    profile = profile_loader(
        store, loader="native", device="cuda", recipe=RECIPES["seco"], normalization=normalization, **settings
    )
    assert profile.gpu_stages_s["views"] > 0
    assert profile.gpu_stages_s["copy"] > 0
