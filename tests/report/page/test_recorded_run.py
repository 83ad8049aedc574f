"""Runs that are whole, young or damaged."""

import json

import pytest

from seco.errors import ConfigError, RunError
from seco.report.page.run import read_runs


def test_a_whole_run_lacks_nothing(trained):
    (run,) = read_runs([trained / "one"])
    assert run.missing == ()
    assert [line["step"] for line in run.metrics] == [1, 2, 3, 4, 5, 6]
    assert run.progress == "step 6, epoch 2 of 2"
    assert run.config.method == "seco"
    assert run.store.path == trained / "store"


def test_names_are_as_long_as_tells_them_apart(trained, tmp_path):
    for name in ("a/one", "b/one"):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
    assert [run.name for run in read_runs([tmp_path / "a/one", tmp_path / "b/one"])] == ["a/one", "b/one"]
    assert [run.name for run in read_runs([tmp_path / "a/one", trained / "two"])] == ["one", "two"]
    assert [run.name for run in read_runs([tmp_path / "a/one"] * 2)] == ["one", "one"]


def test_a_young_run_says_what_is_missing(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (run,) = read_runs([tmp_path])
    assert run.missing == ("config.json is not there.", "environment.json is not there.", "metrics.jsonl has no lines yet.")
    assert run.progress == "no step yet"


@pytest.mark.parametrize("cut", [b'{"step": 3, "lo', b"\xff\xfe", b"[]", b"3", b'{"loss": 1}'])
def test_metrics_end_at_a_line_that_cannot_be_read(run, cut):
    lines = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (run / "metrics.jsonl").write_bytes(b"".join([*lines[:2], cut + b"\n", *lines[3:]]))
    (read,) = read_runs([run])
    assert len(read.metrics) == 2
    assert read.missing == ("Line 3 of 6 of metrics.jsonl cannot be read; what follows is left out.",)


@pytest.mark.parametrize(
    ("text", "said"), [("{", "config.json cannot be read"), ("[1]", "config.json holds something else")]
)
def test_damaged_settings_are_said(run, text, said):
    (run / "config.json").write_text(text)
    (read,) = read_runs([run])
    assert said in read.missing[0]
    assert read.settings == {}


def test_settings_of_another_version_are_left_out(run):
    settings = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(settings | {"younger": 1}))
    (read,) = read_runs([run])
    assert read.config.epochs == 2
    (run / "config.json").write_text(json.dumps(settings | {"epochs": "many"}))
    with pytest.raises(ConfigError, match="epochs: expected int, got 'many'"):
        _ = read_runs([run])[0].config


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="expected a run, got no such folder"):
        read_runs([tmp_path / "nothing"])
    with pytest.raises(RunError, match=r"expected a run, got a folder without config\.json"):
        read_runs([tmp_path])
