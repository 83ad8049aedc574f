"""``seco merge``: stores of different locations in one."""

from pathlib import Path

import click

from .progress import track


@click.command()
@click.argument("stores", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the merged store.")
def command(stores: tuple[Path, ...], out: Path) -> None:
    """Join stores, such as shards of a collection.

    Patches are hard links where the disk allows it: no second copy of the pixels.

    \b
    $ seco merge season-0 season-1 season-2 --out seasons
    """
    from seco.data.merge import merge_stores
    from seco.data.store import open_store

    locations = merge_stores([open_store(store) for store in stores], out, track=track)
    click.echo(f"{out}: {locations} locations of {len(stores)} stores")
