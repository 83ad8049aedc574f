"""``seco import seco2021`` and ``seco import ssl4eo``: patch stores from the archives of other projects."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .progress import track

if TYPE_CHECKING:
    from seco.data.import_scenes import SceneImportReport

_ABOUT = {
    "seco2021": ("The archives of SeCo (2021).", "100 thousand or 1 million patches: 8 bits, JPEG, one file a band."),
    "ssl4eo": ("SSL4EO-S12, level 1C or 2A.", "Its folder s2a (2A) or s2c (1C): one file a band, or all_bands.tif."),
}


def make_command(name: str) -> click.Command:
    """The command for one kind of archive."""
    title, layout = _ABOUT[name]

    @click.command(
        name=name,
        short_help=title,
        help=f"{title} {layout}\n\nSOURCE is the folder of the locations; STORE is the folder to write.",
    )
    @click.argument("source", type=click.Path(path_type=Path))
    @click.argument("store", type=click.Path(path_type=Path))
    @click.option("--patch-size", type=click.IntRange(min=1), help="Pixels to cut from the middle.  [all]")
    @click.option(
        "--offset",
        type=float,
        default=0.0,
        show_default=True,
        help="reflectance = (DN + offset) / quantification, for scenes that state no processing baseline.",
    )
    def command(source: Path, store: Path, patch_size: int | None, offset: float) -> None:
        from seco.data.import_scenes import import_scenes
        from seco.data.scene_folders import ARCHIVES

        archive = ARCHIVES[name]
        report = import_scenes(source, store, archive, offset=offset, patch_size=patch_size, track=track)
        click.echo(f"Units: reflectance = DN / {archive.quantification:g}, level {report.level}.")
        _print_report(report, store)

    return command


def _print_report(report: "SceneImportReport", store: Path) -> None:
    click.echo(
        f"{store}: {report.locations} locations, {report.patches} patches, {len(report.bands)} bands "
        f"({report.bands[0]} to {report.bands[-1]})."
    )
    if report.moved:
        click.echo(f"Offset: {report.moved} patches were brought to offset 0.")
    if report.left_out:
        name, reason = next(iter(report.left_out.items()))
        click.echo(f"Left out: {len(report.left_out)} scenes that cannot be read, such as {name}: {reason}", err=True)
