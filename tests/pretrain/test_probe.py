"""Probes beside training: what they measure, and that they leave training alone."""

import json
import os
import shutil
import sys
import threading

import pytest
import torch
from click.testing import CliRunner
from seco.cli.main import main

from seco.data.normalization import Normalization
from seco.data.store import open_store
from seco.evaluate.datasets import StorePatches
from seco.evaluate.features import extract_features
from seco.evaluate.retrieval import evaluate_retrieval
from seco.pretrain.backbone import build_backbone
from seco.pretrain.checkpoint import read_checkpoint
from seco.pretrain.config import PretrainConfig
from seco.pretrain.encoder import Encoder
from seco.pretrain.loop import pretrain
from seco.pretrain.probe import Probe, Snapshot
from seco.pretrain.run_directory import read_lines

SMALL = {"backbone": "test_resnet", "batch_size": 4, "size": 32, "queue": 10, "epochs": 2, "key_momentum": 0.5}


@pytest.fixture
def store(make_store):
    return make_store(locations=tuple("abcdefgh"))


def run(store, out, *words, code=0):
    flags = [str(word) for name, value in SMALL.items() for word in (f"--{name.replace('_', '-')}", value)]
    result = CliRunner().invoke(main, ["pretrain", "--data", str(store), "--out", str(out), *flags, *map(str, words)])
    assert result.exit_code == code, result.output
    return result


def momentum_encoder(path, store):
    weights = read_checkpoint(path / "checkpoints" / "last.pt")["model"]
    backbone, prefix = build_backbone("test_resnet", 3), "key.backbone."
    backbone.load_state_dict({k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)})
    return Encoder(backbone.eval(), Normalization.from_store(store, ("B04", "B03", "B02")), 32, "test_resnet")


def test_a_probe_measures_the_momentum_encoder_and_changes_nothing(store, tmp_path):
    run(store, tmp_path / "without")
    result = run(store, tmp_path / "with", "--probe", "retrieval")
    weights = [read_checkpoint(tmp_path / name / "checkpoints" / "last.pt")["model"] for name in ("without", "with")]
    assert all(torch.equal(weights[1][name], tensor) for name, tensor in weights[0].items())

    lines = read_lines(tmp_path / "with" / "probe.jsonl")
    assert [(line["step"], line["epoch"]) for line in lines] == [(2, 0), (4, 1)]
    images = StorePatches(open_store(store))
    features = extract_features(momentum_encoder(tmp_path / "with", images.store), images)
    expected = evaluate_retrieval(features, images.locations)
    # Features of another batch size differ in their last bits, which decide between no two of these 24 patches.
    metrics = expected.metrics()
    assert lines[-1]["metrics"]["mAP"] == pytest.approx(metrics["mAP"], rel=1e-6)
    assert f"probe of step 4, momentum encoder  recall@1 {metrics['recall@1']:.3f} (chance 0.087)" in result.stderr
    assert (tmp_path / "with" / "training.png").stat().st_size > 10_000
    assert not list((tmp_path / "with").glob(".probe*"))

    # A line that is missing is measured again, one of a step that is done again is dropped.
    file = tmp_path / "with" / "probe.jsonl"
    file.write_text(json.dumps(lines[0]) + "\n" + json.dumps(lines[1] | {"step": 9}) + '\n{"st')
    run(store, tmp_path / "with", "--probe", "retrieval", "--resume")
    assert [line["metrics"] for line in read_lines(file)] == [line["metrics"] for line in lines]


class Listener:
    """Told of everything; ``on_start`` happens when training begins."""

    def __init__(self, on_start):
        self.on_start, self.probes, self.warnings = on_start, [], []

    def started(self, **_):
        self.on_start()

    def advanced(self, _): ...

    def said(self, _): ...

    def probed(self, line):
        self.probes.append(line)

    def warned(self, text):
        self.warnings.append(text)


def test_data_that_go_away_are_a_warning(store, make_store, tmp_path):
    other = make_store("other", locations=("x", "y"))
    config = PretrainConfig(data=str(store), probe="retrieval", probe_data=str(other), probe_every=2, **SMALL)
    listener = Listener(lambda: shutil.rmtree(other))
    assert pretrain(config, tmp_path / "run", watcher=listener) is None
    assert listener.probes == []
    (warning,) = listener.warnings
    assert warning.startswith(f"the probe of step 4 failed: {other}: expected ")
    assert read_checkpoint(tmp_path / "run" / "checkpoints" / "last.pt")["step"] == 4


def test_a_process_that_dies_is_a_warning(store, tmp_path, monkeypatch):
    config = PretrainConfig(data=str(store), probe="retrieval", **SMALL)
    listener = Listener(lambda: monkeypatch.setattr(sys, "executable", shutil.which("false")))
    assert pretrain(config, tmp_path / "run", watcher=listener) is None
    assert listener.warnings[-1] == "the probe of step 4 failed: its process ended with code 1"


def test_the_process_has_the_least_priority_and_no_session_of_its_own(store, tmp_path):
    probe = Probe("retrieval", store, folder=tmp_path, threads=1)
    probe.submit(Snapshot(1, 0, {"no": "checkpoint"}))
    (answer,) = probe.answers(timeout_s=120)
    assert answer["step"] == 1
    assert answer["error"] == "KeyError: 'normalization'"
    process = probe._worker.pid
    assert os.getpriority(os.PRIO_PROCESS, process) == 19
    # A session of its own would be a group of the scheduler with a share of its own: twice what training got, at nice 19.
    assert os.getsid(process) == os.getsid(0)
    assert os.getpgid(process) != os.getpgid(0), "Ctrl-C is for training"
    probe.close()
    with pytest.raises(ProcessLookupError):
        os.getsid(process)


def test_the_newest_waits_in_place_of_an_older(tmp_path, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def ask(_):
        begun.set()
        go_on.wait()
        return {}

    monkeypatch.setattr(Probe, "_ask", ask)
    probe = Probe("retrieval", tmp_path, folder=tmp_path, threads=1)
    snapshots = [Snapshot(step, 0, {}) for step in range(3)]
    assert probe.submit(snapshots[0]) is None
    begun.wait()
    assert probe.submit(snapshots[1]) is None
    assert probe.submit(snapshots[2]) is snapshots[1]
    assert probe.answers() == []
    go_on.set()
    found = [*probe.answers(timeout_s=60), *probe.answers(timeout_s=0.1)]
    while probe.busy:
        found += probe.answers(timeout_s=60)
    assert [line["step"] for line in found] == [0, 2]
    probe.close()


def test_what_cannot_be_probed_is_said_before_training(store, tmp_path):
    folder = tmp_path / "classes"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        torch.manual_seed(0)
        from PIL import Image

        Image.new("RGB", (8, 8), "green").save(folder / name / "1.png")
    out = tmp_path / "run"
    for words, message in {
        ("--probe", "linear"): "probe: expected none, retrieval, knn, got 'linear'",
        (
            "--probe",
            "knn",
        ): "expected labels, got a store without labels.parquet; use another store; or take --probe retrieval",
        ("--probe", "retrieval", "--probe-data", folder): "expected a store to probe retrieval on, got a folder of classes",
        ("--probe", "knn", "--probe-data", folder, "--bands", "B08"): "got none named B08; choose another --probe-data",
        ("--probe", "retrieval", "--probe-data", tmp_path / "no"): "expected a store or a folder of classes, got no such",
    }.items():
        assert message in run(store, out, *words, code=1).stderr
    assert not out.exists()


def test_whatever_goes_wrong_in_a_probe_is_an_answer(tmp_path, monkeypatch):
    def broken(*_):
        raise UnicodeEncodeError("utf-8", "\udce9", 0, 1, "surrogates not allowed")

    monkeypatch.setattr("seco.pretrain.probe.save_checkpoint", broken)
    probe = Probe("retrieval", tmp_path, folder=tmp_path, threads=1)
    probe.submit(Snapshot(1, 0, {}))
    (answer,) = probe.answers(timeout_s=60)
    probe.close()
    assert "surrogates not allowed" in answer["error"]
