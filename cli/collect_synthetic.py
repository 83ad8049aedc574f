"""``seco collect --source synthetic``: a store drawn from a seed."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from .collected import common_settings, human_size, say_complete, saying_how_to_go_on
from .progress import Counted


def collect_synthetic(*, out: Path, dry_run: bool, workers: int | None, **options: Any) -> None:  # noqa: ANN401 - those of the command
    """Draw a store, or estimate what that takes."""
    from seco.bands import SENTINEL2_L2A
    from seco.collect.synthetic.estimate import estimate
    from seco.collect.synthetic.series import Request
    from seco.collect.synthetic.source import collect
    from seco.device import cores

    request = Request(**common_settings(options))
    total = len(request.numbers)
    workers = min(workers or cores(), total)
    if dry_run:
        found = estimate(request)
        click.echo(
            f"Estimate: {total:,} locations, {human_size(found.bytes_drawn)} of pixels, about "
            f"{human_size(found.bytes_on_disk)} on disk, {timedelta(seconds=round(found.seconds(workers)))} on "
            f"{workers} CPUs"
        )
        return
    with saying_how_to_go_on(), Counted("locations") as counted:
        if not collect(request, out, workers=workers, progress=lambda done: counted(done, total)):
            say_complete(out)
            return
    size = request.patch_size
    click.echo(f"{out}: {total} locations, {request.dates} dates each, {len(SENTINEL2_L2A)} bands of {size} x {size} px")
