"""What commands that make a page of runs are given, once for all of them; names as in ``seco.report.page.Given``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

PAGE_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.argument("runs", metavar="RUN…", type=click.Path(path_type=Path), nargs=-1, required=True),
    click.option("--data", type=click.Path(path_type=Path), help="Store to show.  [default: that of each run]"),
    click.option(
        "--results",
        type=click.Path(path_type=Path),
        multiple=True,
        help="Result of `seco evaluate --json`, or a folder of them; those in RUN are found.",
    ),
    click.option(
        "--records", type=click.Path(path_type=Path), multiple=True, help="Records of benchmarks, or a folder of them."
    ),
)
