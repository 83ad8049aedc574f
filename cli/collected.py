"""What `seco collect` says, whatever the source."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click


def common_settings(options: dict[str, Any]) -> dict[str, Any]:
    """What :class:`seco.collect.settings.Settings` take from the options, whatever the source."""
    same = {name: options[name] for name in ("locations", "seed", "patch_size", "dates", "num_shards", "shard")}
    return same | {"until": str(options["until"].date()), "cloud_percent": options["cloud"]}


@contextmanager
def saying_how_to_go_on() -> Iterator[None]:
    """Say after Ctrl-C that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt("What was collected is kept: run the same command again to go on.") from None


def say_complete(out: Path) -> None:
    """Say that there was nothing to do."""
    click.echo(f"{out}: complete already; `seco inspect {out} --verify` compares its patches with their checksums")


def human_size(count: int) -> str:
    """Such as ``1.5 GB``."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
