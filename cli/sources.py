"""Options of commands that run an encoder over images, once for all of them."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from seco.errors import DataError, UnreadableError

SOURCE_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.option("--data", type=click.Path(path_type=Path), required=True, help="Images, of a kind named above."),
    click.option("--checkpoint", type=click.Path(path_type=Path), help="Checkpoint, or a RUN (its last one)."),
    click.option("--timm", metavar="NAME", help="Model of timm with its pretrained weights."),
    click.option("--torchvision", metavar="NAME|FILE", help="Residual network of torchvision with its weights."),
    click.option("--random", metavar="NAME", help="Model of timm, untrained: the baseline."),
    click.option("--bands", help="rgb (default), all or a list; not for a checkpoint."),
    click.option(
        "--band-names", metavar="LIST", help="Of a folder's rasters, in their order.  [default: those in the files]"
    ),
    click.option(
        "--size", type=click.IntRange(min=1), help="Input of the encoder, px.  [default: the protocol's, else the encoder's]"
    ),
    click.option("--threads", type=click.IntRange(min=1), help="Threads that decode.  [default: one a core]"),
    click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True),
    click.option(
        "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed, or the first of several."
    ),
)
ENCODED_AT_ONCE = click.option(
    "--batch-size", type=click.IntRange(min=1), default=256, show_default=True, help="Images encoded at once."
)
SPLIT = click.option(
    "--split",
    metavar="auto|hash|spatial|LISTS",
    default="auto",
    show_default=True,
    help="What trains: as published with the data, else halves by name; halves by name; halves by place; "
    "name, path or folder of lists such as NAME-train.txt.",
)
SKIP_BAD = click.option("--skip-bad", is_flag=True, help="Leave out images that cannot be read, and name them.")


@contextmanager
def offering_skip_bad(*, given: bool) -> Iterator[None]:
    """Say of an image that cannot be read that there is an option for it, unless it was given."""
    try:
        yield
    except UnreadableError as error:
        if given:
            raise
        raise DataError(f"{error}; --skip-bad leaves such images out") from error


def check_encoder(options: dict[str, Any]) -> None:
    """Check what can be checked before anything slow is loaded."""
    if sum(options[name] is not None for name in ("checkpoint", "timm", "torchvision", "random")) != 1:
        raise click.UsageError("Give exactly one of --checkpoint, --timm, --torchvision and --random.")
    if options["checkpoint"] is not None and options["bands"] is not None:
        raise click.UsageError("--bands is for encoders that have none; a checkpoint brings its bands.")
    # The hub's client logs every attempt of a download; what failed in the end is our one line.
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
