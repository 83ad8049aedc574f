"""Two sets of records side by side: how much faster one is, and whether more than their spread lies between them."""

from pathlib import Path
from typing import Any, NamedTuple

import click

from benchmarks.record import Record, Records, records_of


class Comparison(NamedTuple):
    """One case that is in both.

    Attributes:
        name: Of the case.
        before: Its record.
        after: Its record.
        ratio: How many times as fast it is now.
        low: The ratio if then was the fastest of the middle half of its runs, and now the slowest.
        high: The other way round.
    """

    name: str
    before: Record
    after: Record
    ratio: float
    low: float
    high: float

    @property
    def apart(self) -> bool:
        """Whether the middle halves of the runs do not touch."""
        return not self.low <= 1 <= self.high


@click.command("compare")
@click.argument("before", type=click.Path(exists=True, path_type=Path))
@click.argument("after", type=click.Path(exists=True, path_type=Path))
def command(before: Path, after: Path) -> None:
    """Compare records AFTER with BEFORE: files, or folders of them.

    A ratio above 1 means that AFTER is faster; beside it what the middle halves of the runs leave open. It is marked
    where they do not touch, which is a difference to look at: runs of one process share their luck, so repeat it before
    you believe it.
    """
    old, new = read_records(before), read_records(after)
    found = compare(old, new)
    if not found:
        raise click.ClickException(f"{after}: expected records of the same cases as {before}, got none; compare others")
    from rich.console import Console  # the benchmarks themselves need no rich
    from rich.table import Table

    table = Table(title=f"{after} against {before}", title_justify="left")
    for heading in ("case", "before", "after", "ratio", "spread", ""):
        table.add_column(heading, justify="left" if heading == "case" else "right", overflow="fold")
    for case in found:
        mark = ("faster" if case.ratio > 1 else "slower") if case.apart else ""
        spread = f"{case.low:.2f}–{case.high:.2f}"
        times = _milliseconds(case.before), _milliseconds(case.after)
        table.add_row(case.name, *times, f"{case.ratio:.2f}", spread, mark)
    console = Console()
    console.print(table)
    machines = sorted({str(record["machine"]) for record in [*old, *new]})
    if len(machines) > 1:
        click.echo(f"Warning: the records are of different machines: {'; '.join(machines)}", err=True)
    if left := len(old) + len(new) - 2 * len(found):
        click.echo(f"{left} records have no counterpart.", err=True)


def read_records(path: Path) -> Records:
    """All records of a file, or of the files of a folder and of the folders in it.

    Raises:
        click.ClickException: If a file holds something else, or there are no records.
    """
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    records: Records = []
    for file in files:
        try:
            records += [record for record in records_of(file) if record["median_s"] >= 0]
        except (ValueError, TypeError, KeyError) as error:
            raise click.ClickException(f"{file}: expected a list of records, got another file: {error}") from error
    if not records:
        raise click.ClickException(f"{path}: expected records, got none; check the path")
    return records


def compare(before: Records, after: Records) -> list[Comparison]:
    """Cases that are in both.

    A record holds the median and the width of the middle half of its runs, which is taken to lie evenly about it.
    """
    old = {_key(record): record for record in before}
    found = []
    for record in after:
        if (then := old.get(_key(record))) is None:
            continue
        ratio = record["items_per_s"] / then["items_per_s"]
        (then_low, then_high), (now_low, now_high) = _middle_half(then), _middle_half(record)
        found.append(Comparison(_name(record), then, record, ratio, then_low / now_high, then_high / max(now_low, 1e-12)))
    return found


def _key(record: Record) -> tuple[Any, ...]:
    return tuple(record[name] for name in ("benchmark", "case", "implementation", "device", "threads"))


def _name(record: Record) -> str:
    benchmark, case, implementation, device, threads = _key(record)
    return f"{benchmark} {case} {implementation} {device}{f' x{threads}' if threads else ''}"


def _each(record: Record) -> float:
    """Seconds an item."""
    return 1.0 / float(record["items_per_s"])


def _middle_half(record: Record) -> tuple[float, float]:
    """Least and most of the middle half of the runs, seconds an item."""
    half = record["iqr_s"] / record["median_s"] / 2
    return max(0.0, 1 - half) * _each(record), (1 + half) * _each(record)


def _milliseconds(record: Record) -> str:
    return f"{1000 * _each(record):,.3g} ms ± {50 * record['iqr_s'] / record['median_s']:.0f} %"
