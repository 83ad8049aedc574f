"""Collects a synthetic data set into a patch store."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from seco.bands import SENTINEL2_L2A
from seco.collect.ledger import Ledger
from seco.collect.locations import location_id
from seco.collect.synthetic.files import label_file, write_series
from seco.collect.synthetic.processes import draw_all
from seco.collect.synthetic.series import Request
from seco.errors import ConfigError


class SyntheticOrigin:
    """What a synthetic store says of its pixels."""

    sensor = "Sentinel-2 (synthetic)"
    bands = SENTINEL2_L2A
    product_level = "L2A"
    licence = "CC0-1.0"


def collect(request: Request, path: Path, *, workers: int = 1, progress: Callable[[int], None] = lambda done: None) -> bool:
    """Write the store of a request, or go on where another call with the same request ended.

    Args:
        request: What to collect.
        path: Folder of the store.
        workers: Processes that draw; the store does not depend on it.
        progress: Called at first and after each location with the number done.

    Returns:
        Whether there was something to do: False if the store was complete already.

    Raises:
        ConfigError: If ``workers`` is not positive.
        StoreError: If the folder is in use, or of another request.
        RunError: If a worker died; what was collected stays, for the next call.
    """
    if workers < 1:
        raise ConfigError(f"workers: expected at least 1, got {workers}; raise it")
    with Ledger(path, request, SyntheticOrigin(), also=label_file) as ledger:
        if ledger.finished:
            return False
        left = [number for number in request.numbers if location_id(number) not in ledger.accepted]
        progress(len(ledger.accepted))
        with closing(draw_all(request, left, workers)) as drawn:
            for done, series in enumerate(drawn, start=len(ledger.accepted) + 1):
                ledger.accept(write_series(path, series))
                progress(done)
        ledger.finish()
    return True
