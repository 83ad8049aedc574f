"""The loader end to end: from packed GeoTIFFs to views of SeCo, beside a re-creation of the 2021 code's loader.

The re-creation takes the same pixels one by one in one process: rasterio, quantiles to 8 bits, PIL, torchvision. Ours draws
other parameters, so the answers are compared where both can be given the same: pixels, and crops without colour.
"""

import itertools
import resource
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import rasterio
import torch
from PIL import Image
from torchvision import transforms as t

from benchmarks.patches import patch_store
from benchmarks.record import Record, make_record, on_cores, time_in_turns
from benchmarks.view_peers import colour_and_flip, torchvision_crop
from seco.bands import RGB
from seco.data.loader import Loader
from seco.data.normalization import Normalization
from seco.data.packing import pack_store
from seco.data.store import Store, open_store
from seco.device import cores
from seco.errors import ConfigError
from seco.ops.geotiff import decode_geotiff
from seco.ops.random import sample_view_params
from seco.ops.recipe import RECIPES

RECIPE = RECIPES["seco"]
SEED = 0


def run(*, device: str, quick: bool) -> list[Record]:
    """Locations a second, on one core and on all; and the memory of many batches."""
    if device != "cpu":
        raise ConfigError(f"device: expected cpu, got {device}; its views are made on the CPU")
    size, batch, runs = (16, 2, 2) if quick else (224, 32, 11)
    with patch_store(quick=quick) as (loose, origin):
        pack_store(loose, loose.path.parent / "packed")
        packed = open_store(loose.path.parent / "packed")
        _check(loose, packed, size)
        works, items = _works(loose, packed, size=size, batch=batch, quick=quick)
        seconds = time_in_turns(works, runs=runs)
        records = [
            make_record(
                benchmark="loader",
                case="seco-rgb-of-12",
                implementation=name,
                device="cpu",
                threads=count,
                items=items[name, count],
                unit="locations",
                seconds=seconds[name, count],
                pixels=origin,
                size=size,
            )
            for name, count in works
        ]
        return [*records, _memory(packed, size=size, quick=quick, origin=origin)]


def _works(
    loose: Store, packed: Store, *, size: int, batch: int, quick: bool
) -> tuple[dict[tuple[str, int], Callable[[], object]], dict[tuple[str, int], int]]:
    """What to time, and how many locations each goes through."""
    works: dict[tuple[str, int], Callable[[], object]] = {}
    items: dict[tuple[str, int], int] = {}
    for threads in sorted({1, cores()}):
        loader = _loader(packed, size=size, batch=batch, threads=threads)
        works["seco", threads] = on_cores(threads, partial(drain, loader))
        items["seco", threads] = loader.steps_per_epoch * batch
    count = 2 if quick else 8
    works["seco-2021", 1] = on_cores(1, lambda: _loader_2021(loose, count, size))
    items["seco-2021", 1] = count
    return works, items


def _loader(store: Store, *, size: int, batch: int, threads: int) -> Loader:
    normalization = Normalization.from_store(store, RGB)
    return Loader(store, recipe=RECIPE, normalization=normalization, size=size, batch_size=batch, seed=SEED, threads=threads)


def drain(loader: Loader) -> None:
    """Go through an epoch."""
    for _ in loader.epoch(0):
        pass


def _loader_2021(store: Store, count: int, size: int) -> torch.Tensor:
    """Views ``[N, 4, 3, size, size]`` as the 2021 code made them, one location after the other."""
    finish = [
        t.RandomResizedCrop(size, scale=(0.2, 1.0)),
        t.ToTensor(),
        t.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
    plain, augmented = t.Compose(finish), t.Compose(colour_and_flip(t) + finish)
    random = np.random.default_rng(SEED)
    samples = []
    for i in range(count):
        sources = store.sources(i)
        first, second, third = (_picture(store, sources[date]) for date in random.integers(len(sources), size=3))
        samples.append(torch.stack([plain(first), augmented(second), plain(third), augmented(first)]))
    return torch.stack(samples)


def _picture(store: Store, source: Any) -> Image.Image:  # noqa: ANN401 - a path
    with rasterio.open(source) as raster:
        pixels = raster.read([store.band_names.index(name) + 1 for name in RGB])
    statistics = [store.statistics[name] for name in RGB]
    low, high = (np.array([getattr(s, q) for s in statistics])[:, None, None] for q in ("q02", "q98"))
    grey_levels = np.clip((pixels - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return Image.fromarray(np.ascontiguousarray(grey_levels.transpose(1, 2, 0)))


def _check(loose: Store, packed: Store, size: int) -> None:
    """Ours reads rasterio's pixels and crops as torchvision does, or the timing would compare different work."""
    bands = [packed.band_names.index(name) for name in RGB]
    n = Normalization.from_store(packed, RGB)
    columns = [torch.tensor(v)[:, None, None] for v in (n.scale, n.offset, n.mean, n.std)]
    batch = next(_loader(packed, size=size, batch=2, threads=1).epoch(0))
    for k, location in enumerate(batch.locations.tolist()):
        with rasterio.open(loose.sources(location)[0]) as raster:
            np.testing.assert_array_equal(
                decode_geotiff(packed.sources(location)[:1], bands=bands)[0], raster.read([b + 1 for b in bands])
            )
        side, dates = packed.patch_size, len(packed.dates(location))
        view = sample_view_params(RECIPE, [location], epoch=0, seed=SEED, height=side, width=side, dates=dates)[0, 0]
        pixels = decode_geotiff([packed.sources(location)[view["date"]]], bands=bands)[0]
        unit = (torch.from_numpy(pixels.astype(np.float32)) * columns[0] + columns[1]).clamp(0, 1)
        expected = torchvision_crop(unit, view, size)
        # Float32 on numbers up to 1, divided by the band's deviation.
        torch.testing.assert_close(batch.views[0, k], (expected - columns[2]) / columns[3], rtol=0, atol=1e-3)


def _memory(store: Store, *, size: int, quick: bool, origin: str) -> Record:
    """Resident memory after some batches and after ten times as many; the time of each tenth."""
    stretch, stretches = 2 if quick else 200, 10
    loader = _loader(store, size=size, batch=2 if quick else 8, threads=cores())
    epochs: Iterator[int] = itertools.count()
    batches = (batch for epoch in epochs for batch in loader.epoch(epoch))
    resident, seconds = [], []
    for _ in range(stretches):
        start = time.perf_counter()
        for _ in itertools.islice(batches, stretch):
            pass
        seconds.append(time.perf_counter() - start)
        resident.append(_resident_mb())
    return make_record(
        benchmark="loader",
        case=f"memory-{stretch}-{stretch * stretches}-batches",
        implementation="seco",
        device="cpu",
        threads=loader.threads,
        items=stretch * loader.batch_size,
        unit="locations",
        seconds=seconds,
        pixels=origin,
        resident_mb_early=resident[0],
        resident_mb_late=resident[-1],
        resident_mb_peak=max(resident),
    )


def _resident_mb() -> float:
    with open("/proc/self/statm") as file:  # noqa: PTH123 - no file of ours
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6
