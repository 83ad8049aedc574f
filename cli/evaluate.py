"""``seco evaluate``: what an encoder knows, on data that it was or was not trained with."""

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import OutputFile, with_options
from .progress import track
from .sources import ENCODED_AT_ONCE, SKIP_BAD, SOURCE_OPTIONS, SPLIT, check_encoder, offering_skip_bad

if TYPE_CHECKING:
    from seco.evaluate.run import Evaluation

_OPTIONS = (
    *SOURCE_OPTIONS,
    click.option("--seeds", type=click.IntRange(min=1), default=1, show_default=True, help="Runs, each with its seed."),
    click.option(
        "--bootstrap",
        type=click.IntRange(min=0),
        default=1000,
        show_default=True,
        help="Resamples of the test images for the interval; 0: none.",
    ),
    SKIP_BAD,
    click.option("--verify", is_flag=True, help="Compare archives and checksum files in or beside the data with it, first."),
    click.option("--with-untrained", is_flag=True, help="Also evaluate the same network untrained."),
    click.option("--json", "json_file", type=OutputFile(), help="Write the result here."),
)
_TRAINED_AT_ONCE = click.option(
    "--batch-size", type=click.IntRange(min=1), help="Images or tiles a step.  [default: the protocol's]"
)
_FRACTION = click.option(
    "--train-fraction",
    type=click.FloatRange(min=0, min_open=True, max=1),
    default=1.0,
    show_default=True,
    help="Share of the training images of each class, drawn by seed.",
)
_TRAINING = (
    _FRACTION,
    click.option("--protocol", type=click.Choice(["default", "seco2021"]), default="default", show_default=True),
    click.option("--epochs", type=click.IntRange(min=1), help="Instead of the protocol's."),
    click.option("--lr", type=click.FloatRange(min=0, min_open=True), help="Instead of the protocol's."),
)


def options_of(*options: Callable[..., Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options that every protocol takes, and ``options``."""
    return with_options((*_OPTIONS, *options))


@click.group()
def command() -> None:
    """Measure what an encoder knows."""


@command.command()
@options_of(
    ENCODED_AT_ONCE,
    click.option(
        "--min-gap-days",
        type=click.FloatRange(min=0),
        default=0.0,
        show_default=True,
        help="Dates of a place nearer to each other are left out: no other season.",
    ),
)
def retrieval(min_gap_days: float, **options: Any) -> None:  # noqa: ANN401 - click's values
    """Find places again at other dates; needs no labels.

    Every patch of a STORE is looked for among all patches.

    $ seco evaluate retrieval --data STORE --checkpoint RUN
    """
    _run("run_retrieval", options, min_gap_days=min_gap_days)


@command.command()
@options_of(
    ENCODED_AT_ONCE,
    SPLIT,
    _FRACTION,
    click.option("--k", type=click.IntRange(min=1), default=20, show_default=True, help="Neighbours that vote."),
    click.option(
        "--temperature",
        type=click.FloatRange(min=0, min_open=True),
        default=0.07,
        show_default=True,
        help="A neighbour of cosine similarity s votes with weight exp(s / temperature).",
    ),
)
def knn(k: int, temperature: float, **options: Any) -> None:  # noqa: ANN401 - click's values
    """Classify by nearest neighbours, without training.

    Takes the labels of a store or of a folder of classes.

    In a store, patches of the same location do not vote for each other. In a folder (FOLDER/<class>/<image>)
    the images that train vote on those that test (--split).

    $ seco evaluate knn --data STORE --random resnet18
    """
    _run("run_knn", options, k=k, temperature=temperature)


@command.command()
@options_of(ENCODED_AT_ONCE, SPLIT, *_TRAINING)
def linear(protocol: str, epochs: int | None, lr: float | None, **options: Any) -> None:  # noqa: ANN401 - click's values
    """Fit a linear classifier to features.

    They are those of the frozen encoder, extracted once. Takes folders of classes, BigEarthNet, and stores with labels.

    The default is logistic regression whose penalty is chosen on held-out images; --protocol seco2021 trains one
    layer by Adam, and only then --epochs and --lr have a meaning.

    $ seco evaluate linear --data FOLDER --checkpoint RUN --size 64 --seeds 3
    """
    if protocol == "default" and not epochs is lr is None:
        raise click.UsageError("--epochs and --lr are for --protocol seco2021; the default solves its problem exactly.")
    _run("run_linear", options, protocol=protocol, epochs=epochs, lr=lr)


@command.command()
@options_of(_TRAINED_AT_ONCE, SPLIT, *_TRAINING)
def finetune(
    protocol: str,
    epochs: int | None,
    lr: float | None,
    batch_size: int | None,
    **options: Any,  # noqa: ANN401 - click's values
) -> None:
    """Train the encoder and a linear classifier on it.

    Takes folders of classes, BigEarthNet, and stores with labels.

    $ seco evaluate finetune --data FOLDER --checkpoint RUN --size 64 --seeds 3
    """
    _run("run_finetune", options, protocol=protocol, epochs=epochs, lr=lr, batch_size=batch_size)


@command.command()
@options_of(
    _TRAINED_AT_ONCE,
    *_TRAINING,
    click.option("--train-encoder", is_flag=True, help="Train the encoder too; else it stays as it is."),
)
def change(
    protocol: str,
    epochs: int | None,
    lr: float | None,
    batch_size: int | None,
    train_encoder: bool,
    **options: Any,  # noqa: ANN401 - click's values
) -> None:
    """Find what changed between two dates.

    A U-Net is trained on the differences of an encoder's features. Takes OSCD, and folders with before.*, after.* and
    mask.*, one a pair.

    --size is that of the tiles (96 px).

    $ seco evaluate change --data OSCD --checkpoint RUN
    """
    trained = {"protocol": protocol, "epochs": epochs, "lr": lr, "batch_size": batch_size}
    _run("run_change", options, **trained, train_encoder=train_encoder)


def _run(
    name: str,
    options: dict[str, Any],
    **settings: Any,  # noqa: ANN401 - those of the protocol
) -> None:
    json_file, compare = options.pop("json_file"), options.pop("with_untrained")
    evaluation = _evaluation(options)
    from seco.evaluate import run as protocols

    run = partial(getattr(protocols, name), **settings)
    with offering_skip_bad(given=evaluation.skip_bad):
        result = run(evaluation)
    if compare:
        result = protocols.add_untrained(result, run, evaluation)
    _report(result, json_file)


def _evaluation(options: dict[str, Any]) -> "Evaluation":
    """Check what can be checked before anything slow is loaded."""
    check_encoder(options)
    from seco.evaluate.run import Evaluation

    return Evaluation(**options | {"bands": options["bands"] or "rgb", "track": track})


def _report(result: dict[str, Any], json_file: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table

    if json_file is not None:  # first: nobody may read what is printed
        from seco.data.atomic import write_atomic

        write_atomic(json_file, (_to_json(result) + "\n").encode())
    encoder, intervals = result["encoder"], result["interval_95"]
    trained = f", step {encoder['step']:,}" if encoder.get("step") else ""
    table = Table()
    columns = {"result": result["metrics"]}
    if "bootstrap" in intervals:
        columns["95 %, images"] = intervals["bootstrap"]
    if "seeds" in intervals:
        columns["95 %, seeds"] = intervals["seeds"]
    if "untrained" in result:
        columns["untrained"] = result["untrained"]["metrics"]
    columns["chance"] = result["chance"]
    for heading in ("", *columns):
        table.add_column(heading, justify="right" if heading else "left")
    for name in result["metrics"]:
        table.add_row(name, *(_figure(column.get(name)) for column in columns.values()))
    table.add_section()
    table.add_row("queries" if result["protocol"] != "change" else "pixels", f"{result['queries']:,}")
    table.add_row("seconds", f"{result['seconds']:.1f}")
    click.echo(f"{result['protocol']}, {encoder['kind']} {encoder['name']}{trained}")
    Console().print(table)
    normalization, bands = encoder["normalization"], ",".join(encoder["normalization"]["bands"])
    click.echo(f"Bands {bands} at {encoder['size']} px; normalisation: {normalization['source']}.")
    if not result["seeds"]["decide"]:
        click.echo("Nothing here depends on a seed.")
    if "skipped" in result:
        count, first = result["skipped"]["count"], result["skipped"]["images"][0]
        click.echo(f"Left out {count} image{'s' * (count > 1)} that cannot be read; the first: {first['reason']}", err=True)
    if left_out := result["data"].get("left_out_pairs"):
        click.echo(f"Left out {len(left_out)} of what may be pairs; the first: {next(iter(left_out.values()))}", err=True)
    if json_file is not None:
        click.echo(f"Wrote {json_file}", err=True)


def _to_json(result: dict[str, Any]) -> str:
    """Indented, but a list of numbers is one line: of a large data set ten thousand rows may be drawn."""
    text = json.dumps(result, indent=1, allow_nan=False)
    return re.sub(r"\[[^][{}\"]+\]", lambda found: " ".join(found[0].split()).replace("[ ", "[").replace(" ]", "]"), text)


def _figure(value: float | tuple[float, float] | None) -> str:
    if value is None:
        return ""
    return f"{value[0]:.4f} – {value[1]:.4f}" if isinstance(value, tuple) else f"{value:.4f}"
