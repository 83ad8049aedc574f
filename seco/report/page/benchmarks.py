"""Records of ``python -m benchmarks``: ours beside its peers, machine by machine."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seco.errors import DataError, reason_of
from seco.report.page.blocks import Block, Chart, Heading, Note, Section, Table
from seco.report.page.charts import intervals_chart
from seco.report.page.numbers import number

Record = dict[str, Any]
_WORDS, _NUMBERS = ("benchmark", "case", "implementation", "machine", "unit"), ("items_per_s", "median_s")


def benchmarks_section(paths: Sequence[Path]) -> Section:
    """Tables and charts of records.

    Args:
        paths: Files of records, or folders in which they lie.

    Raises:
        DataError: If one holds no records.
    """
    records = [record for path in paths for record in _read(path)]
    if not records:
        return Section("benchmarks", "Benchmarks", [Note(
            "No records were given: --records FILE_OR_FOLDER shows what `python -m benchmarks` wrote."
        )])  # fmt: skip
    blocks: list[Block] = []
    for machine in dict.fromkeys(record["machine"] for record in records):
        blocks.append(Heading(machine))
        of_machine = [record for record in records if record["machine"] == machine]
        for benchmark in dict.fromkeys(record["benchmark"] for record in of_machine):
            blocks += _show(benchmark, [record for record in of_machine if record["benchmark"] == benchmark])
    return Section("benchmarks", "Benchmarks", blocks)


def record_files(path: Path) -> list[Path]:
    """The file itself, or those of a folder and of its folders, which are machines."""
    return sorted(path.rglob("*.json")) if path.is_dir() else [path]


def _read(path: Path) -> list[Record]:
    records = []
    for file in record_files(path):
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(
                f"{file}: expected records of `python -m benchmarks`, got: {reason_of(error)}; check --records"
            ) from error
        records += [record for record in (content if isinstance(content, list) else []) if _is_record(record)]
    if not records:
        raise DataError(f"{path}: expected records of `python -m benchmarks`, got none; check --records")
    return records


def _is_record(record: object) -> bool:
    return (
        isinstance(record, dict)
        and all(isinstance(record.get(name), str) for name in _WORDS)
        and all((number(record.get(name)) or 0.0) > 0 for name in _NUMBERS)
    )


def _show(benchmark: str, records: Sequence[Record]) -> list[Block]:
    blocks: list[Block] = []
    for unit in dict.fromkeys(record["unit"] for record in records):
        dots = [_dot(record) for record in records if record["unit"] == unit]
        order = list(dict.fromkeys(dot["name"] for dot in dots))
        chart = intervals_chart(dots, x=f"{unit}/s, half of the runs", order=order, percent=False, log=True)
        said = f"The figures of {benchmark} in the table, on a logarithmic axis."
        blocks.append(Chart(f"{benchmark}, {unit} a second", chart, said, wide=True))
    rows = [
        [_case(record), record["implementation"], f"{record['items_per_s']:,.1f} {record['unit']}/s", *_spread(record)]
        for record in records
    ]
    ours = frozenset(i for i, record in enumerate(records) if record["implementation"].startswith("seco"))
    head = ["case", "implementation", "rate", "spread", "runs", "commit"]
    return [*blocks, Table(f"{benchmark}: medians and spread", head, rows, ours)]


def _case(record: Record) -> str:
    threads = record.get("threads")
    on = f", {threads} thread{'s' * (threads != 1)}" if isinstance(threads, int) else ""
    return f"{record['case']}, {record.get('device', 'cpu')}{on}"


def _spread(record: Record) -> tuple[str, str, str]:
    iqr = number(record.get("iqr_s"))
    spread = "" if iqr is None else f"{iqr / record['median_s']:.0%}"
    return spread, str(record.get("runs", "")), str(record.get("commit", ""))


def _dot(record: Record) -> dict[str, Any]:
    rate, half = record["items_per_s"], (number(record.get("iqr_s")) or 0.0) / (2 * record["median_s"])
    low, high = number(rate / (1 + half)), number(rate / max(1 - half, 0.1))
    return {"name": _case(record), "group": record["implementation"], "value": number(rate), "low": low, "high": high}
