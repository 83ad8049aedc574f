"""``seco evaluate``: what an encoder knows, on data that it was or was not trained with."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .sources import SOURCE_OPTIONS, check_encoder, with_options

if TYPE_CHECKING:
    from seco.evaluate.run import Evaluation

_OPTIONS = (
    *SOURCE_OPTIONS,
    click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the result here."),
)


@click.group()
def command() -> None:
    """Measure an encoder: retrieval of places across seasons, classification by nearest neighbours."""


@command.command()
@with_options(_OPTIONS)
def retrieval(json_file: Path | None, **options: Any) -> None:  # noqa: ANN401 - click's values
    """Find every patch of a STORE again at its other dates, among all patches; needs no labels.

    $ seco evaluate retrieval --data STORE --checkpoint RUN
    """
    evaluation = _evaluation(json_file, options)
    from seco.evaluate.run import run_retrieval

    _report(run_retrieval(evaluation), json_file)


@command.command()
@with_options(_OPTIONS)
@click.option("--k", type=click.IntRange(min=1), default=20, show_default=True, help="Neighbours that vote.")
@click.option(
    "--temperature",
    type=click.FloatRange(min=0, min_open=True),
    default=0.07,
    show_default=True,
    help="A neighbour of cosine similarity s votes with weight exp(s / temperature).",
)
def knn(json_file: Path | None, k: int, temperature: float, **options: Any) -> None:  # noqa: ANN401 - click's values
    """Classify by nearest neighbours, with the labels of a store or of a folder of classes.

    In a store, patches of the same location do not vote for each other. In a folder (FOLDER/<class>/<image>)
    one half of each class votes on the other.

    $ seco evaluate knn --data STORE --random resnet18
    """
    evaluation = _evaluation(json_file, options)
    from seco.evaluate.run import run_knn

    _report(run_knn(evaluation, k=k, temperature=temperature), json_file)


def _evaluation(json_file: Path | None, options: dict[str, Any]) -> "Evaluation":
    """Check what can be checked before anything slow is loaded."""
    check_encoder(options)
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {json_file.absolute().parent}", param_hint="--json")
    from seco.evaluate.run import Evaluation

    return Evaluation(**options | {"bands": options["bands"] or "rgb", "progress": True})


def _report(result: dict[str, Any], json_file: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table

    encoder = result["encoder"]
    table = Table(title=f"{result['protocol']}, {encoder['kind']} {encoder['name']}", title_justify="left")
    table.add_column("")
    table.add_column("result", justify="right")
    table.add_column("chance", justify="right")
    for name, value in result["metrics"].items():
        chance = result["chance"].get(name)
        table.add_row(name, f"{value:.4f}", "" if chance is None else f"{chance:.4f}")
    table.add_section()
    table.add_row("queries", f"{result['queries']:,}")
    table.add_row("seconds", f"{result['seconds']:.1f}")
    console = Console()
    console.print(table)
    normalization, bands = encoder["normalization"], ",".join(encoder["normalization"]["bands"])
    click.echo(f"Bands {bands} at {encoder['size']} px; normalisation: {normalization['source']}.")
    if json_file is not None:
        from seco.data.atomic import write_atomic

        write_atomic(json_file, (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())
        click.echo(f"Wrote {json_file}", err=True)
