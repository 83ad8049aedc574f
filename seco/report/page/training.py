"""How training went: loss, accuracy of each sub-space, learning rate, throughput and waiting, probes."""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import fmean
from typing import Any

from seco.report.page.blocks import Block, Chart, Heading, Markdown, Note, Section
from seco.report.page.charts import lines_chart
from seco.report.page.numbers import number, thin
from seco.report.page.run import RecordedRun

_Line = tuple[Sequence[dict[str, Any]], str, str]  # lines of a file, what of them is drawn, name in the legend
MOST_POINTS = 500  # of a line: a run may have a hundred thousand
# Title, field of a line of metrics, axis, how it is drawn.
_SINGLE: tuple[tuple[str, str, str, dict[str, bool]], ...] = (
    ("Loss, summed over sub-spaces", "loss", "cross-entropy", {}),
    ("Learning rate", "lr", "learning rate", {"log": True}),
    ("Throughput", "locations_per_s", "locations/s", {}),
    ("Waiting for data", "wait_share", "share of the time", {"percent": True}),
    ("Gradient norm", "gradient_norm", "norm", {"log": True}),
)


def training_section(runs: Sequence[RecordedRun]) -> Section:
    """Charts of the lines of ``metrics.jsonl`` and ``probe.jsonl`` of all runs."""
    blocks: list[Block] = [
        Note(f"{run.name}: {text}", warns=True) for run in runs for text in run.missing if ".jsonl" in text
    ]
    trained = [run for run in runs if run.metrics]
    if not trained:
        return Section("training", "Training", [*blocks, Note("There are no metrics yet.")])
    lines = max(len(run.metrics) for run in trained)
    if lines > MOST_POINTS:
        blocks.append(Note(f"A point is the mean of about {-(-lines // MOST_POINTS)} lines of metrics.jsonl."))
    charts = [chart for single in _SINGLE if (chart := _chart_of(trained, *single)) is not None]
    blocks += [*charts[:1], *_accuracies(trained), *charts[1:], *_probes(trained)]
    for run in trained:
        if run.profile:
            blocks += [Heading(f"Where a step's time goes: {run.name}"), Markdown("RUN/profile/summary.md", run.profile)]
    return Section("training", "Training", blocks)


def _chart_of(runs: Sequence[RecordedRun], title: str, field: str, axis: str, how: dict[str, bool]) -> Chart | None:
    rows = [row for run in runs for row in _rows(run.metrics, run.name, lambda line: line.get(field))]
    rows = [row for row in rows if row["value"] > 0] if how.get("log") else rows
    if not rows:
        return None
    drawn = lines_chart(rows, y=axis, series=[run.name for run in runs], **how)
    return Chart(
        title, drawn, f"{title}, over optimiser steps; {_ends(rows, '{:.1%}' if how.get('percent') else '{:.4g}')}."
    )


def _accuracies(runs: Sequence[RecordedRun]) -> list[Chart]:
    """Of one run all sub-spaces in one chart; of several a chart a sub-space."""
    found = (run.metrics[-1].get("accuracy") for run in runs)
    spaces = list(dict.fromkeys(name for accuracy in found if isinstance(accuracy, dict) for name in accuracy))
    title = "Positive key ranked first"
    lines: dict[str, list[_Line]] = {title: [(run.metrics, space, space) for space in spaces for run in runs]}
    if len(runs) > 1:
        lines = {f"{title}, sub-space {space}": [(run.metrics, space, run.name) for run in runs] for space in spaces}
    charts = []
    for name, of_chart in lines.items():
        rows = [
            row for metrics, space, series in of_chart for row in _rows(metrics, series, partial(_nested, "accuracy", space))
        ]
        if rows:
            drawn = lines_chart(rows, y="share of the batch", series=_names(of_chart), percent=True)
            charts.append(Chart(name, drawn, f"{name}, over optimiser steps; {_ends(rows)}."))
    return charts


def _ends(rows: Sequence[dict[str, Any]], form: str = "{:.1%}") -> str:
    """The last value of each line, in words."""
    last = {row["series"]: row["value"] for row in rows}
    return "at the end " + ", ".join(f"{series} {form.format(value)}" for series, value in last.items())


def _names(lines: Sequence[_Line]) -> list[str]:
    return list(dict.fromkeys(series for _, _, series in lines))


def _probes(runs: Sequence[RecordedRun]) -> list[Chart]:
    """Metrics of the momentum encoder, dashed what chance reaches: of one run in a chart, of several a chart a metric."""
    charts = []
    probed = [(run, line) for run in runs for line in run.probes if isinstance(line.get("metrics"), dict)]
    metrics = dict.fromkeys((str(line.get("protocol")), name) for _, line in probed for name in line["metrics"])
    title = "Probe of the momentum encoder: "
    lines: dict[str, list[_Line]] = {}
    for protocol, metric in metrics:
        several = len(runs) > 1
        of_chart = lines.setdefault(title + (f"{protocol}, {metric}" if several else protocol), [])
        for run in runs:
            of_protocol = [
                line for line in run.probes if str(line.get("protocol")) == protocol
            ]  # a resumed run may have several
            of_chart.append((of_protocol, metric, run.name if several else metric))
    for name, of_chart in lines.items():
        rows = [row for probes, metric, series in of_chart for row in _probe_rows(probes, metric, series)]
        if rows:
            drawn = lines_chart(rows, y="result", series=_names(of_chart), percent=True, dashed=True)
            charts.append(Chart(name, drawn, f"{name}, dashed what chance reaches; {_ends(rows)}."))
    return charts


def _probe_rows(probes: Sequence[dict[str, Any]], metric: str, series: str) -> list[dict[str, Any]]:
    rows = _rows(probes, series, partial(_nested, "metrics", metric))
    chance = [number(_nested("chance", metric, line)) for line in probes]
    level = next((value for value in reversed(chance) if value is not None), None)
    return [row | {"level": level} for row in rows]


def _nested(field: str, name: str, line: dict[str, Any]) -> object:
    found = line.get(field)
    return found.get(name) if isinstance(found, dict) else None


def _rows(
    lines: Sequence[dict[str, Any]], series: str, value_of: Callable[[dict[str, Any]], object]
) -> list[dict[str, Any]]:
    """Points of a line: means over neighbouring lines where there are too many."""
    rows = []
    for group in thin(lines, MOST_POINTS):
        found = [(step, value) for line in group if number(step := line["step"]) is not None
                 and (value := number(value_of(line))) is not None]  # fmt: skip
        if found:
            steps, values = zip(*found, strict=True)
            rows.append({"step": round(fmean(steps)), "value": number(fmean(values)), "series": series})
    return rows
