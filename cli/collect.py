"""``seco collect``: make or fetch a patch store."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

CATALOGUES = ("earthengine", "stac", "local")
# Options that only some sources have; the others take all of them.
ONLY = {
    "workers": ("synthetic",),
    "sampling": CATALOGUES,
    "region": CATALOGUES,
    "points": CATALOGUES,
    "window": CATALOGUES,
    "interval": CATALOGUES,
    "attempts": CATALOGUES,
    "skip_bad": CATALOGUES,
    "collection": CATALOGUES,
    "catalog": ("stac", "local"),
    "credentials": ("earthengine",),
    "project": ("earthengine",),
    "endpoint": ("earthengine",),
}


@click.command(no_args_is_help=True)
@click.option("--source", type=click.Choice([*CATALOGUES, "synthetic"]), required=True, help="Where the scenes come from.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the store, new or begun before.")
@click.option("--locations", type=click.IntRange(min=1), required=True, help="Number of locations.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), required=True, help="Same seed, same data set.")
@click.option("--patch-size", type=click.IntRange(min=8), default=264, show_default=True, help="Pixels of 10 m.")
@click.option("--dates", type=click.IntRange(min=1), default=5, show_default=True, help="Dates a location.")
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d"]),
    default="2021-12-31",
    show_default=True,
    help="No date is later; reference dates fall in the year before.",
)
@click.option(
    "--cloud", type=click.FloatRange(0, 100), default=10, show_default=True, help="Most cloud in a scene and in a patch, %."
)
@click.option("--interval", type=click.IntRange(min=1), default=91, show_default=True, help="Days between dates.")
@click.option("--window", type=click.IntRange(min=0), default=15, show_default=True, help="Days that a date may be off.")
@click.option(
    "--sampling",
    type=click.Choice(["cities", "land", "scenes", "region", "points"]),
    help="Where places are drawn: within some 50 km of cities, on all land alike, on the land of scenes on disk, or as the "
    "next two options say.  [cities; of scenes on disk: scenes]",
)
@click.option("--region", help="With --sampling region: a file of polygons, or a country by English name or ISO code.")
@click.option(
    "--points",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --sampling points: a CSV file, columns lon and lat (or longitude and latitude, x and y).",
)
@click.option("--attempts", type=click.IntRange(min=1), default=20, show_default=True, help="Places tried a location.")
@click.option("--skip-bad", is_flag=True, help="Take other places for those whose requests fail time and again.")
@click.option("--num-shards", type=click.IntRange(min=1), help="Split the locations over so many stores.")
@click.option("--shard", type=click.IntRange(min=0), help="Which of them to collect, from 0; then seco merge.")
@click.option("--dry-run", is_flag=True, help="Try some locations and print what all will take.")
@click.option(
    "--collection",
    help="earthengine: COPERNICUS/S2_SR_HARMONIZED (L2A, the default) or COPERNICUS/S2_HARMONIZED (L1C); stac: its name; "
    "local: L2A or L1C, where there are both.",
)
@click.option(
    "--catalog",
    help="stac: earth-search (the default), planetary-computer, a URL, or a catalogue on disk; local: the scenes' folder.",
)
@click.option("--credentials", default="user", show_default=True, help="user, adc, anonymous or a key file.")
@click.option("--project", help="Cloud project registered for Earth Engine.  [that of the credentials]")
@click.option("--endpoint", help="Another server than Earth Engine's.")
@click.option("--workers", type=click.IntRange(min=1), default=None, help="Processes that draw.  [one a CPU]")
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:  # noqa: ANN401 - click passes by name
    """Collect seasons of Sentinel-2 patches into a store.

    The same command again goes on with a collection that was interrupted.

    \b
    $ seco collect --source earthengine --project my-project --out seasons --locations 1000 --seed 1
    $ seco collect --source stac --catalog earth-search --out seasons --locations 1000 --seed 1
    $ seco collect --source local --catalog products --out seasons --locations 100 --seed 1
    $ seco collect --source synthetic --out toy --locations 100 --seed 1 --patch-size 64
    """
    source = options["source"]
    for name, sources in ONLY.items():
        if source not in sources and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"--{name.replace('_', '-')}: expected with {' or '.join(sources)}, got {source}; leave it out"
            )
    for name in ("region", "points"):
        if options[name] is None and options["sampling"] == name:
            raise click.UsageError(f"--{name}: expected with --sampling {name}, got none; give it")
        if options[name] is not None and options["sampling"] != name:
            got = f"--sampling {options['sampling']}" if options["sampling"] else "none"
            raise click.UsageError(f"--{name}: expected with --sampling {name}, got {got}; give both or neither")
    if source == "local" and not options["catalog"]:
        raise click.UsageError("--catalog: expected the folder of the scenes, got none; give it")
    _check_shard(options)
    if source == "synthetic":
        from .collect_synthetic import collect_synthetic as collect
    else:
        from .collect_scenes import collect_scenes as collect

    collect(**options)


def _check_shard(options: dict[str, Any]) -> None:
    """An array of tasks without --shard would collect the same one in each."""
    shard, num_shards = options["shard"], options["num_shards"] or 1
    if shard is None and num_shards > 1:
        raise click.UsageError(f"--shard: expected with --num-shards {num_shards}, got none; say which, from 0")
    if (shard or 0) >= num_shards:
        remedy = "count from 0" if options["num_shards"] else "give --num-shards"
        raise click.UsageError(f"--shard: expected less than --num-shards {num_shards}, got {shard}; {remedy}")
    options["shard"], options["num_shards"] = shard or 0, num_shards
