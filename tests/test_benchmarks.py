"""Every benchmark runs at toy size, so that none rots; nothing here looks at a time."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import charts, decode_cuda
from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.compare import compare
from benchmarks.record import make_record
from benchmarks.tables import README, cpu_table, gpu_table, with_tables
from benchmarks.view_peers import SIZE, check
from seco.data.store import open_store
from seco.errors import DeviceError
from seco.ops.geotiff import decode_geotiff

FIELDS = {
    "benchmark", "case", "implementation", "device", "threads", "items_per_s", "unit", "median_s", "iqr_s", "runs",
    "machine", "versions", "commit",
}  # fmt: skip


def noise(most):
    return np.linspace(0, most, 3 * SIZE * SIZE, dtype=np.float32).reshape(3, SIZE, SIZE)


PEERS = {
    "views": {"torchvision", "torchvision-v2", "kornia"},
    "decode": {"gdal", "rasterio", "tifffile", "imagecodecs"},
    "loader": {"seco-2021"},
    "scale": {"geopandas"},
    "step": {"seco-2021"},
    "features": {"scikit-learn", "torchvision-loader"},
    "collect": {"one-date-a-request", "client-and-writer-alone"},
}


@pytest.mark.parametrize("name", sorted(BENCHMARKS))
def test_benchmark_writes_records(name, tmp_path):
    out = tmp_path / "records.json"
    result = CliRunner().invoke(main, [name, "--out", str(out), "--quick"])
    assert result.exit_code == 0, result.output
    records = json.loads(out.read_text())
    assert all(set(record) >= FIELDS for record in records)
    assert {record["implementation"] for record in records} >= {"seco"} | PEERS.get(name, set())


def test_what_was_measured_before_an_error_is_kept(tmp_path, monkeypatch):
    record = make_record(
        benchmark="views", case="x", implementation="seco", device="cpu", threads=1, items=1, unit="view", seconds=[1.0]
    )

    def measure(**_):
        yield record
        raise DeviceError("the card is gone")

    monkeypatch.setattr("benchmarks.views.run", measure)
    result = CliRunner().invoke(main, ["views", "--out", str(tmp_path / "records.json")])
    assert (result.exit_code, result.stderr) == (1, "Error: the card is gone\n")
    assert json.loads((tmp_path / "records.json").read_text()) == [record]


def test_on_a_gpu_ours_is_decoded_first_and_a_peer_that_cannot_is_left_out(make_store, monkeypatch, capsys):
    files = [Path(file) for file in open_store(make_store()).sources(0)]
    pixels = [np.array(sample) for sample in decode_geotiff(files)]

    def pipeline(name, encoded, _bands, _threads):
        if name == "nvidia.dali-mixed":
            raise RuntimeError("planar files\nand more")
        each = [pixels[i % len(files)] for i in range(len(encoded))]
        batch = each if name == "seco" else [np.moveaxis(sample, 0, -1) for sample in each]
        return lambda: SimpleNamespace(as_cpu=lambda: batch)

    monkeypatch.setattr(decode_cuda, "_pipeline", pipeline)
    monkeypatch.setattr("benchmarks.record.machine", lambda _: "a card")
    cases = {name: (files, list(range(len(pixels[0])))) for name in ("one", "two")}
    records = list(decode_cuda.measure(cases, origin="random numbers", quick=True))
    ours = [("seco", "one"), ("seco", "two")]
    assert [(r["implementation"], r["case"]) for r in records] == [*ours, ("nvidia.dali", "one"), ("nvidia.dali", "two")]
    assert "nvidia.dali-mixed does not read one: planar files\n" in capsys.readouterr().err


def test_make_bench_runs_all():
    words = (README.parent / "Makefile").read_text(encoding="utf-8")
    (names,) = re.findall(r"^BENCHMARKS := (.*)$", words, re.M)
    assert set(names.split()) == set(BENCHMARKS)


@pytest.mark.parametrize(
    ("views", "wrong"),
    [
        ([np.zeros((3, SIZE, SIZE), np.float32)] * 2, "expected numbers"),
        ([noise(2.0)] * 2, "expected numbers"),
        ([noise(1.0)], "too few"),
        ([noise(1.0).astype(np.float64)] * 2, "float32"),
        ([noise(1.0)[:, 1:]] * 2, "float32"),
    ],
)
def test_a_peer_that_does_other_work_is_not_timed(views, wrong):
    check("peer", [noise(1.0)] * 2, 2)
    with pytest.raises(RuntimeError, match=wrong):
        check("peer", views, 2)


def test_steps_are_fed_from_a_store(tmp_path, make_store):
    store = make_store(locations=tuple("abcdef"))
    out = tmp_path / "records.json"
    result = CliRunner().invoke(main, ["step", "--out", str(out), "--quick", "--data", str(store)])
    assert result.exit_code == 0, result.output
    first, *_, fed = json.loads(out.read_text())
    assert "end-to-end" in fed["case"]
    assert set(fed["parts_s"]) - set(first["parts_s"]) == {"data"}
    refused = CliRunner().invoke(main, ["scale", "--out", str(out), "--quick", "--data", str(store)])
    assert refused.exit_code == 2


def test_readme_says_what_the_records_say():
    text = README.read_text(encoding="utf-8")
    assert "<!-- cpu -->" in text
    assert "<!-- gpu -->" in text
    assert with_tables(text) == text, "run python -m benchmarks.tables"


def test_charts_are_drawn_from_the_records():
    records = charts.drawn_records()
    for name, numbers in {"speed": charts.speed(records), "growth": charts.growth(records)}.items():
        assert charts.drawn_from(name) == charts.digest(numbers), "run python -m benchmarks.charts"


def of_case(rate, *, spread=0.02, **fields):
    common = {"benchmark": "decode", "case": "store-all", "implementation": "seco", "device": "cpu", "threads": 1}
    timing = {"items_per_s": rate, "median_s": 10 / rate, "iqr_s": spread * 10 / rate}
    return common | timing | {"unit": "patches", "machine": "this one"} | fields


def test_cpu_table_compares_within_a_machine():
    records = [of_case(1000.0), of_case(250.0, implementation="rasterio"), of_case(500.0, machine="that one")]
    that, this = cpu_table(records).split("\n\n")
    assert "| a patch of a store (ZSTD), all bands | 1 ms | rasterio 4 ms |" in this
    assert "| a patch of a store (ZSTD), all bands | 2 ms |  |" in that


def test_compare_marks_what_lies_outside_the_spread(tmp_path):
    before = [of_case(1000.0), of_case(1000.0, threads=2), of_case(1000.0, case="gone")]
    after = [of_case(1015.0), of_case(1100.0, threads=2)]
    found = {case.after["threads"]: case for case in compare(before, after)}
    assert {threads: (case.ratio, case.apart) for threads, case in found.items()} == {
        1: (pytest.approx(1.015), False),
        2: (pytest.approx(1.1), True),
    }
    # Both middle halves are 2 % wide about their medians.
    assert (found[2].low, found[2].high) == pytest.approx((1.1 * 0.99 / 1.01, 1.1 * 1.01 / 0.99))
    for name, records in {"before": before, "after": after}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(records))
    result = CliRunner().invoke(main, ["compare", str(tmp_path / "before.json"), str(tmp_path / "after.json")])
    assert result.exit_code == 0, result.output
    assert "faster" in result.stdout
    assert "1 records have no counterpart" in result.stderr
    (tmp_path / "records" / "machine").mkdir(parents=True)
    profile = tmp_path / "records" / "machine" / "profile-native.json"  # as `make gpu-check` leaves it there
    profile.write_text(json.dumps([{"loader": "native", "device": "cuda"}]))
    empty = CliRunner().invoke(main, ["compare", str(tmp_path / "before.json"), str(tmp_path / "records")])
    assert "records: expected records, got none; check the path" in empty.stderr
    (tmp_path / "before.json").rename(tmp_path / "records" / "machine" / "decode.json")
    nested = CliRunner().invoke(main, ["compare", str(tmp_path / "records"), str(tmp_path / "after.json")])
    assert "faster" in nested.stdout
    (tmp_path / "after.json").write_text('{"no": "records"}')
    refused = CliRunner().invoke(main, ["compare", str(tmp_path / "records"), str(tmp_path / "after.json")])
    assert refused.exit_code == 1
    assert "expected a list of records" in refused.stderr


def test_gpu_table_compares_within_its_records():
    common = {"benchmark": "views", "case": "moco-rgb-uint8-float32", "unit": "views", "machine": "Card"}
    rates = {"seco": 1000.0, "copy": 4000.0, "kornia": 10.0}
    records = [common | {"implementation": n, "items_per_s": r, "median_s": 1 / r} for n, r in rates.items()]
    table = gpu_table(records).splitlines()
    assert table[0].startswith("| Card |")
    assert "| one view, RGB uint8 → float32 | 1,000 views/s | 25% | kornia 10 views/s |" in table
    assert table[-1].count("not yet measured") == 3


def test_cards_are_not_mixed():
    common = {"benchmark": "views", "case": "moco-rgb-uint8-float32", "unit": "views", "implementation": "seco"}
    rates = {"Card A": 1000.0, "Card B": 2000.0}
    tables = gpu_table([common | {"machine": m, "items_per_s": r, "median_s": 1 / r} for m, r in rates.items()]).split(
        "\n\n"
    )
    assert [table.split(" | ")[0] for table in tables] == ["| Card A", "| Card B"]
    assert "1,000 views/s" in tables[0]
    assert "2,000" not in tables[0]
    assert "2,000 views/s" in tables[1]
