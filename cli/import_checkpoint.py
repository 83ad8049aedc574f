"""``seco import-checkpoint``: weights of others."""

from pathlib import Path

import click


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run directory to write; new or empty.")
@click.option("--bands", help="Bands of its input in their order, such as B02,B03,B04,B08.  [by the number of channels]")
@click.option(
    "--size", type=click.IntRange(min=1), help="Input of the encoder, px.  [that of seco.json beside the file, or 224]"
)
def command(file: Path, out: Path, bands: str | None, size: int | None) -> None:
    """Read weights of SeCo (2021), torchgeo or SSL4EO.

    That is a checkpoint of the 2021 release, torchgeo's SeCo or SSL4EO weights, or a MoCo of SSL4EO-S12.

    Nothing in the file is executed. OUT then works wherever a RUN does, but training does not go on from it.

    \b
    $ seco import-checkpoint seco_resnet18_1m.ckpt --out seco-1m
    $ seco evaluate knn --data EuroSAT --checkpoint seco-1m
    """
    from seco.bands import canonical_name
    from seco.export.import_checkpoint import import_checkpoint

    names = tuple(canonical_name(name) for name in bands.split(",")) if bands else None
    found = import_checkpoint(file, out, bands=names, size=size)
    click.echo(f"{found.name} of {', '.join(found.normalization.bands)} at {found.size} px; normalisation: {found.source}.")
    click.echo(out)
