"""``seco collect`` from a catalogue of scenes: settings, progress, estimate and summary."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seco.environment import extra

from .collected import common_settings, human_size, say_complete, saying_how_to_go_on
from .progress import Counted

if TYPE_CHECKING:
    from seco.collect.collector import Progress
    from seco.collect.estimate import Estimate
    from seco.collect.places import DrawnPlaces, GivenPlaces
    from seco.collect.settings import SceneSettings
    from seco.collect.source import SceneSource

SILENT_S = 60.0  # worth a word


def collect_scenes(*, out: Path, dry_run: bool, **options: Any) -> None:  # noqa: ANN401 - those of the command
    """Collect, or estimate what that takes."""
    from seco.collect.collector import collect

    on_scenes = options["sampling"] in (None, "scenes")
    sampler = None if on_scenes else _open_sampler([], **options)  # what is wrong there is known without a server
    source = _OPEN[options["source"]](**options)
    sampler = sampler or _open_sampler(getattr(source, "outlines", []), **options)
    settings = _settings(source, sampler.name, **options)
    if dry_run:
        from seco.collect.estimate import estimate

        _print_estimate(estimate(settings, source, sampler), settings)
        return
    with saying_how_to_go_on(), Counted("locations") as counted:

        def show(now: "Progress") -> None:
            counted(now.accepted + now.given_up, now.wanted, _rates(now))

        progress = collect(out, settings, source, sampler, skip_bad=options["skip_bad"], report=show)
    if progress is None:
        say_complete(out)
        return
    size = settings.patch_size
    click.echo(
        f"{out}: {progress.accepted} locations, {settings.dates} dates each, {len(source.bands)} bands of {size} x {size} px"
    )
    if progress.given_up:
        click.echo(f"Left out, with no place in {settings.max_attempts} attempts: {progress.given_up}")
    click.echo(f"Rejected: {_rejections(progress)}")
    seconds = time.monotonic() - progress.began
    click.echo(
        f"This run: {progress.accepted - progress.accepted_before} locations, {progress.requests} requests, "
        f"{human_size(progress.bytes_read)} of pixels, {seconds:.0f} s"
    )


def _print_estimate(found: "Estimate", settings: "SceneSettings") -> None:
    from seco.collect.estimate import REQUESTS_PER_S

    sample = found.sample
    spread = f", every {found.every:,}th" if found.every > 1 else ""
    click.echo(
        f"Sampled {sample.wanted} locations{spread}: {sample.accepted} with all dates; rejected: {_rejections(sample)}"
    )
    click.echo(
        f"Estimate: {found.locations:,} of {len(settings.numbers):,} locations, {found.requests:,} requests, "
        f"{human_size(found.bytes_received)} of pixels, about {human_size(found.bytes_on_disk)} on disk"
    )
    if settings.source == "earthengine":
        click.echo(f"{found.hours:.1f} hours at {REQUESTS_PER_S:.0f} requests/s, if the quota and the line allow")
    else:
        click.echo("How long that takes is the server's or the disk's to say: each request for pixels reads many windows")


def _rejections(progress: "Progress") -> str:
    return ", ".join(f"{reason} {count}" for reason, count in progress.rejected.most_common()) or "none"


def _open_earthengine(**options: Any) -> "SceneSource":  # noqa: ANN401
    with extra("collect", "the package earthengine-api", "source"):
        from seco.collect.earthengine.source import DEFAULT_COLLECTION, EarthEngineSource
    return EarthEngineSource(
        collection=options["collection"] or DEFAULT_COLLECTION,
        patch_size=options["patch_size"],
        cloud_percent=options["cloud"],
        credentials=options["credentials"],
        project=options["project"],
        endpoint=options["endpoint"],
    )


def _open_stac(**options: Any) -> "SceneSource":  # noqa: ANN401
    with extra("collect", "the package pystac-client", "source"):
        from seco.collect.stac.source import DEFAULT_CATALOGUE, StacSource
    return StacSource(
        catalogue=options["catalog"] or DEFAULT_CATALOGUE,
        collection=options["collection"],
        patch_size=options["patch_size"],
        cloud_percent=options["cloud"],
    )


def _open_local(**options: Any) -> "SceneSource":  # noqa: ANN401
    from seco.collect.local.source import LocalSource

    return LocalSource(Path(options["catalog"]), level=options["collection"], patch_size=options["patch_size"])


_OPEN: "dict[str, Callable[..., SceneSource]]" = {
    "earthengine": _open_earthengine,
    "stac": _open_stac,
    "local": _open_local,
}


def _open_sampler(
    outlines: "Sequence[Any]",
    /,
    *,
    sampling: str | None,
    region: str,
    points: Path,
    locations: int,
    patch_size: int,
    **_: object,
) -> "DrawnPlaces | GivenPlaces":
    """``outlines`` are those of scenes on disk, whatever lies elsewhere has no scene; empty if nobody knows them."""
    from seco.collect.geography import land
    from seco.collect.places import DrawnPlaces, GivenPlaces
    from seco.collect.region import open_outlines, open_region, read_points
    from seco.collect.sampling import AroundCities, Distribution, OverArea

    if sampling == "points":
        return GivenPlaces(read_points(points), locations=locations, patch_size=patch_size)
    open_distribution: dict[str, Callable[[], Distribution]] = {
        "cities": AroundCities,
        "land": lambda: OverArea(land(), "land"),
        "scenes": lambda: open_outlines(outlines),
        "region": lambda: open_region(region),
    }
    distribution = open_distribution[sampling or ("scenes" if outlines else "cities")]()
    return DrawnPlaces(distribution, locations=locations, patch_size=patch_size)


def _settings(source: "SceneSource", sampling: str, /, **options: Any) -> "SceneSettings":  # noqa: ANN401
    from seco.collect.settings import SceneSettings

    return SceneSettings(
        source=source.name,
        collection=source.collection,
        product_level=source.product_level,
        sampling=sampling,
        interval_days=options["interval"],
        window_days=options["window"],
        max_attempts=options["attempts"],
        **common_settings(options),
    )


def _rates(now: "Progress") -> str:
    rejected = f"{now.rejected.total()} rejected"
    if now.rejected:
        rejected += f" ({_rejections(now)})"
    if now.silent_s > SILENT_S:
        rejected += f", no answer for {now.silent_s:.0f} s"
    per_s = 1.0 / max(time.monotonic() - now.began, 1e-9)
    return f"{rejected}, {now.requests * per_s:.1f} requests/s, {now.bytes_read / 1e6 * per_s:.1f} MB/s"
