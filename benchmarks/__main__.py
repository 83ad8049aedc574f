"""``python -m benchmarks NAME --out FILE.json``."""

from importlib import import_module
from pathlib import Path

import click
import torch

from benchmarks.record import write_records
from seco.errors import SecoError

# Modules of this package, imported when they are asked for: the views of a GPU need no rasterio.
BENCHMARKS = ("collect", "decode", "features", "loader", "scale", "step", "views")


@click.command()
@click.argument("name", type=click.Choice(sorted(BENCHMARKS)))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="JSON file of records.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--data", type=click.Path(path_type=Path), help="Store for the steps that the loader feeds (step only).")
@click.option("--quick", is_flag=True, help="Few items and runs: to see that it works, not to compare.")
def main(name: str, out: Path, device: str, data: Path | None, quick: bool) -> None:
    """Time ours beside its peers on the same pixels, after checking that the answers agree."""
    if device == "cuda" and not torch.cuda.is_available():
        raise click.ClickException("device: expected an NVIDIA GPU, got none that torch can use; `seco doctor` says why")
    if data is not None and name != "step":
        raise click.UsageError(f"--data: expected with step, got it with {name}; leave it out")
    options = {} if data is None else {"data": data}
    try:
        records = import_module(f"benchmarks.{name}").run(device=device, quick=quick, **options)
    except SecoError as error:
        raise click.ClickException(str(error)) from error
    write_records(out, records)
    for record in records:
        print(
            f"{record['benchmark']:8} {record['case']:28} {record['implementation']:12} {record['device']:5}"
            f" {record['threads']:2}"
            f" {record['items_per_s']:12.1f} {record['unit']}/s  (iqr {100 * record['iqr_s'] / record['median_s']:.0f} %)"
        )


if __name__ == "__main__":
    main()
