"""``seco profile``: where the time goes."""

import itertools
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .options import OutputFile
from .progress import track


@click.group(name="profile")
def command() -> None:
    """Measure where the time of loading goes."""


@command.command(name="loader")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Store to load from.")
@click.option("--loader", type=click.Choice(["native", "dali"]), multiple=True, default=("native",), show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--method", type=click.Choice(["seco", "moco", "moco_tp"]), default="seco", show_default=True)
@click.option("--bands", default="rgb", show_default=True, help="rgb, all, or a list such as B08,B04,B03.")
@click.option("--size", type=click.IntRange(1), default=224, show_default=True, help="Of a view, px.")
@click.option(
    "--batch-size", type=click.IntRange(1), multiple=True, default=(64,), show_default=True, help="Several to compare."
)
@click.option("--threads", type=click.IntRange(1), multiple=True, help="Several to compare.  [1 and one a core]")
@click.option("--seconds", type=click.FloatRange(0), default=5.0, show_default=True, help="To measure each.")
@click.option("--json", "json_file", type=OutputFile(), help="Write all figures to this file.")
@click.option("--figure", type=OutputFile(".png"), help="Draw them to this PNG.")
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
    """Throughput, time by stage, and what to change.

    The loader runs alone, without a model.

    \b
    $ seco profile loader --data STORE
    $ seco profile loader --data STORE --loader native --loader dali --threads 1 --threads 8 --figure profile.png
    """
    from seco.bands import select_bands
    from seco.data.normalization import Normalization
    from seco.data.store import open_store
    from seco.device import cores, resolve_device
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
    counts = threads or tuple(sorted({1, cores()}))
    runs = list(itertools.product(loader, batch_size, counts))
    profiles = [
        profile_loader(store, loader=kind, batch_size=batch, threads=number, **common)
        for kind, batch, number in track(runs, "loaders timed")
    ]
    _print(profiles)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(profile) for profile in profiles], indent=1) + "\n")
        click.echo(f"Wrote {json_file}", err=True)
    if figure is not None:
        from seco.report.loader_profile import draw_profiles

        draw_profiles(profiles, figure)
        click.echo(f"Wrote {figure}", err=True)


_NUMBERS = ("batch", "threads")


def _what(profile: Any) -> tuple[str, str, str]:  # noqa: ANN401 - a LoaderProfile
    return profile.loader, str(profile.batch_size), str(profile.threads)


def _shares(caption: str, profiles: list[Any], of_profiles: list[dict[str, float]]) -> Any:  # noqa: ANN401 - a Table
    from rich.table import Table

    table = Table(caption=caption, caption_justify="left", pad_edge=False)
    for name in ("loader", *_NUMBERS, *of_profiles[0]):
        table.add_column(name, justify="left" if name == "loader" else "right")
    for profile, seconds in zip(profiles, of_profiles, strict=True):
        total = sum(seconds.values()) or 1.0
        table.add_row(*_what(profile), *(f"{value / total:.0%}" for value in seconds.values()))
    return table


def _print(profiles: list[Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from seco.device import cores
    from seco.profiling.loader import advise

    rates = Table(pad_edge=False)  # so that it fits 80 columns
    tables = {"Share of the time that threads spend.": [p.stages_s for p in profiles]}
    if profiles[0].gpu_stages_s:
        tables["Share of the GPU's time."] = [p.gpu_stages_s for p in profiles]
    names = ["locations\n/s", "patches\n/s", "MB/s\nread", "MB/s\ndecoded", "CPU\nuse", "wait"]
    if profiles[0].gpu_stages_s:
        names.append("GPU\nuse")
    for name in ("loader", *_NUMBERS, *names):
        rates.add_column(name, justify="left" if name == "loader" else "right")
    for p in profiles:
        numbers = (p.locations_per_s, p.patches_per_s, p.read_mb_per_s, p.decoded_mb_per_s)
        shares = (p.cpu_use, p.wait_s / p.seconds, p.gpu_use)[: len(names) - len(numbers)]
        rates.add_row(*_what(p), *(f"{number:,.0f}" for number in numbers), *(f"{share:.0%}" for share in shares))
    rates.caption, rates.caption_justify = (
        "Wait: share of the time that the consumer, which does nothing else, waits.",
        "left",
    )
    console = Console()
    console.print(rates)
    for caption, of_profiles in tables.items():
        console.print(_shares(caption, profiles, of_profiles))
    best = max(profiles, key=lambda p: p.locations_per_s)
    alike = [p.threads for p in profiles if (p.loader, p.batch_size) == (best.loader, best.batch_size)]
    advice = advise(best.bottleneck, more_threads=max(alike) == best.threads < cores())  # else more were slower here
    click.echo(
        f"Fastest: {best.loader}, batch {best.batch_size}, threads {best.threads}, {best.locations_per_s:.0f} locations/s. "
        f"Its bottleneck is {advice}."
    )
    for reason, number in sum((Counter(p.by_gdal) for p in profiles), Counter[str]()).items():
        click.echo(f"{number} patches went through GDAL, which takes longer ({reason}).", err=True)
    if again := sum(p.decoded_again for p in profiles):
        click.echo(f"{again} patches failed a check on the GPU and were decoded on the CPU.", err=True)
