"""``seco pack``: the patches of a store in tar shards."""

import re
from pathlib import Path

import click

from .progress import track

_UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}


def parse_bytes(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """Number of bytes of a text such as ``500MB`` or ``1GiB``."""
    match = re.fullmatch(rf"(\d+) ?({'|'.join(_UNITS)})", value)
    if not match or int(match[1]) < 1:
        raise click.BadParameter(f"expected bytes such as 500MB or 1GiB, got {value!r}", context, parameter)
    return int(match[1]) * _UNITS[match[2]]


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the packed store.")
@click.option(
    "--shard-size",
    callback=parse_bytes,
    default="1GiB",
    show_default=True,
    help="Most bytes of a shard, but for up to 10 kB that end a tar.",
)
def command(store: Path, out: Path, shard_size: int) -> None:
    """Copy a store into tar shards: few, large files.

    They suit network disks and object stores.

    The packed store works wherever the loose one does; `webdataset` and DALI read its shards too.

    \b
    $ seco pack STORE --out PACKED --shard-size 500MB
    """
    from seco.data.packing import pack_store
    from seco.data.store import open_store

    shards = pack_store(open_store(store), out, shard_size=shard_size, track=track)
    click.echo(f"{out}: {shards} {'shard' if shards == 1 else 'shards'}")
