"""Results of ``seco evaluate``: encoders that were judged alike, beside each other, with intervals."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from seco.errors import DataError
from seco.evaluate.protocol_name import protocol_name
from seco.pretrain.run_directory import CONFIG_FILE, ENVIRONMENT_FILE
from seco.report.page.blocks import Block, Chart, Heading, Note, Section, Table
from seco.report.page.charts import intervals_chart
from seco.report.page.numbers import number
from seco.report.page.run import RecordedRun

Result = dict[str, Any]


class _Entry(NamedTuple):
    """An encoder: its name, whether it is of one of the runs, metrics and intervals."""

    name: str
    ours: bool
    metrics: dict[str, Any]
    intervals: dict[str, Any]


def results_section(runs: Sequence[RecordedRun], files: Sequence[Path]) -> Section:
    """Tables of the results in the runs' directories and in ``files``.

    Args:
        runs: Those whose encoders stand out.
        files: Results, or folders of such.

    Raises:
        DataError: If one of ``files`` holds no result.
    """
    results, damaged = _collect(runs, files)
    if not results:
        return Section("evaluation", "Evaluation", [*damaged, Note(
            "There are no results yet: `seco evaluate … --checkpoint RUN --json RUN/NAME.json` writes one where this page "
            "finds it, and --results names others."
        )])  # fmt: skip
    groups: dict[tuple[str, ...], list[Result]] = {}
    for result in results:
        groups.setdefault(_comparable(result), []).append(result)
    tables = [block for group in groups.values() for block in _compare(group, runs)]
    return Section("evaluation", "Evaluation", [*damaged, *tables])


def _collect(runs: Sequence[RecordedRun], files: Sequence[Path]) -> tuple[list[Result], list[Note]]:
    """Results, and what is said of files in the runs that should be some."""
    found: dict[Path, Result] = {}
    damaged = []
    for run in runs:
        for file in sorted(run.path.glob("*.json")):
            if (result := _read(file)) is not None:
                found[file.resolve()] = result
            elif file.name not in {CONFIG_FILE, ENVIRONMENT_FILE}:
                damaged.append(
                    Note(f"{run.name}: {file.name} holds no result of `seco evaluate`, or a damaged one.", warns=True)
                )
    for path in files:
        of_path = [(file, _read(file)) for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
        if not any(result for _, result in of_path):
            raise DataError(f"{path}: expected results of `seco evaluate --json`, got none; check --results")
        found |= {file.resolve(): result for file, result in of_path if result is not None}
    return list(found.values()), damaged


def _read(file: Path) -> Result | None:
    """A result, or None for any other file."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    parts = {"metrics": dict, "chance": dict, "interval_95": dict, "encoder": dict, "data": dict, "protocol": str}
    whole = isinstance(content, dict) and all(isinstance(content.get(name), kind) for name, kind in parts.items())
    return content if whole else None


def _dict(value: object) -> dict[str, Any]:
    """What should be a dictionary, or an empty one."""
    return value if isinstance(value, dict) else {}


def _comparable(result: Result) -> tuple[str, ...]:
    """Results are compared if protocol, data and split are the same."""
    data, split = result["data"], _dict(result.get("split"))
    return protocol_name(result), str(data.get("fingerprint") or data.get("path")), str(split.get("sha256", ""))


def _compare(group: Sequence[Result], runs: Sequence[RecordedRun]) -> list[Block]:
    names = list(group[0]["metrics"])
    entries: list[_Entry] = []
    for entry in (entry for result in group for entry in _entries(result, runs)):
        if entry not in entries:  # of runs of one kind the untrained network is the same
            entries.append(entry)
    rows = [[each.name, *(_cell(each.metrics, each.intervals, metric) for metric in names)] for each in entries]
    rows.append(["chance", *(_cell(group[0]["chance"], {}, metric) for metric in names)])
    marked = frozenset(i for i, each in enumerate(entries) if each.ours)
    title = f"{protocol_name(group[0])} on {Path(str(group[0]['data'].get('path', ''))).name}"
    dots = [dot for each in entries for dot in _dots(each, names)]
    chart = intervals_chart(dots, x="result, 95 % interval", order=names)
    what = "Encoders of these runs are marked; in brackets the 95 % interval over seeds, or over test images of one seed."
    said = "; ".join(f"{row[0]}: " + ", ".join(map(" ".join, zip(names, row[1:], strict=True))) for row in rows)
    return [
        Heading(title),
        Table(what, ["encoder", *names], rows, marked),
        Chart(title, chart, said),
    ]


def _entries(result: Result, runs: Sequence[RecordedRun]) -> list[_Entry]:
    """Of the encoder, and of its untrained twin."""
    encoder, checkpoint = result["encoder"], str(result["encoder"].get("checkpoint", ""))
    of_run = [run.name for run in runs if checkpoint and run.path.resolve() in (p := Path(checkpoint).resolve(), *p.parents)]
    name = of_run[0] if of_run else Path(checkpoint).name if checkpoint else encoder.get("kind", "")
    size = f", {encoder['size']} px" if "size" in encoder else ""
    seed = f", seed {encoder['seed']}" if "seed" in encoder else ""
    left_out = f", {count} images left out" if (count := _dict(result.get("skipped")).get("count")) else ""
    ours, kind = bool(of_run), encoder.get("name", "")
    entries = [_Entry(f"{name} ({kind}{size}{seed}{left_out})", ours, result["metrics"], result["interval_95"])]
    twin = result.get("untrained")
    if isinstance(twin, dict) and isinstance(twin.get("metrics"), dict):
        entries.append(_Entry(f"untrained ({kind}{size}{left_out})", False, twin["metrics"], twin.get("interval_95") or {}))
    return entries


def _interval(intervals: dict[str, Any], metric: str) -> tuple[float, float] | None:
    for source in ("seeds", "bootstrap"):
        found = _dict(intervals.get(source)).get(metric)
        if isinstance(found, list) and len(found) == 2 and None not in (low_high := [number(part) for part in found]):
            return low_high[0], low_high[1]  # type: ignore[return-value]
    return None


def _cell(metrics: dict[str, Any], intervals: dict[str, Any], metric: str) -> str:
    value, interval = number(metrics.get(metric)), _interval(intervals, metric)
    if value is None:
        return ""
    return f"{value:.3f}" + (f" [{interval[0]:.3f}, {interval[1]:.3f}]" if interval else "")


def _dots(entry: _Entry, names: Sequence[str]) -> list[dict[str, Any]]:
    dots = []
    for metric in names:
        if (value := number(entry.metrics.get(metric))) is not None:
            low, high = _interval(entry.intervals, metric) or (None, None)
            dots.append({"name": metric, "group": entry.name, "value": value, "low": low, "high": high})
    return dots
