"""Every benchmark runs at toy size, so that none rots; nothing here looks at a time."""

import json

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import BENCHMARKS, main

FIELDS = {
    "benchmark", "case", "implementation", "device", "threads", "items_per_s", "unit", "median_s", "iqr_s", "runs",
    "machine", "versions", "commit",
}  # fmt: skip


PEER = {"views": "torchvision", "decode": "rasterio", "loader": "seco-2021", "scale": "geopandas", "step": "seco-2021"}


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_benchmark_writes_records(name, tmp_path, monkeypatch):
    out = tmp_path / "records.json"
    result = CliRunner().invoke(main, [name, "--out", str(out), "--quick"])
    assert result.exit_code == 0, result.output
    records = json.loads(out.read_text())
    assert all(set(record) >= FIELDS for record in records)
    assert {record["implementation"] for record in records} >= {"seco", PEER[name]}


def test_steps_are_fed_from_a_store(tmp_path, make_store):
    store = make_store(locations=tuple("abcdef"))
    out = tmp_path / "records.json"
    result = CliRunner().invoke(main, ["step", "--out", str(out), "--quick", "--data", str(store)])
    assert result.exit_code == 0, result.output
    assert "end-to-end" in json.loads(out.read_text())[-1]["case"]
    refused = CliRunner().invoke(main, ["scale", "--out", str(out), "--quick", "--data", str(store)])
    assert refused.exit_code == 2
