"""The profile of training: its stages, its trace, and what it says."""

import gzip
import json

import torch
from click.testing import CliRunner
from seco.cli.main import main

from seco.pretrain.checkpoint import read_checkpoint
from seco.profiling.loader import ADVICE
from seco.profiling.training import LAST, MEANING, WAIT, StepTimes, describe

SMALL = ["--backbone", "test_resnet", "--batch-size", "4", "--size", "32", "--queue", "10", "--steps", "10"]


def run(store, out, *words, code=0):
    result = CliRunner().invoke(main, ["pretrain", "--data", str(store), "--out", str(out), *SMALL, *words])
    assert result.exit_code == code, result.output
    return result


def test_a_profile_shows_every_stage_and_changes_nothing(make_store, tmp_path):
    store = make_store(locations=tuple("abcdefgh"))
    run(store, tmp_path / "without")
    result = run(store, tmp_path / "with", "--profile")
    weights = [read_checkpoint(tmp_path / name / "checkpoints" / "last.pt")["model"] for name in ("without", "with")]
    assert all(torch.equal(weights[1][name], tensor) for name, tensor in weights[0].items())

    folder = tmp_path / "with" / "profile"
    trace = json.loads(gzip.decompress((folder / "trace.json.gz").read_bytes()))
    named = [event["name"] for event in trace["traceEvents"] if event.get("cat") == "user_annotation"]
    # Ten steps: two warm up, four are timed, one warms the profiler up and three are recorded.
    assert {named.count(stage) for stage in MEANING if stage != "EMA and queue"} == {3}
    assert named.count("EMA and queue") == 6, "one at the beginning of a step and one at the end"
    assert "aten::conv2d" in {event["name"] for event in trace["traceEvents"]}
    page = (folder / "summary.md").read_text()
    assert page in result.stderr
    assert "4 steps:" in page
    assert all(f"| {stage} | " in page for stage in MEANING)
    assert result.stdout.strip() == str(tmp_path / "with" / "checkpoints" / "last.pt")


def times(**stages_s):
    return StepTimes(
        stages_s=stages_s,
        longest_s=stages_s,
        loader_s={"read": 0.1, "decompress": 0.9, "unpredict": 0.0, "views": 0.2},
        threads=2,
        cpu_use=0.5,
        cores=2,
        steps=3,
        locations=8,
    )


def test_the_longest_stage_limits():
    found = times(**{WAIT: 0.01, "backward": 0.6, LAST: 0.39})
    assert found.limiting == "backward"
    assert "--precision bf16" in found.advice("cuda", "fp32")
    assert "--device cuda" in found.advice("cpu", "fp32")
    assert "--precision bf16 where" in found.advice("cpu", "fp32")
    assert "bf16" not in found.advice("cpu", "bf16")
    page = describe(found, caption="A run", device="cpu", precision="fp32")
    assert "**Limiting: backward, 60% of a step.**" in page
    assert "3 steps: 1000.0 ms each, 8 locations/s" in page


def test_a_loader_that_is_waited_for_limits_though_the_model_takes_longer():
    found = times(**{WAIT: 0.2, "backward": 0.8})
    assert found.limiting == WAIT
    assert ADVICE["decompress"] in found.advice("cpu", "fp32")


def test_other_stages_have_their_advice():
    for stage, hint in {LAST: "--log-every", "optimiser": "--batch-size", "loss": "--queue"}.items():
        assert hint in times(**{stage: 1.0}).advice("cpu", "fp32")


def test_too_few_steps_are_refused(make_store, tmp_path):
    error = run(make_store(locations=tuple("abcd")), tmp_path / "run", "--profile", "--steps", "7", code=1).stderr
    assert "profile: expected at least 8 steps to come, got 7; train longer" in error
