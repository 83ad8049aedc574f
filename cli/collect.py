"""``seco collect``: make or fetch a patch store."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

PLAIN_INTERVAL_S = 5.0


@click.command(no_args_is_help=True)
@click.option("--source", type=click.Choice(["synthetic"]), required=True, help="Where the scenes come from.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the new store.")
@click.option("--locations", type=click.IntRange(min=1), required=True, help="Number of locations.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), required=True, help="Same seed, same data set.")
@click.option("--patch-size", type=click.IntRange(min=8), default=264, show_default=True, help="Pixels of 10 m.")
@click.option("--dates", type=click.IntRange(min=1), default=5, show_default=True, help="Dates a location.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    default="2021-12-31",
    show_default=True,
    help="No date is later; reference dates fall in the year before.",
)
@click.option("--cloud", type=click.FloatRange(0, 100), default=10, show_default=True, help="Most cloud in a patch, %.")
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Processes; default: one a CPU.")
def command(  # noqa: PLR0917 - click passes by name
    source: str,
    out: Path,
    locations: int,
    seed: int,
    patch_size: int,
    dates: int,
    until: datetime,
    cloud: float,
    workers: int | None,
) -> None:
    """Collect seasonal time series of Sentinel-2 patches into a store.

    \b
    $ seco collect --source synthetic --out toy --locations 100 --seed 1 --patch-size 64
    """  # noqa: D301 - \b is click's mark for text that keeps its lines
    import numpy as np

    from seco.collect.synthetic.source import Request, collect

    request = Request(
        locations=locations,
        seed=seed,
        patch_size=patch_size,
        dates=dates,
        until=np.datetime64(until.date()),
        cloud_percent=cloud,
    )
    cpus = len(os.sched_getaffinity(0))
    with report_progress(locations) as progress:
        collect(request, out, workers=workers or min(cpus, locations), progress=progress)
    click.echo(f"{out}: {locations} locations, {dates} dates each, 12 bands of {patch_size} x {patch_size} px")


@contextmanager
def report_progress(total: int) -> Iterator[Callable[[int], None]]:
    """Progress on stderr: a bar or, off a terminal, lines; yields what to call with the count."""
    if not sys.stderr.isatty():
        yield plain_progress(total, time.monotonic)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]:.1f} locations/s")
    columns = (BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("collect", total=total, rate=0.0)
        start = time.monotonic()
        yield lambda done: bar.update(task, completed=done, rate=done / max(time.monotonic() - start, 1e-9))


def plain_progress(total: int, clock: Callable[[], float]) -> Callable[[int], None]:
    """Lines such as ``120/1000 locations, 24.1 locations/s, 37 s left`` on stderr; clock: seconds."""
    start = last = clock()

    def report(done: int) -> None:
        nonlocal last
        now = clock()
        if now - last < PLAIN_INTERVAL_S and done < total:
            return
        last = now
        rate = done / max(now - start, 1e-9)
        left = (total - done) / rate
        click.echo(f"{done}/{total} locations, {rate:.1f} locations/s, {left:.0f} s left", err=True)

    return report
