"""What was run: settings, what differs between runs, versions and machines."""

from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any

from seco.pretrain.config import PretrainConfig
from seco.report.page.blocks import Block, Note, Section, Table
from seco.report.page.numbers import number
from seco.report.page.run import RecordedRun


def settings_section(runs: Sequence[RecordedRun]) -> Section:
    """State, settings and environment of each run, one a column."""
    blocks: list[Block] = [Note(f"{run.name}: {text}", warns=True) for run in runs for text in run.missing]
    names = [run.name for run in runs]
    blocks.append(Table("Runs", ("", *names), _state(runs)))
    if any(run.settings for run in runs):
        defaults = {field.name: field.default for field in fields(PretrainConfig) if field.default is not MISSING}
        columns = [run.settings for run in runs]
        marks = "what differs between the runs"
        if len(runs) == 1:
            columns, names, marks = [*columns, defaults], [*names, "default"], "what differs from the defaults"
        rows, marked = _beside(columns)
        blocks.append(Table("Settings", ("setting", *names), rows, marked, marks))
    machines = [_environment(run.environment) for run in runs]
    if any(machines):
        rows, marked = _beside(machines)
        marks = "what differs between the runs" if len(runs) > 1 else ""
        blocks.append(
            Table("Where they ran", ("", *[run.name for run in runs]), rows, marked if marks else frozenset(), marks)
        )
    return Section("runs", "Runs", blocks)


def _state(runs: Sequence[RecordedRun]) -> list[list[str]]:
    rows = [["state", *(run.progress for run in runs)]]
    for label, name, form in (("loss", "loss", "{:.4f}"), ("locations/s", "locations_per_s", "{:,.0f}")):
        values = [run.metrics[-1].get(name) if run.metrics else None for run in runs]
        rows.append([label, *("" if (shown := number(value)) is None else form.format(shown) for value in values)])
    return [*rows, ["directory", *(str(run.path) for run in runs)]]


def _beside(columns: Sequence[dict[str, Any]]) -> tuple[list[list[str]], frozenset[int]]:
    """A row a name that some column has, and which rows differ between those that have it."""
    names = list(dict.fromkeys(name for column in columns for name in column))
    rows = [[name, *("" if (value := column.get(name)) is None else str(value) for column in columns)] for name in names]
    values = ({str(column[name]) for column in columns if name in column} for name in names)
    return rows, frozenset(i for i, found in enumerate(values) if len(found) > 1)


def _environment(environment: dict[str, Any]) -> dict[str, str]:
    versions = environment.get("versions")
    found = {str(name): str(value) for name, value in versions.items()} if isinstance(versions, dict) else {}
    cards = environment.get("cuda_cards")
    if isinstance(cards, list):
        found["cards"] = ", ".join(map(str, cards)) or "none"
    return found | ({"platform": str(environment["platform"])} if "platform" in environment else {})
