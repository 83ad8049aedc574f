"""``seco inspect``: what a patch store holds."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .progress import track

if TYPE_CHECKING:
    from seco.data.store import Store

FIGURES = ("contact_sheet.png", "world_map.png")


@click.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--verify", is_flag=True, help="First compare every patch with its checksum; name those that are damaged.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option(
    "--figures", type=click.Path(path_type=Path, file_okay=False), help=f"Write {' and '.join(FIGURES)} to this folder."
)
def command(store: Path, verify: bool, as_json: bool, figures: Path | None) -> None:
    """Print what a patch store holds.

    Locations, dates, gaps between them, bands with statistics, clouds and classes.
    """
    from seco.data.store import open_store
    from seco.report.store_summary import summarise_store

    opened = open_store(store)
    if verify:
        _verify(opened)
    summary = summarise_store(opened)
    if as_json:
        click.echo(json.dumps(summary, indent=2, allow_nan=False))
    else:
        _print_overview(summary)
        _print_bands(summary)
    if figures is not None:
        from seco.report.contact_sheet import contact_sheet
        from seco.report.figure_file import save_figure
        from seco.report.world_map import world_map

        figures.mkdir(parents=True, exist_ok=True)
        for name, draw in zip(FIGURES, (contact_sheet, world_map), strict=True):
            save_figure(draw(opened), figures / name)
            click.echo(f"Wrote {figures / name}", err=True)


def _verify(store: "Store") -> None:
    from seco.data.checksums import find_damaged
    from seco.errors import StoreError

    damaged = find_damaged(store, track=track)
    for reason in damaged:
        click.echo(reason, err=True)
    total = f"{len(store.times):,} patches"
    if damaged:
        raise StoreError(
            f"{store.path}: expected {total} as the index says, got {len(damaged):,} others, named above; do as said there"
        )
    click.echo(f"{total}: all as the index says.", err=True)


def _print_overview(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from seco.report.store_overview import describe_store

    table = Table(show_header=False, title=summary["path"], title_justify="left")
    for name, value in describe_store(summary).items():
        table.add_row(name, value)
    Console().print(table)


def _print_bands(summary: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Bands (digital numbers, nodata left out)", title_justify="left")
    for name in ("band", "nm", "native m", "mean", "std", "2 %", "98 %"):
        table.add_column(name, justify="left" if name == "band" else "right", overflow="fold")  # no number loses digits
    for band in summary["bands"]:
        statistics = (f"{band[name]:.1f}" for name in ("mean", "std", "q02", "q98"))
        table.add_row(band["name"], f"{band['wavelength_nm']:g}", str(band["resolution_m"]), *statistics)
    Console().print(table)
