"""``seco import``: patch stores from data that is there already."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .import_scenes import make_command
from .progress import track

if TYPE_CHECKING:
    from seco.data.clouds import CloudRule
    from seco.data.import_dated import ImportReport


@click.group()
def command() -> None:
    """Turn data that is there already into a patch store."""


for archive in ("seco2021", "ssl4eo"):
    command.add_command(make_command(archive))


@command.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--patch-size", type=click.IntRange(min=1), default=264, show_default=True, help="Pixels.")
@click.option("--stride", type=click.IntRange(min=1), help="Pixels between patches.  [default: patch size]")
@click.option("--bands", help="Names of the files' bands, in order, such as B02,B03,B04,B08.")
@click.option("--quantification", type=float, help="DN per unit reflectance.  [10000; to be given for 8 bits]")
@click.option(
    "--offset",
    type=float,
    default=0.0,
    show_default=True,
    help="reflectance = (DN + offset) / quantification.",
)
@click.option(
    "--cloud",
    type=click.FloatRange(0, 100),
    default=20.0,
    show_default=True,
    help="Reject dates with more than this per cent of cloudy pixels; 100 keeps all.",
)
@click.option(
    "--cloud-excess",
    type=click.FloatRange(min=0, min_open=True),
    default=0.1,
    show_default=True,
    help="Blue reflectance above the place's own median that makes a pixel cloudy.",
)
@click.option("--product-level", "level", help="L1C or L2A, for dataset.json.  [default: L1C with B10, else L2A]")
@click.option("--licence", default="not stated", show_default=True, help="Licence of the pixels, for dataset.json.")
def dated(  # noqa: PLR0917 - click passes them by name
    source: Path,
    store: Path,
    patch_size: int,
    stride: int | None,
    bands: str | None,
    quantification: float | None,
    offset: float,
    cloud: float,
    cloud_excess: float,
    level: str | None,
    licence: str,
) -> None:
    """Dated rasters of one place.

    They have to lie on one grid, and are cut into a grid of patches.

    SOURCE is a folder of GeoTIFFs with a date in each name, such as Boadella_2020-06-21.tif, all of the same
    size, CRS, transform and bands. STORE is the folder to write.
    """
    from seco.data.clouds import CloudRule
    from seco.data.import_dated import import_dated
    from seco.data.reflectance import Reflectance

    rule = CloudRule(max_fraction=cloud / 100, excess=cloud_excess) if cloud < 100 else None
    report = import_dated(
        source,
        store,
        patch_size=patch_size,
        stride=stride,
        band_names=bands.split(",") if bands else None,
        quantification=quantification,
        offset=offset,
        cloud_rule=rule,
        licence=licence,
        level=level,
        track=track,
    )
    _print_dates(report, rule)
    click.echo(f"Units: reflectance = {Reflectance(report.quantification, offset)} (--offset, --quantification).")
    _print_summary(report, store)


def _print_dates(report: "ImportReport", rule: "CloudRule | None") -> None:
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    table = Table("date", "cloud %", "", title="Dates", title_justify="left")
    table.columns[1].justify = "right"
    for date in report.dates:
        cloud = "not looked at" if np.isnan(date.cloud_fraction) else f"{date.cloud_fraction:.1%}".rstrip("%")
        table.add_row(str(date.time)[:10], cloud, "kept" if date.kept else "[red]rejected[/red]")
    Console().print(table)
    click.echo(f"Rule: {rule}." if rule else "Rule: every date is kept (--cloud 100).")


def _print_summary(report: "ImportReport", store: Path) -> None:
    kept = sum(date.kept for date in report.dates)
    click.echo(
        f"{store}: {report.locations} locations, {report.patches} patches of {kept} dates, "
        f"{len(report.bands)} bands ({report.bands[0].name} to {report.bands[-1].name})."
    )
    if report.dropped_patches:
        click.echo(f"Left out: {report.dropped_patches} patches with nodata pixels or an empty band.")
    if report.dropped_locations:
        click.echo(f"Left out: {report.dropped_locations} locations with fewer than two whole dates.")
    if any(report.margin):
        right, bottom = report.margin
        click.echo(f"Not covered by the grid: {right} px at the right, {bottom} px at the bottom.")
