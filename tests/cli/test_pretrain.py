import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from commands import started
from lightning.fabric import Fabric
from seco.cli.pretrain import command
from small_runs import SMALL, metrics, run

from seco.data.store import open_store
from seco.errors import DataError, RunError
from seco.pretrain import loop
from seco.pretrain.checkpoint import read_checkpoint
from seco.pretrain.config import PretrainConfig
from seco.pretrain.encoder import load_encoder


@pytest.fixture
def store(make_store):
    return make_store(locations=tuple("abcdefghijklm"))


def test_either_loader_goes_on_where_the_other_stopped(store, tmp_path):
    import dali_plugin  # noqa: F401

    train = ["--data", store, *SMALL, "--epochs", 2]
    run(*train, "--out", tmp_path / "native")
    run(*train, "--out", tmp_path / "both", "--steps", 3)  # an epoch
    run(*train, "--out", tmp_path / "both", "--resume", "--steps", 0, "--loader", "dali")
    assert metrics(tmp_path / "both") == metrics(tmp_path / "native")
    weights = [read_checkpoint(tmp_path / name / "checkpoints" / "last.pt")["model"] for name in ("both", "native")]
    assert all(torch.equal(weights[0][name], tensor) for name, tensor in weights[1].items())


def test_two_epochs_are_one_and_one_more(store, tmp_path):
    train = ["--data", store, *SMALL, "--epochs", 2]
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    run(*train, "--out", whole)
    for stop in (3, 4):  # an epoch has three steps: once at its end, once in the middle of the next
        run(*train, "--out", halves, "--steps", stop, *(["--resume"] if stop > 3 else []))
    run(*train, "--out", halves, "--resume", "--steps", 0)
    one, two = (read_checkpoint(path / "checkpoints" / "last.pt") for path in (whole, halves))
    assert one["step"] == two["step"] == 6
    assert all(torch.equal(one["model"][name], two["model"][name]) for name in one["model"])
    assert one["best_loss"] == two["best_loss"]
    assert metrics(whole)[-1] == metrics(halves)[-1]


def test_one_and_one_more_leave_the_same_metrics(store, tmp_path):
    train = ["--data", store, *SMALL, "--epochs", 2]
    run(*train, "--out", tmp_path / "whole")
    run(*train, "--out", tmp_path / "halves", "--steps", 3)
    run(*train, "--out", tmp_path / "halves", "--resume", "--steps", 0)
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "halves")


def test_a_run_leaves_all_that_it_promises(store, tmp_path):
    out = tmp_path / "run"
    result = run("--data", store, "--out", out, *SMALL, "--epochs", 1, "--bands", "B08,B04")
    assert result.stdout.strip() == str(out / "checkpoints" / "last.pt")
    assert "locations/s" in result.stderr
    assert {p.name for p in out.iterdir()} == {
        "checkpoints",
        "config.json",
        "environment.json",
        "metrics.jsonl",
        "tensorboard",
    }
    assert json.loads((out / "config.json").read_text())["backbone"] == "test_resnet"
    assert "torch" in json.loads((out / "environment.json").read_text())["versions"]
    assert list((out / "tensorboard").iterdir())
    line = metrics(out)[-1]
    assert line["step"] == 3
    assert set(line["accuracy"]) == {"Z0", "Z1", "Z2"}
    assert 0 < line["gradient_norm"] < np.inf
    encoder = load_encoder(out)
    assert encoder.normalization.bands == ("B08", "B04")
    assert encoder.backbone(torch.zeros(2, 2, 32, 32)).shape == (2, encoder.backbone.num_features)
    best = read_checkpoint(out / "checkpoints" / "best.pt")
    assert best["best_loss"] == pytest.approx(
        np.average([m["loss"] for m in metrics(out)], weights=[2, 1]),
        rel=1e-12,  # two lines: of two steps and of one
    )


def test_the_best_epoch_is_none_of_those_that_a_random_queue_made_easy(store, tmp_path, monkeypatch):
    losses = iter([1.0, 2.0, 5.0, 4.0, 6.0])  # of the epochs, each of 3 steps of 4 locations
    whole = loop._Trainer._end_epoch

    def end_epoch(trainer):
        trainer.epoch_loss = 3 * next(losses)
        whole(trainer)

    monkeypatch.setattr(loop._Trainer, "_end_epoch", end_epoch)
    train = [*SMALL, "--queue", 20, "--epochs", 5]  # filled within the second epoch
    run("--data", store, "--out", tmp_path / "run", *train)
    best = read_checkpoint(tmp_path / "run" / "checkpoints" / "best.pt")
    assert (best["step"], best["best_loss"]) == (12, 4.0)


def test_a_store_of_too_few_dates_is_told_of_other_methods(make_store, tmp_path):
    two = make_store("two", dates=("2021-07-01T10:00:00", "2020-01-15T10:36:29"))
    error = run("--data", two, "--out", tmp_path / "run", *SMALL, "--steps", 1, code=1).stderr
    assert "3 dates or more (one batch), got 0 of 3" in error
    assert "or a --method that takes fewer dates, such as moco_tp" in error


def test_a_backbone_of_another_size_is_refused_in_a_line(store, tmp_path):
    train = [*SMALL, "--backbone", "vit_tiny_patch16_224", "--steps", 1]
    error = run("--data", store, "--out", tmp_path / "run", *train, code=1).stderr.splitlines()[-1]
    assert error.startswith(
        "Error: backbone: expected one that takes 32 px, got VisionTransformer, which says: Input height"
    )
    assert "give the size that it was made for" in error


def test_a_backbone_may_have_a_layer_before_its_classifier(store, tmp_path):
    run("--data", store, "--out", tmp_path / "run", *SMALL, "--backbone", "mobilenetv3_small_050", "--steps", 1)
    assert load_encoder(tmp_path / "run").backbone(torch.zeros(2, 3, 32, 32)).shape == (2, 1024)


def test_dropout_of_a_backbone_is_the_same_again(store, tmp_path):
    train = ["--data", store, *SMALL, "--backbone", "rexnet_100"]
    run(*train, "--out", tmp_path / "whole", "--steps", 2)
    run(*train, "--out", tmp_path / "halves", "--steps", 1)
    run(*train, "--out", tmp_path / "halves", "--resume", "--steps", 2)
    one, two = (read_checkpoint(tmp_path / name / "checkpoints" / "last.pt")["model"] for name in ("whole", "halves"))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("options", [["--method", "moco"], ["--method", "moco_tp", "--precision", "bf16"]])
def test_other_methods_train(store, tmp_path, options):
    run("--data", store, "--out", tmp_path / "run", *SMALL, "--epochs", 1, "--bands", "all", *options)
    assert set(metrics(tmp_path / "run")[-1]["accuracy"]) == {"Z0"}


def test_settings_come_from_a_file(store, tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(f'data = "{store}"\nbackbone = "test_resnet"\nbatch_size = 4\nsize = 32\nqueue = 8\nepochs = 9\n')
    run("--config", file, "--out", tmp_path / "run", "--steps", 1)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["epochs"] == 9


def test_what_a_user_can_do_wrong_is_one_line(store, tmp_path):
    out = tmp_path / "run"
    train = ["--data", store, "--out", out, *SMALL, "--epochs", 1]
    missing = run("--data", tmp_path / "nope", "--out", out, code=1).stderr
    assert missing.startswith("Error: ")
    assert missing.count("\n") == 1
    assert not out.exists()
    assert f"{out}: expected a run to resume, got no such folder" in run(*train, "--resume", code=1).stderr
    run(*train)
    assert "say --resume or --overwrite" in run(*train, code=1).stderr
    assert "expected lr 0.03 as in the run to resume, got 0.1" in run(*train, "--resume", "--lr", 0.1, code=1).stderr
    run(*train, "--overwrite", "--resume", code=2)
    run(*train, "--no-such-flag", code=2)
    run(*train, "--overwrite")
    assert "expected a store" in run("--out", tmp_path / "other", code=1).stderr
    assert "got 13 of 13; choose a smaller --batch-size" in run(*train, "--overwrite", "--batch-size", 50, code=1).stderr
    assert read_checkpoint(out / "checkpoints" / "last.pt")["step"] == 3, "a refused --overwrite must lose nothing"


def test_a_run_goes_on_with_its_own_settings(store, tmp_path):
    out = tmp_path / "run"
    run("--data", store, "--out", out, *SMALL, "--epochs", 2, "--steps", 2)
    again = run("--out", out, "--resume")
    assert again.stderr == "Step 2 of 2: nothing is left to train; --steps 0 goes on to the last epoch.\n"
    assert again.stdout == f"{out / 'checkpoints' / 'last.pt'}\n"
    assert "Step 2 of 1: nothing is left to train" in run("--out", out, "--resume", "--steps", 1).stderr
    run("--out", out, "--resume", "--steps", 0)
    assert read_checkpoint(out / "checkpoints" / "last.pt")["step"] == 6
    assert "expected size 32 as in the run to resume, got 16" in run("--out", out, "--resume", "--size", 16, code=1).stderr


def test_it_goes_on_where_and_how_it_began(store, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "Probe", lambda *_, **__: Mock(busy=False, submit=lambda _: None, answers=lambda _: []))
    out = tmp_path / "run"
    how = {"threads": 1, "save_steps": 2, "max_bad_fraction": 0.5, "verify": True, "device": "cpu", "probe": "retrieval"}
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in how.items() if value is not True]
    run("--data", store, "--out", out, *SMALL, "--epochs", 2, "--steps", 2, "--verify", *flags)
    run("--out", out, "--resume", "--threads", 2, "--steps", 5)
    then = json.loads((out / "config.json").read_text())
    assert then == then | how | {"threads": 2, "steps": 5}
    assert read_checkpoint(out / "checkpoints" / "last.pt")["step"] == 5


def test_of_two_processes_one_trains(store, tmp_path):
    out = tmp_path / "run"
    train = ["--data", store, "--out", out, *SMALL, "--epochs", 1]
    run(*train)
    before = metrics(out)
    descriptor = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for how in ("--resume", "--overwrite"):
            assert "got one that another process is training" in run(*train, how, code=1).stderr
    finally:
        os.close(descriptor)
    assert metrics(out) == before
    run(*train, "--overwrite")


def test_a_store_that_changed_is_not_resumed(store, make_store, tmp_path):
    train = ["--out", tmp_path / "run", *SMALL, "--epochs", 2]
    run("--data", store, *train, "--steps", 1)
    other = make_store("other", locations=tuple("abcdefghijklm"), seed=1)
    assert "expected the store that the run began with" in run("--data", other, *train, "--resume", code=1).stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_after_the_step(store, tmp_path, number, code):
    out = tmp_path / "run"
    train = ["--data", store, *SMALL, "--epochs", 100, "--steps", 40, "--log-every", 1]
    words = [sys.executable, "-m", "seco.cli", "pretrain", *train, "--out", out]
    with started(words, stderr=subprocess.PIPE) as process:
        while not (out / "metrics.jsonl").is_file() or len(metrics(out)) < 2:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        process.send_signal(number)
        stderr = process.communicate()[1]
    assert process.returncode == code
    assert "the last step is saved. Go on with the same command and --resume." in stderr
    stopped = read_checkpoint(out / "checkpoints" / "last.pt")
    assert stopped["step"] == metrics(out)[-1]["step"] < 40
    run("--out", out, "--resume")
    assert metrics(out)[-1]["step"] == 40, "it goes on to the step that was asked for"


def test_ranks_part_after_the_last_checkpoint(store, tmp_path, monkeypatch):
    order = []
    monkeypatch.setattr(Fabric, "barrier", lambda _: order.append("barrier"))
    monkeypatch.setattr(loop.RunDirectory, "save", lambda *_: order.append("save"))
    monkeypatch.setattr(loop.ranks, "leave", lambda: order.append("leave"))
    run("--data", store, "--out", tmp_path / "run", *SMALL, "--epochs", 1, "--steps", 1)
    assert order[-3:] == ["save", "barrier", "leave"]


def test_overwrite_spares_what_is_no_run(store, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    train = ["--data", store, "--out", tmp_path, *SMALL]
    for words in (train, [*train, "--overwrite"]):
        assert "expected a new run, got a path with something else; choose another --out" in run(*words, code=1).stderr
    assert "expected a run to resume, got something else" in run(*train, "--resume", code=1).stderr
    assert (tmp_path / "thesis.txt").exists()


def test_a_corrupt_patch_is_named(store, tmp_path):
    opened = open_store(store)
    for i in range(len(opened)):
        for file in opened.sources(i):
            file.write_bytes(file.read_bytes()[:500])
    error = run("--data", store, "--out", tmp_path / "run", *SMALL, code=1).stderr.splitlines()[-1]
    assert error.startswith("Error: ")
    assert ".tif: expected a readable GeoTIFF" in error


def test_a_run_that_ended_before_its_first_checkpoint_is_resumed_from_its_beginning(store, tmp_path):
    train = ["--data", store, *SMALL, "--epochs", 1]
    run(*train, "--out", tmp_path / "whole")
    run(*train, "--out", tmp_path / "killed")
    for file in (tmp_path / "killed" / "checkpoints").iterdir():
        file.unlink()
    (tmp_path / "killed" / "notes.txt").write_text("mine")
    other = run(*train, "--out", tmp_path / "killed", "--resume", "--lr", 0.1, code=1).stderr
    assert "expected lr 0.03 as in the run to resume, got 0.1" in other
    run(*train, "--out", tmp_path / "killed", "--resume")
    whole, killed = (torch.load(tmp_path / name / "checkpoints" / "last.pt") for name in ("whole", "killed"))
    assert (tmp_path / "killed" / "notes.txt").exists()
    steps = [[line["step"] for line in metrics(tmp_path / name)] for name in ("whole", "killed")]
    assert steps[0] == steps[1]
    assert whole["step"] == killed["step"]
    assert all(torch.equal(whole["model"][name], killed["model"][name]) for name in whole["model"])


def test_a_run_whose_checkpoints_were_deleted_keeps_its_metrics(store, tmp_path):
    train = ["--data", store, *SMALL, "--epochs", 3, "--out", tmp_path / "run"]
    run(*train)
    for file in (tmp_path / "run" / "checkpoints").iterdir():
        file.unlink()
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    assert "last.pt: expected a checkpoint, got no such file" in run(*train, "--resume", code=1).stderr
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_a_lost_last_checkpoint_may_be_that_of_the_best_epoch(store, tmp_path):
    train = ["--data", store, *SMALL, "--epochs", 2, "--out", tmp_path / "run"]
    run(*train)
    last, best = (tmp_path / "run" / "checkpoints" / name for name in ("last.pt", "best.pt"))
    last.write_bytes(last.read_bytes()[:1000])
    assert f", or copy {best} there to go on from its epoch" in run(*train, "--resume", code=1).stderr
    last.unlink()
    assert f"no such file; copy {best} there to go on from its epoch" in run(*train, "--resume", code=1).stderr
    last.write_bytes(best.read_bytes())
    run(*train, "--resume")


def test_a_link_to_nowhere_is_no_run(store, tmp_path):
    (tmp_path / "run").symlink_to(tmp_path / "nowhere")
    assert "got a link to nowhere" in run("--data", store, *SMALL, "--out", tmp_path / "run", code=1).stderr


def test_checkpoints_that_were_cut_short_are_refused_by_name(store, tmp_path):
    run("--data", store, *SMALL, "--epochs", 1, "--out", tmp_path / "run")
    content = (tmp_path / "run" / "checkpoints" / "last.pt").read_bytes()
    file = tmp_path / "cut.pt"
    for length in (0, 100, 2000, 5000, 20_000, 200_000, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"cut\.pt: expected a checkpoint of seco, got a file that does not load"):
            load_encoder(file)


def test_files_that_are_no_checkpoints_are_refused(tmp_path):
    file = tmp_path / "weights.pt"
    with pytest.raises(RunError, match="no such file"):
        load_encoder(file)
    file.write_bytes(b"not a zip")
    with pytest.raises(DataError, match="does not load"):
        load_encoder(file)
    torch.save({"weights": torch.zeros(1)}, file)
    with pytest.raises(DataError, match="got another file"):
        load_encoder(file)
    torch.save({"format_version": 99}, file)
    with pytest.raises(RunError, match="newer seco"):
        load_encoder(file)


def test_the_folder_of_a_run_stays_itself(store, tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    run("--data", store, *SMALL, "--epochs", 1, "--out", tmp_path / "out")
    monkeypatch.chdir(tmp_path / "disk")
    run("--data", store, *SMALL, "--epochs", 1, "--out", ".", "--overwrite")
    assert (tmp_path / "out").is_symlink()
    assert read_checkpoint(tmp_path / "disk" / "checkpoints" / "last.pt")["step"] == 3


def test_data_inside_a_run_are_not_overwritten_with_it(store, tmp_path):
    out = tmp_path / "run"
    run("--data", store, *SMALL, "--epochs", 1, "--out", out)
    store.rename(out / "store")
    said = run("--data", out / "store", *SMALL, "--epochs", 1, "--out", out, "--overwrite", code=1).stderr
    assert f"expected a run to overwrite, got one that holds {out / 'store'}; move that away" in said
    assert len(open_store(out / "store")) == 13


def test_weights_that_are_no_numbers_are_not_saved(store, tmp_path):
    train = ["--data", store, *SMALL, "--epochs", 2, "--out", tmp_path / "run"]
    said = run(*train, "--steps", 1, "--lr", 1e38, code=1).stderr
    assert "weights: expected numbers, got others after step 1; try a smaller --lr" in said
    assert not list((tmp_path / "run" / "checkpoints").iterdir())


def test_the_defaults_that_help_shows_are_those_of_the_settings():
    told = {option.name: re.search(r"\[([^:]+).*\]$", getattr(option, "help", None) or "") for option in command.params}
    shown = {name: found[1].rstrip("]") for name, found in told.items() if found}
    assert (shown.pop("threads"), shown.pop("probe_data")) == ("one a core", "--data")  # what 0 and no text stand for
    settings = {field.name: field.default for field in fields(PretrainConfig) if field.name in shown}
    assert {name: type(settings[name])(text) for name, text in shown.items()} == settings
    assert {"lr", "backbone", "max_bad_fraction"} <= set(shown)
