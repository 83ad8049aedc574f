"""The page as a file: it needs nothing else, and names are only names."""

import json
import re

import pytest
from click.testing import CliRunner
from seco.cli.main import main

from seco.report.page import Given, build_page

NASTY = '<script>alert("x")</script>'


def test_the_page_loads_nothing(trained, records):
    page = build_page(Given((trained / "one", trained / "two"), records=(records,)))
    assert len(page) < 10e6
    own = page[: page.index("(() => {")]  # before the library
    assert re.findall(r'(?:src|href)="(?!data:|#)', own) == []
    assert "url(" not in own
    assert "default-src 'none'" in own


def test_charts_are_json(trained):
    page = build_page(Given((trained / "one",)))
    specs = [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', page)]
    assert len(specs) > 10
    assert all(spec["$schema"].startswith("https://vega.github.io/schema/vega-lite/") for spec in specs)


def test_names_from_files_are_escaped(run):
    settings = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps(settings | {"backbone": NASTY, "data": NASTY}))
    lines = [json.dumps({"step": i, "accuracy": {NASTY: 0.5}, "loss": 1.0}) for i in (1, 2)]
    (run / "metrics.jsonl").write_text("\n".join(lines))
    result = json.loads((run / "knn.json").read_text())
    result["encoder"]["name"] = result["protocol"] = NASTY
    (run / "knn.json").write_text(json.dumps(result | {"metrics": {NASTY: 0.5}}))
    nasty = run.rename(run.with_name("<b>one"))
    page = build_page(Given((nasty,)))
    assert NASTY not in page
    assert "<b>one" not in page
    assert page.count("&lt;script&gt;alert") >= 4


def test_a_run_without_anything_opens(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    page = build_page(Given((tmp_path,)))
    for said in ("config.json is not there.", "There are no metrics yet.", "its encoder cannot be shown", "no results yet"):
        assert said in page


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", {"epochs": "many", "steps": [1], "data": 5}),
        ("config.json", {"data": None}),
        ("metrics.jsonl", {"step": None, "epoch": None, "loss": {}}),
        ("metrics.jsonl", {"step": "3", "accuracy": [], "loss": 10**400}),
        ("probe.jsonl", {"step": 1, "metrics": {"a": "b"}, "chance": []}),
        ("retrieval.json", {"split": [1], "interval_95": {"seeds": None}, "untrained": {"metrics": {}, "interval_95": []}}),
    ],
)
def test_odd_values_do_not_stop_the_page(run, file, content):
    old = json.loads((run / file).read_text()) if file == "retrieval.json" else {}
    (run / file).write_text(json.dumps(old | content))
    assert build_page(Given((run,))).startswith("<!doctype html>")


def test_command_writes_the_page(trained, tmp_path):
    out = tmp_path / "report.html"
    result = CliRunner().invoke(main, ["report", str(trained / "one"), "--out", str(out), "--data", str(trained / "store")])
    assert (result.exit_code, result.stdout) == (0, f"{out}\n"), result.output
    assert out.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "nothing: expected a run, got no such folder; check the path"),
        (["one", "--results", "nothing.json"], "nothing.json: expected results of `seco evaluate --json`, got none"),
        (["one", "--records", "nothing.json"], "nothing.json: expected records of `python -m benchmarks`, got"),
    ],
)
def test_wrong_use_is_one_line_and_writes_nothing(trained, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(trained)
    result = CliRunner().invoke(main, ["report", *words, "--out", str(tmp_path / "no.html")])
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: {said}")
    assert result.output.count("\n") == 1
    assert not (tmp_path / "no.html").exists()


def test_a_folder_that_is_not_there_is_said_first(trained):
    result = CliRunner().invoke(main, ["report", str(trained / "one"), "--out", "no/where.html"])
    assert result.exit_code == 2
    assert "there is no folder" in result.output
