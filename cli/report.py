"""``seco report``: a page that shows runs."""

from pathlib import Path
from typing import Any

import click

from .options import OutputFile, with_options
from .page_options import PAGE_OPTIONS


@click.command(no_args_is_help=True)
@click.option("--out", type=OutputFile(), required=True, help="HTML file to write.")
@with_options(PAGE_OPTIONS)
def command(out: Path, **given: Any) -> None:  # noqa: ANN401 - what PAGE_OPTIONS say
    """Show runs on one HTML page, beside each other.

    Settings and what differs, training, the data set, what the model sees, nearest neighbours across seasons, a map of
    vectors, evaluations, benchmarks. The file needs nothing else.

    \b
    $ seco report RUN --out report.html
    $ seco report RUN1 RUN2 --out both.html --results EVALUATIONS --records benchmarks/records
    """
    from rich.console import Console

    from seco.data.atomic import write_atomic
    from seco.report.page import Given, build_page

    with Console(stderr=True).status("") as status:
        page = build_page(Given(**given), starting=lambda part: status.update(f"{part} …"))
    write_atomic(out, page.encode())
    click.echo(out)
