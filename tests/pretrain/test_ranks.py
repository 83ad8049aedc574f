"""Several processes of one run, started as a user starts them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from commands import started

from seco.data.store import open_store
from seco.pretrain.checkpoint import read_checkpoint
from seco.pretrain.ranks import started_with

BASE = ["--size", "32", "--queue", "24", "--log-every", "1", "--epochs", "4", "--lr", "0.01"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "seco.cli"]


@pytest.fixture
def store(make_store):
    return make_store(locations=tuple(f"{i:03}" for i in range(40)))


def torchrun(*words, code=0):
    result = subprocess.run([*TORCHRUN, "pretrain", *map(str, words)], capture_output=True, text=True, check=False)
    assert result.returncode == code, result.stderr
    return result


def srun(*words):
    """Two tasks with the variables that SLURM's srun sets."""
    step = {
        "SLURM_NTASKS": "2",
        "SLURM_NTASKS_PER_NODE": "2",
        "SLURM_STEP_NUM_TASKS": "2",
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_JOB_NAME": "seco",
        "SLURM_NODELIST": "127.0.0.1",
        "SLURM_NODEID": "0",
    }
    tasks = [
        subprocess.Popen(
            [sys.executable, "-m", "seco.cli", "pretrain", *map(str, words)],
            env=os.environ | step | {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    outputs = [task.communicate() for task in tasks]
    assert [task.returncode for task in tasks] == [0, 0], outputs
    return outputs


def losses(run):
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_two_ranks_of_16_are_one_of_32(store, tmp_path):
    # Without batch norm, whose statistics are those of a rank's own batch, ranks change nothing but rounding.
    train = ["--data", store, *BASE, "--backbone", "convnext_atto", "--steps", 3]
    two = torchrun(*train, "--out", tmp_path / "two", "--batch-size", 16)
    one = subprocess.run(
        [
            sys.executable,
            "-m",
            "seco.cli",
            "pretrain",
            *map(str, train),
            "--out",
            str(tmp_path / "one"),
            "--batch-size",
            "32",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert two.stdout.count("last.pt") == one.stdout.count("last.pt") == 1
    # A logit of size 1 / 0.07 rounds by 2**-21; gradients of such rounding move weights by less than they are wide, and
    # each of three steps passes them on.
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=3 * 2**-18)
    queues = [read_checkpoint(tmp_path / name / "checkpoints" / "last.pt")["model"] for name in ("one", "two")]
    # Queues hold the same keys in the same order, whichever rank made them; a unit vector's numbers are below 1.
    torch.testing.assert_close(queues[0]["queue.keys"], queues[1]["queue.keys"], rtol=0, atol=2**-10)


def test_resuming_is_exact_on_as_many_ranks_and_refused_on_others(store, tmp_path):
    train = ["--data", store, *BASE, "--backbone", "test_resnet", "--batch-size", 8]
    told = torchrun(*train, "--out", tmp_path / "whole", "--steps", 3, "--probe", "retrieval").stderr
    assert told.count("probe of step 3, momentum encoder  recall@1") == 1, "one process probes"
    torchrun(*train, "--out", tmp_path / "halves", "--steps", 1)
    words = [sys.executable, "-m", "seco.cli", "pretrain", *map(str, train), "--out", str(tmp_path / "halves"), "--resume"]
    alone = subprocess.run(words, capture_output=True, text=True, check=False)
    assert alone.returncode == 1
    assert "expected 2 processes as in the run to resume, got 1" in alone.stderr
    srun(*train, "--out", tmp_path / "halves", "--steps", 3, "--resume")
    whole, halves = (read_checkpoint(tmp_path / name / "checkpoints" / "last.pt") for name in ("whole", "halves"))
    assert whole["step"] == halves["step"] == 3
    assert losses(tmp_path / "whole") == losses(tmp_path / "halves")
    # Running means of batch norm are those of rank 0, which has seen the same in both.
    assert all(torch.equal(whole["model"][name], halves["model"][name]) for name in whole["model"])


def test_a_patch_that_ranks_find_bad_is_named_and_counted_once(store, tmp_path):
    for location in (2, 7):
        open_store(store).sources(location)[0].write_bytes(b"II*\0")
    train = ["--data", store, *BASE, "--backbone", "test_resnet", "--batch-size", 8, "--epochs", 8]
    told = torchrun(*train, "--out", tmp_path / "run", "--max-bad-fraction", 0.06).stderr
    assert told.count("another location takes its place") == 2
    assert json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])["bad_patches"] == 2


def test_a_signal_stops_all_ranks_after_the_same_step(store, tmp_path):
    out = tmp_path / "run"
    train = ["--data", store, *BASE, "--backbone", "test_resnet", "--batch-size", 8, "--epochs", 1000, "--out", out]
    with started([*TORCHRUN, "pretrain", *train], stderr=subprocess.PIPE) as process:
        while not (out / "metrics.jsonl").is_file() or len(losses(out)) < 2:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)  # torchrun passes it on
        stderr = process.communicate()[1]
    assert process.returncode != 0
    assert stderr.count("the last step is saved. Go on with the same command") == 1
    stopped = read_checkpoint(out / "checkpoints" / "last.pt")
    assert stopped["step"] == len(losses(out)) < 2000


def test_an_error_of_every_rank_is_one_line_each(store, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    result = torchrun("--data", store, *BASE, "--out", tmp_path / "run", code=1)
    errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 2
    assert all("expected a new run, got a path with something else; choose another --out" in line for line in errors)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, (1, 1)),
        ({"WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}, (8, 2)),
        ({"SLURM_NTASKS": "4"}, (1, 1)),  # reserved, but not started by srun
        ({"SLURM_NTASKS": "4", "SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_NUM_NODES": "2"}, (4, 2)),
    ],
)
def test_who_started_the_processes(monkeypatch, variables, expected):
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NUM_NODES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert started_with() == expected
