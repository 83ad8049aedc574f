"""``python -m benchmarks NAME --out FILE.json``, and ``python -m benchmarks compare BEFORE AFTER``."""

from importlib import import_module
from pathlib import Path

import click
import torch

from benchmarks.compare import command as compare
from benchmarks.record import Record, write_records
from seco.errors import SecoError

# Modules of this package, imported when they are asked for: the views of a GPU need no rasterio.
BENCHMARKS = {
    "views": "Augmented views beside albumentations, kornia and torchvision.",
    "decode": "GeoTIFF decoding beside rasterio, tifffile, imagecodecs and DALI.",
    "loader": "The loader beside the one of 2021, and its memory.",
    "scale": "Opening and shuffling large stores.",
    "growth": "How cost grows with bands, patch size, threads and processes.",
    "step": "Training steps, and where their time goes.",
    "features": "Features, nearest neighbours and retrieval beside scikit-learn.",
    "collect": "The collector against a service that answers at once.",
}


def _benchmark(name: str, summary: str) -> click.Command:
    @click.option("--out", type=click.Path(path_type=Path), required=True, help="JSON file of records.")
    @click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
    @click.option("--quick", is_flag=True, help="Few items and runs: to see that it works, not to compare.")
    def measure(out: Path, device: str, quick: bool, **options: Path | bool | None) -> None:
        if device == "cuda" and not torch.cuda.is_available():
            raise click.ClickException("device: expected an NVIDIA GPU, got none that torch can use; `seco doctor` says why")
        records = []
        try:
            for record in import_module(f"benchmarks.{name}").run(device=device, quick=quick, **options):
                records.append(record)
                write_records(out, records)  # what is measured is kept, whatever becomes of the rest
                _print(record)
        except SecoError as error:
            raise click.ClickException(str(error)) from error

    if name == "step":
        data = click.option("--data", type=click.Path(path_type=Path), help="Store for steps that loaders feed.")
        compiled = click.option("--compile", "compiled", is_flag=True, help="Steps with compiled encoders instead.")
        measure = data(compiled(measure))
    return click.command(name, help=summary)(measure)


def _print(record: Record) -> None:
    click.echo(
        f"{record['benchmark']:8} {record['case']:28} {record['implementation']:12} {record['device']:5}"
        f" {record['threads']:2} {record['items_per_s']:12.1f} {record['unit']}/s"
        f"  (iqr {100 * record['iqr_s'] / record['median_s']:.0f} %)"
    )


@click.group(commands=[compare, *(_benchmark(name, summary) for name, summary in BENCHMARKS.items())])
def main() -> None:
    """Time ours beside its peers on the same pixels, after checking that the answers agree."""


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
