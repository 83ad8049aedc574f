"""Collects a synthetic data set into a patch store."""

import math
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import get_context, parent_process
from pathlib import Path

import numpy as np

from seco.bands import SENTINEL2_L2A
from seco.collect.ledger import Ledger
from seco.collect.locations import location_id
from seco.collect.patches import Patches, write_patches
from seco.collect.synthetic.classes import CLASSES
from seco.collect.synthetic.series import Request, Series, draw_series
from seco.data.atomic import atomic_path
from seco.data.description import LABEL_FOLDER
from seco.data.writer import stamp_of
from seco.errors import ConfigError, RunError

SAMPLE = 8  # locations that an estimate draws


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
    with Ledger(path, request, SyntheticOrigin()) as ledger:
        if ledger.finished:
            return False
        (path / LABEL_FOLDER).mkdir(exist_ok=True)
        left = [number for number in request.numbers if location_id(number) not in ledger.accepted]
        progress(len(ledger.accepted))
        with closing(_draw_all(request, left, workers)) as drawn:
            for done, series in enumerate(drawn, start=len(ledger.accepted) + 1):
                ledger.accept(_write(path, series))
                progress(done)
        ledger.finish()
    return True


def _begin_worker() -> None:
    # Ctrl-C is the parent's to handle: it reaches every process of the terminal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that is killed tells nobody."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@dataclass(frozen=True)
class Estimate:
    """What a request will take: bytes of pixels and of files, seconds of one core."""

    bytes_drawn: int
    bytes_on_disk: int
    core_seconds: float


def estimate(request: Request) -> Estimate:
    """Draw and write a few locations, spread evenly over the request, to a folder that goes away."""
    numbers = request.numbers[:: math.ceil(len(request.numbers) / SAMPLE)]
    with tempfile.TemporaryDirectory(prefix="seco-estimate-") as folder:
        path = Path(folder)
        (path / LABEL_FOLDER).mkdir()
        start = time.perf_counter()
        drawn = sum(_write(path, draw_series(request, number)).num_bytes for number in numbers)
        seconds = time.perf_counter() - start
        written = sum(file.stat().st_size for file in path.rglob("*.tif"))
    share = len(request.numbers) / len(numbers)
    return Estimate(round(drawn * share), round(written * share), seconds * share)


def _draw_all(request: Request, numbers: Sequence[int], workers: int) -> Generator[Series, None, None]:
    """Locations of these numbers in order, a few ahead of the writer when there are several workers."""
    if workers == 1:
        yield from (draw_series(request, index) for index in numbers)
        return
    # Spawned, not forked: the caller may run threads (torch, progress bars), which a fork would freeze.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_begin_worker)
    try:
        indices = iter(numbers)
        ahead = [pool.submit(draw_series, request, index) for index in islice(indices, 4 * workers)]
        while ahead:
            series = ahead.pop(0).result()
            ahead.extend(pool.submit(draw_series, request, index) for index in islice(indices, 1))
            yield series
    except BrokenProcessPool as error:
        raise RunError(
            "workers: expected all to finish, got one that died; use fewer for want of memory, "
            "or start them under `if __name__ == '__main__'`"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _write(path: Path, series: Series) -> Patches:
    place = series.location
    _write_labels(path / LABEL_FOLDER / f"{place.id}.tif", series)
    said = [
        {
            "time": time,
            "scene_id": f"SYNTHETIC_MSIL2A_{stamp_of(time)}_{place.id}",
            "cloud_fraction": scene.cloud_fraction,
        }
        for time, scene in zip(series.times, series.scenes, strict=True)
    ]
    pixels = np.stack([scene.pixels for scene in series.scenes])
    patches = write_patches(path, place, pixels, bands=SyntheticOrigin.bands, said=said)
    return replace(patches, rows=[row | {"label": series.label} for row in patches.rows])


def _write_labels(path: Path, series: Series) -> None:
    """Write the class of each pixel: 1, 2, … in the order of CLASSES, with their colours; 0 is nodata."""
    import rasterio

    profile = {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": 1,
        "height": len(series.labels),
        "width": len(series.labels),
        "nodata": 0,
        "compress": "deflate",
        "crs": f"EPSG:{series.location.epsg}",
        "transform": rasterio.Affine.from_gdal(*series.location.transform),
    }
    with atomic_path(path) as temporary, rasterio.open(temporary, "w", **profile) as raster:
        raster.write(series.labels, 1)
        raster.write_colormap(1, {value: c.colour for value, c in enumerate(CLASSES, start=1)})
        raster.update_tags(classes=", ".join(f"{value} {c.name}" for value, c in enumerate(CLASSES, start=1)))
