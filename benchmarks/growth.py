"""How the loader's cost grows: with bands, with the size of patches, with threads, and training's with processes.

One thing is changed at a time, from RGB patches of 264 px of L1C on one thread. Locations are the matter of `scale`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.loader import drain
from benchmarks.record import Record, make_record, on_cores, time_runs
from seco.bands import RGB, SENTINEL2_L1C
from seco.collect.synthetic.series import Request
from seco.collect.synthetic.source import collect
from seco.data.loader import Loader
from seco.data.normalization import Normalization
from seco.data.store import Store, open_store
from seco.data.writer import StoreWriter
from seco.device import cores
from seco.errors import ConfigError
from seco.ops.recipe import RECIPES

NAMES = tuple(band.name for band in SENTINEL2_L1C)
BANDS = (3, 6, 9, 13)
PATCH_SIZES = (64, 128, 264, 528)
BASE_PATCH = 264
VIEW = 224
BATCH = 32


def run(*, device: str, quick: bool) -> list[Record]:
    """Locations a second of the loader, and of training in one and two processes."""
    if device != "cpu":
        raise ConfigError(f"device: expected cpu, got {device}; the loader's views are made on the CPU")
    sizes, runs = ((16, 32), 2) if quick else (PATCH_SIZES, 11)
    base = sizes[-1] if quick else BASE_PATCH
    every = cores()
    with tempfile.TemporaryDirectory(prefix="seco-bench-") as folder:
        locations = 8 if quick else 2 * BATCH
        stores = {size: _l1c_store(Path(folder) / f"{size}", size, locations) for size in sizes}
        works: dict[tuple[str, int], Callable[[], object]] = {}
        for count in BANDS:
            works[f"bands-{count}", 1] = _epoch(stores[base], _bands(count), 1, quick=quick)
        for size in sizes:
            works[f"patch-{size}px", 1] = _epoch(stores[size], RGB, 1, quick=quick)
        for threads in sorted({*range(1, min(every, 4) + 1), every}):
            works[f"threads-{threads}", threads] = _epoch(stores[base], RGB, threads, quick=quick)
        # Not in turns: a loader keeps the memory of its batches, which one of another size would make it give up.
        records = [_record(case, threads, locations, time_runs(work, runs=runs)) for (case, threads), work in works.items()]
        for ranks in (1, 2):
            times = _training_seconds(stores[base].path, Path(folder) / f"run-{ranks}", ranks, quick=quick)
            batch = 4 if quick else BATCH
            records.append(_record(f"ranks-{ranks}-training", min(ranks, every), batch, times))
    return records


def _bands(count: int) -> tuple[str, ...]:
    """Red, green and blue, then the others in the order of the product."""
    return (*RGB, *(name for name in NAMES if name not in RGB))[:count]


def _epoch(store: Store, bands: tuple[str, ...], threads: int, *, quick: bool) -> Callable[[], object]:
    loader = Loader(
        store,
        recipe=RECIPES["seco"].for_bands(bands),
        normalization=Normalization.from_store(store, bands),
        size=16 if quick else VIEW,
        batch_size=2 if quick else BATCH,
        seed=0,
        threads=threads,
    )
    return on_cores(threads, lambda: drain(loader))


def _training_seconds(store: Path, out: Path, ranks: int, *, quick: bool) -> list[float]:
    """Seconds a step of training a small network, one core a process and equally many locations a step in all."""
    batch, size, epochs = (4, "16", "3") if quick else (BATCH, "64", "12")
    words = ["--data", store, "--out", out, "--batch-size", batch // ranks, "--size", size, "--epochs", epochs]
    words += ["--backbone", "test_resnet" if quick else "resnet18", "--queue", "64", "--log-every", "1", "--threads", "1"]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    command = [sys.executable, *launch, "-m", "seco.cli", "pretrain", *map(str, words)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"pretrain in {ranks} processes: expected it to end, got: {done.stderr[-2000:]}")
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    # The last step of each epoch: the first one waits for the checkpoint of the epoch before.
    last = {line["epoch"]: line for line in lines}
    return [batch / line["locations_per_s"] for line in last.values()]


def _l1c_store(folder: Path, size: int, locations: int) -> Store:
    """Synthetic patches of 13 bands at three dates. The synthetic sensor is L2A's, so that B10 repeats B09."""
    plain = folder / "l2a"
    request = Request(locations=locations, seed=0, patch_size=size, dates=3, cloud_percent=100.0)
    collect(request, plain, workers=cores(), progress=lambda _: None)
    source = open_store(plain)
    index = source.read_index(["location_id", "time"]).to_pylist()
    settings = {"quantification": 1e4, "offset": 0.0, "product_level": "L1C", "sensor": "Sentinel-2", "seed": 0}
    words = {"source": "synthetic", "licence": "CC0-1.0"}
    bands = [source.band_names.index("B09" if name == "B10" else name) for name in NAMES]
    with StoreWriter(folder / "l1c", bands=SENTINEL2_L1C, patch_size=size, dtype="uint16", **settings, **words) as writer:  # type: ignore[arg-type]
        for row, patch in enumerate(index):
            (pixels,) = source.read(np.array([row]), bands=bands)
            place = {"epsg": 32631, "transform": (500_000.0, 10.0, 0.0, 5e6, 0.0, -10.0), "longitude": 3.0, "latitude": 45.0}
            said = {"scene_id": "synthetic", "cloud_fraction": 0.0}
            writer.add(patch["location_id"], np.datetime64(patch["time"], "s"), pixels, **place, **said)  # type: ignore[arg-type]
    return open_store(folder / "l1c")


def _record(case: str, threads: int, items: int, seconds: list[float]) -> Record:
    common = {"device": "cpu", "threads": threads, "items": items, "unit": "locations", "pixels": "synthetic"}
    return make_record(benchmark="growth", case=case, implementation="seco", seconds=seconds, **common)  # type: ignore[arg-type]
