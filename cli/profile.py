"""``seco profile``: where the time goes."""

import itertools
import json
import os
from pathlib import Path
from typing import Any

import click


@click.group(name="profile")
def command() -> None:
    """Measure where the time of loading goes."""


@command.command(name="loader")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Store to load from.")
@click.option("--loader", type=click.Choice(["native", "dali"]), multiple=True, default=("native",), show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--method", default="seco", show_default=True, help="Whose views: seco, moco or moco_tp.")
@click.option("--bands", default="rgb", show_default=True, help="rgb, all, or a list such as B08,B04,B03.")
@click.option("--size", type=click.IntRange(1), default=224, show_default=True, help="Of a view, px.")
@click.option(
    "--batch-size", type=click.IntRange(1), multiple=True, default=(64,), show_default=True, help="Several to compare."
)
@click.option("--threads", type=click.IntRange(1), multiple=True, help="Several to compare.  [1 and one a core]")
@click.option("--seconds", type=click.FloatRange(0), default=5.0, show_default=True, help="To measure each.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all figures to this file.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw them to this PNG.")
def loader_command(
    *,
    data: Path,
    loader: tuple[str, ...],
    device: str,
    method: str,
    bands: str,
    size: int,
    batch_size: tuple[int, ...],
    threads: tuple[int, ...],
    seconds: float,
    json_file: Path | None,
    figure: Path | None,
) -> None:
    r"""Measure a loader alone: throughput, time by stage, and what to change.

    \b
    $ seco profile loader --data STORE
    $ seco profile loader --data STORE --loader native --loader dali --threads 1 --threads 8 --figure profile.png
    """
    from rich.progress import track

    from seco.bands import select_bands
    from seco.data.normalization import Normalization
    from seco.data.store import open_store
    from seco.device import resolve_device
    from seco.ops.recipe import find_recipe
    from seco.profiling.loader import profile_loader

    store = open_store(data)
    chosen = select_bands(store.band_names, bands)
    common: dict[str, Any] = {
        "recipe": find_recipe(method).for_bands(chosen),
        "normalization": Normalization.from_store(store, chosen),
        "device": resolve_device(device),
        "size": size,
        "seconds": seconds,
    }
    counts = threads or tuple(sorted({1, len(os.sched_getaffinity(0))}))
    runs = list(itertools.product(loader, batch_size, counts))
    profiles = [
        profile_loader(store, loader=kind, batch_size=batch, threads=number, **common)
        for kind, batch, number in track(runs, description="Loading", transient=True, console=_stderr())
    ]
    _print(profiles)
    if json_file is not None:
        json_file.write_text(json.dumps([profile.to_dict() for profile in profiles], indent=1) + "\n")
    if figure is not None:
        from seco.profiling.figure import draw_profiles

        draw_profiles(profiles, figure)


def _stderr() -> Any:  # noqa: ANN401 - a Console
    from rich.console import Console

    return Console(stderr=True)


def _print(profiles: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    rates, shares = Table(), Table(caption="Share of the time that threads spend.", caption_justify="left")
    for table in (rates, shares):
        table.add_column("loader")
    stages = list(profiles[0].stages_s)
    for name in ("batch", "threads", "locations/s", "patches/s", "MB/s read", "decoded", "cores in use"):
        rates.add_column(name, justify="right")
    for name in ("batch", "threads", *stages):
        shares.add_column(name, justify="right")
    for p in profiles:
        what = (p.loader, str(p.batch_size), str(p.threads))
        numbers = (p.locations_per_s, p.patches_per_s, p.read_mb_per_s, p.decoded_mb_per_s)
        rates.add_row(*what, *(f"{number:,.0f}" for number in numbers), f"{p.cpu_use:.0%}")
        total = sum(p.stages_s.values()) or 1.0
        shares.add_row(*what, *(f"{p.stages_s[stage] / total:.0%}" for stage in stages))
    console = Console()
    console.print(rates)
    console.print(shares)
    best = max(profiles, key=lambda p: p.locations_per_s)
    click.echo(
        f"Fastest: {best.loader}, batch {best.batch_size}, threads {best.threads}, {best.locations_per_s:.0f} locations/s. "
        f"Its bottleneck is {best.advice}."
    )
