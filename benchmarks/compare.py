"""Two sets of records side by side: how much faster one is, and whether more than their spread lies between them."""

import json
from pathlib import Path
from typing import Any

import click

Records = list[dict[str, Any]]
Comparison = tuple[str, dict[str, Any], dict[str, Any], float, bool]


@click.command("compare")
@click.argument("before", type=click.Path(exists=True, path_type=Path))
@click.argument("after", type=click.Path(exists=True, path_type=Path))
def command(before: Path, after: Path) -> None:
    """Compare records AFTER with BEFORE: files, or folders of them.

    A ratio above 1 means that AFTER is faster. It is marked where the middle halves of the runs do not touch, which is
    a difference to look at: runs of one process share their luck, so repeat it before you believe it.
    """
    old, new = read_records(before), read_records(after)
    found = compare(old, new)
    if not found:
        raise click.ClickException(f"{after}: expected records of the same cases as {before}, got none; compare others")
    from rich.console import Console  # the benchmarks themselves need no rich
    from rich.table import Table

    table = Table(title=f"{after} against {before}", title_justify="left")
    for heading in ("case", "before", "after", "ratio", ""):
        table.add_column(heading, justify="left" if heading == "case" else "right")
    for name, a, b, ratio, apart in found:
        mark = ("faster" if ratio > 1 else "slower") if apart else ""
        table.add_row(name, _milliseconds(a), _milliseconds(b), f"{ratio:.2f}", mark)
    console = Console()
    console.print(table)
    machines = sorted({str(record["machine"]) for record in [*old, *new]})
    if len(machines) > 1:
        click.echo(f"Warning: the records are of different machines: {'; '.join(machines)}", err=True)
    if left := len(old) + len(new) - 2 * len(found):
        click.echo(f"{left} records have no counterpart.", err=True)


def read_records(path: Path) -> Records:
    """All records of a file, or of the files of a folder.

    Raises:
        click.ClickException: If a file holds no records.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    records: Records = []
    for file in files:
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            records += [record for record in content if record["median_s"] >= 0]
        except (ValueError, TypeError, KeyError) as error:
            raise click.ClickException(f"{file}: expected a list of records, got another file: {error}") from error
    return records


def compare(before: Records, after: Records) -> list[Comparison]:
    """Cases that are in both: name, both records, ratio of their rates, and whether their middle halves are apart.

    A record holds the median and the width of the middle half of its runs, which is taken to lie evenly about it.
    """
    old = {_key(record): record for record in before}
    found = []
    for record in after:
        if (then := old.get(_key(record))) is None:
            continue
        gap = abs(_each(record) - _each(then))
        apart = gap > (_spread(record) + _spread(then)) / 2
        found.append((_name(record), then, record, record["items_per_s"] / then["items_per_s"], apart))
    return found


def _key(record: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(record[name] for name in ("benchmark", "case", "implementation", "device", "threads"))


def _name(record: dict[str, Any]) -> str:
    benchmark, case, implementation, device, threads = _key(record)
    return f"{benchmark} {case} {implementation} {device}{f' x{threads}' if threads else ''}"


def _each(record: dict[str, Any]) -> float:
    """Seconds an item."""
    return 1.0 / float(record["items_per_s"])


def _spread(record: dict[str, Any]) -> float:
    """Width of the middle half of the runs, seconds an item."""
    return float(record["iqr_s"] / record["median_s"]) * _each(record)


def _milliseconds(record: dict[str, Any]) -> str:
    return f"{1000 * _each(record):,.3g} ms ± {50 * record['iqr_s'] / record['median_s']:.0f} %"
