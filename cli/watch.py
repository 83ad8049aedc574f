"""``seco watch``: the page of a run while it trains."""

import os
from pathlib import Path

import click

from .page_options import PAGE_OPTIONS
from .sources import with_options

_LEAST_PRIORITY = 19


@click.command(no_args_is_help=True)
@click.argument("runs", metavar="RUN…", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="Port; 0: any that is free.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address; others than this machine's own show it to a network."
)
@with_options(PAGE_OPTIONS)
def command(
    *,
    runs: tuple[Path, ...],
    port: int,
    host: str,
    data: Path | None,
    results: tuple[Path, ...],
    records: tuple[Path, ...],
) -> None:
    """Serve the page of `seco report` during training.

    The page takes up what is new by itself. The server only reads, with the least priority, on the
    CPU. Ctrl-C ends it.

    \b
    $ seco watch RUN
    """
    os.nice(_LEAST_PRIORITY)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})  # the others are for training
    os.environ["OMP_NUM_THREADS"] = "1"
    from seco.report.page import Given
    from seco.report.page.watch import serve

    given = Given(runs, data, results, records)
    try:
        serve(given, host=host, port=port, started=lambda address: click.echo(f"{address}  (Ctrl-C ends it)"))
    except KeyboardInterrupt:
        click.echo("Ended.", err=True)
        os._exit(0)  # at once: threads only read, and the one that encodes may take a while
