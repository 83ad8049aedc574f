"""Collects a synthetic data set into a patch store."""

import shutil
import signal
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seco.bands import SENTINEL2_L2A
from seco.collect.locations import Location
from seco.collect.stream import Stream
from seco.collect.synthetic.classes import CLASSES
from seco.collect.synthetic.itinerary import draw_dates, draw_location
from seco.collect.synthetic.scene import LOCATION, Scene, draw_place, render_scene
from seco.collect.synthetic.sensor import QUANTIFICATION
from seco.data.description import LABEL_FOLDER
from seco.data.writer import StoreWriter
from seco.errors import ConfigError, RunError

# A fixed day, so that a seed means the same pixels in any year; before processing baseline 04.00: offset 0.
UNTIL = np.datetime64("2021-12-31")


@dataclass(frozen=True)
class Request:
    """What to collect; the same request gives the same pixels everywhere.

    Attributes:
        locations: Number of locations. Location k does not depend on it.
        seed: Seed of the data set, ``0 <= seed < 2**64``.
        patch_size: Height and width of a patch, px of 10 m.
        dates: Dates a location, about three months apart.
        until: No date is later.
        cloud_percent: Greatest share of a patch under cloud, 0 to 100.
    """

    locations: int
    seed: int
    patch_size: int = 264
    dates: int = 5
    until: np.datetime64 = UNTIL
    cloud_percent: float = 10.0

    def __post_init__(self) -> None:
        for name, low in (("locations", 1), ("patch_size", 8), ("dates", 1)):
            if getattr(self, name) < low:
                raise ConfigError(f"{name}: expected at least {low}, got {getattr(self, name)}; raise it")
        if not 0 <= self.seed < 2**64:
            raise ConfigError(f"seed: expected 0 to 2**64 - 1, got {self.seed}; choose another")
        if not 0.0 <= self.cloud_percent <= 100.0:
            raise ConfigError(f"cloud_percent: expected 0 to 100, got {self.cloud_percent}; choose another")


@dataclass(frozen=True)
class Series:
    """One location: its times (UTC, datetime64[s], earliest first), their scenes, its class and label map."""

    location: Location
    times: list[np.datetime64]
    scenes: list[Scene]
    label: str
    labels: NDArray[np.uint8]


def draw_series(request: Request, index: int) -> Series:
    """Draw location number ``index`` (from 0) of a request: a pure function of both."""
    stream = Stream(request.seed, index, LOCATION)
    location = draw_location(stream, index, request.patch_size)
    times = draw_dates(stream, location.longitude, until=request.until, count=request.dates)
    # 100 m are enough for the climate, and hide the last bits that PROJ's releases may differ in.
    latitude = round(location.latitude, 3)
    place = draw_place(request.seed, index, latitude=latitude, patch_size=request.patch_size)
    scenes = [
        render_scene(
            request.seed,
            index,
            place,
            index=number,
            day=day_of_year(time),
            cloud_limit=request.cloud_percent / 100.0,
        )
        for number, time in enumerate(times)
    ]
    return Series(location, times, scenes, place.label, place.labels)


def day_of_year(time: np.datetime64) -> float:
    """Day of the year of a time, 1 to 366."""
    days = time.astype("datetime64[D]") - time.astype("datetime64[Y]").astype("datetime64[D]")
    return float(days.astype(np.int64)) + 1.0


def collect(request: Request, path: Path, *, workers: int = 1, progress: Callable[[int], None] = lambda done: None) -> None:
    """Write the store of a request; it opens only when all of it is there, and is emptied if that fails.

    Args:
        request: What to collect.
        path: Folder of the new store.
        workers: Processes that draw; the store does not depend on it.
        progress: Called after each location with the number done.

    Raises:
        ConfigError: If ``workers`` is not positive.
        StoreError: If something is at ``path`` already.
        RunError: If a worker died.
    """
    if workers < 1:
        raise ConfigError(f"workers: expected at least 1, got {workers}; raise it")
    with (
        closing(_draw_all(request, workers)) as drawn,
        StoreWriter(
            path,
            bands=SENTINEL2_L2A,
            patch_size=request.patch_size,
            dtype="uint16",
            quantification=QUANTIFICATION,
            offset=0,
            product_level="L2A",
            sensor="Sentinel-2 (synthetic)",
            seed=request.seed,
            source="synthetic",
            licence="CC0-1.0",
        ) as writer,
        ExitStack() as undo,
    ):
        (path / LABEL_FOLDER).mkdir()
        undo.callback(shutil.rmtree, path / LABEL_FOLDER)  # as the writer does with its patches
        for done, series in enumerate(drawn, start=1):
            _write(writer, path, series)
            progress(done)
        undo.pop_all()


def _draw_all(request: Request, workers: int) -> Generator[Series, None, None]:
    """All locations in order, a few ahead of the writer when there are several workers."""
    if workers == 1:
        yield from (draw_series(request, index) for index in range(request.locations))
        return
    # Spawned, not forked: the caller may run threads (torch, progress bars), which a fork would freeze.
    # Ctrl-C is the parent's to handle: it reaches every process of the terminal.
    ignore = (signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=signal.signal, initargs=ignore)
    try:
        indices = iter(range(request.locations))
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


def _write(writer: StoreWriter, path: Path, series: Series) -> None:
    place = series.location
    for time, scene in zip(series.times, series.scenes, strict=True):
        stamp = str(time).replace("-", "").replace(":", "")
        writer.add(
            place.id,
            time,
            scene.pixels,
            epsg=place.epsg,
            transform=place.transform,
            scene_id=f"SYNTHETIC_MSIL2A_{stamp}_{place.id}",
            cloud_fraction=scene.cloud_fraction,
            longitude=place.longitude,
            latitude=place.latitude,
        )
    writer.add_label(place.id, series.label)
    _write_labels(path / LABEL_FOLDER / f"{place.id}.tif", series)


def _write_labels(path: Path, series: Series) -> None:
    """Write the class of each pixel: 1, 2, … in the order of CLASSES, with their colours; 0 is nodata."""
    import rasterio

    size = len(series.labels)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype="uint8",
        count=1,
        height=size,
        width=size,
        nodata=0,
        compress="deflate",
        crs=f"EPSG:{series.location.epsg}",
        transform=rasterio.Affine.from_gdal(*series.location.transform),
    ) as raster:
        raster.write(series.labels, 1)
        raster.write_colormap(1, {value: c.colour for value, c in enumerate(CLASSES, start=1)})
        raster.update_tags(classes=", ".join(f"{value} {c.name}" for value, c in enumerate(CLASSES, start=1)))
