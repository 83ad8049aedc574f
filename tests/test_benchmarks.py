"""Every benchmark runs at toy size, so that none rots; nothing here looks at a time."""

import json

import pytest
from click.testing import CliRunner

from benchmarks.__main__ import BENCHMARKS, main

FIELDS = {
    "benchmark", "case", "implementation", "device", "threads", "items_per_s", "unit", "median_s", "iqr_s", "runs",
    "machine", "versions", "commit",
}  # fmt: skip


PEER = {"views": "torchvision", "decode": "rasterio", "loader": "seco-2021", "scale": "geopandas"}


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_benchmark_writes_records(name, tmp_path, monkeypatch):
    out = tmp_path / "records.json"
    result = CliRunner().invoke(main, [name, "--out", str(out), "--quick"])
    assert result.exit_code == 0, result.output
    records = json.loads(out.read_text())
    assert all(set(record) >= FIELDS for record in records)
    assert {record["implementation"] for record in records} >= {"seco", PEER[name]}
