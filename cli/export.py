"""``seco export``: an encoder for other libraries."""

from pathlib import Path

import click


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(["torchvision", "timm", "torchgeo", "safetensors", "onnx"]), required=True
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to write; new or empty.")
@click.option("--metrics", type=click.Path(path_type=Path), multiple=True, help="Result of evaluate --json, for the card.")
def command(run: Path, form: str, out: Path, metrics: tuple[Path, ...]) -> None:
    """Write an encoder for torchvision, timm or ONNX.

    It is that of a RUN, and loads in torchvision, timm, torchgeo or any ONNX runtime.

    Its features are compared with the checkpoint's first. Beside the weights: seco.json with bands, normalisation and
    hashes, and README.md, the model card.

    \b
    $ seco export RUN --format timm --out resnet18-seco --metrics retrieval.json
    """
    from seco.export.run import export

    click.echo(export(run, form, out, results=metrics))
