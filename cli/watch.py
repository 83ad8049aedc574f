"""``seco watch``: the page of a run while it trains."""

import os
from typing import Any

import click

from .options import with_options
from .page_options import PAGE_OPTIONS

_LEAST_PRIORITY = 19


@click.command(no_args_is_help=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="Port; 0: any that is free.")
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address; others than this machine's own show it to a network."
)
@with_options(PAGE_OPTIONS)
def command(*, port: int, host: str, **given: Any) -> None:  # noqa: ANN401 - what PAGE_OPTIONS say
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

    try:
        serve(Given(**given), host=host, port=port, started=lambda address: click.echo(f"{address}  (Ctrl-C ends it)"))
    except KeyboardInterrupt:
        click.echo("Ended.", err=True)
        os._exit(0)  # at once: threads only read, and the one that encodes may take a while
