"""Throughput of a loader, and the time of its stages as the native code counts them while it runs."""

import ctypes
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch

from seco import _core
from seco.data.loader import Loader, loader_class
from seco.data.normalization import Normalization
from seco.data.store import Store
from seco.device import cores
from seco.ops.geotiff import fallback_count
from seco.ops.recipe import ViewRecipe
from seco.profiling.gpu import gpu_stages

STAGES = ("read", "decompress", "unpredict", "views")
_WARM_UP = 2  # batches
_LEAST = 8  # batches to measure: more than a loader has made ahead when the clock starts
ADVICE = {
    "read": "the disk: `seco pack` makes reads long, a faster disk or a warm page cache makes them short",
    "decompress": "decompression: take fewer --bands; `seco import` writes what decodes fastest",
    "unpredict": "undoing the predictor and sorting bands: take fewer --bands",
    "views": "the views: --device cuda makes them on the GPU",
    "rest": "Python and waiting for one another: a larger --batch-size has fewer batches to organise",
    "idle": "nothing: threads are idle; raise --batch-size or lower --threads",
    "gpu copy": "copies to the GPU: take fewer --bands, or --loader dali, which copies compressed patches",
    "gpu decompress": "decompression on the GPU: take fewer --bands, or --loader native where many cores are idle",
    "gpu unpredict": "sorting bands on the GPU: take fewer --bands",
    "gpu views": "the views on the GPU, which is as it should be: smaller --size, or another GPU",
    "gpu rest": "kernels of other libraries on the GPU: a larger --batch-size has fewer to start",
}


def advise(bottleneck: str, *, more_threads: bool) -> str:
    """What a stage is and what to change about it; ``more_threads``: whether there are cores for them."""
    return ADVICE[bottleneck] + ("; or take more --threads" if more_threads and bottleneck in STAGES[1:] else "")


@dataclass(frozen=True, kw_only=True)
class LoaderProfile:
    """One run of a loader.

    Attributes:
        loader: ``native`` or ``dali``.
        device: ``cpu`` or ``cuda``.
        threads: Of the loader.
        batch_size: Locations a batch.
        batches: That were measured.
        seconds: That they took.
        locations_per_s: Locations a second.
        patches_per_s: Patches decoded a second.
        read_mb_per_s: Compressed megabytes read a second.
        decoded_mb_per_s: Megabytes after decompression a second.
        stages_s: Seconds of all threads together in each stage, by name: on a core, but reading with its waiting for the
            disk; ``rest`` is time on a core beside them.
        cpu_use: Share of the threads' time that was spent on a core.
        wait_s: Seconds that the consumer, which does nothing else, waited for batches.
        gpu_stages_s: Seconds of the GPU in each stage, by name; empty on the CPU.
        gpu_use: Share of the time in which the GPU worked, its stages one after the other.
        decoded_again: Patches that failed a check on the GPU and were decoded on the CPU.
        by_gdal: Patches that GDAL had to decode, by reason.
        bottleneck: The longest stage, or ``idle`` where threads wait.
        advice: What to change.
    """

    loader: str
    device: str
    threads: int
    batch_size: int
    batches: int
    seconds: float
    locations_per_s: float
    patches_per_s: float
    read_mb_per_s: float
    decoded_mb_per_s: float
    stages_s: dict[str, float]
    cpu_use: float
    wait_s: float
    gpu_stages_s: dict[str, float]
    gpu_use: float
    decoded_again: int
    by_gdal: dict[str, int]
    bottleneck: str
    advice: str


def profile_loader(
    store: Store,
    *,
    loader: str,
    device: str,
    recipe: ViewRecipe,
    normalization: Normalization,
    size: int,
    batch_size: int,
    threads: int,
    seconds: float,
) -> LoaderProfile:
    """Load batches for some seconds and say where the time went.

    Args:
        store: Store to load from.
        loader: ``native`` or ``dali``.
        device: ``cpu`` or ``cuda``: where the views are made.
        recipe: What the views are.
        normalization: Bands to read, and how they are scaled.
        size: Height and width of a view, pixels.
        batch_size: Locations a batch.
        threads: Threads that decode and augment.
        seconds: To measure at least, after two batches that warm up; eight batches are measured in any case.

    Raises:
        SecoError: What the loader raises, such as too few locations for a batch.
    """
    settings: dict[str, Any] = {"size": size, "batch_size": batch_size, "seed": 0, "threads": threads, "device": device}
    made = loader_class(loader)(store, recipe=recipe, normalization=normalization, **settings)
    batches, totals = _endless(made), totals_of(loader)
    for _ in range(_WARM_UP):
        next(batches)
    foreign = Counter(fallback_count())
    with gpu_stages(device) as on_gpu:
        before, cpu, start = totals(), time.process_time(), time.perf_counter()
        done, waited = 0, 0.0
        while done < _LEAST or time.perf_counter() - start < seconds:
            waited += next(batches).wait_s
            if device == "cuda":
                torch.cuda.synchronize()
            done += 1
        spent, cpu = time.perf_counter() - start, time.process_time() - cpu
        counted = [later - earlier for later, earlier in zip(totals(), before, strict=True)]
    batches.close()
    stages = seconds_of_stages(counted)
    stages["rest"] = max(0.0, cpu - sum(counted[: len(STAGES)]) / 1e9)
    cpu_use = min(1.0, cpu / (spent * min(threads, cores())))
    gpu_use = min(1.0, sum(on_gpu.values()) / spent)
    bottleneck = _bottleneck(stages, cpu_use, on_gpu, gpu_use)
    return LoaderProfile(
        loader=loader,
        device=device,
        threads=threads,
        batch_size=batch_size,
        batches=done,
        seconds=spent,
        locations_per_s=done * batch_size / spent,
        patches_per_s=done * batch_size * recipe.num_dates / spent,
        read_mb_per_s=counted[len(STAGES)] / spent / 1e6,
        decoded_mb_per_s=counted[len(STAGES) + 1] / spent / 1e6,
        stages_s=stages,
        cpu_use=cpu_use,
        wait_s=waited,
        gpu_stages_s=on_gpu,
        gpu_use=gpu_use,
        decoded_again=counted[len(STAGES) + 2],
        by_gdal=dict(Counter(fallback_count()) - foreign),
        bottleneck=bottleneck,
        advice=advise(bottleneck, more_threads=threads < cores()),
    )


def _bottleneck(stages: dict[str, float], cpu_use: float, gpu_stages: dict[str, float], gpu_use: float) -> str:
    """The longest stage of the processor that is busier, or that both are idle."""
    if max(cpu_use, gpu_use) < 0.5:
        return "idle"
    if gpu_use > cpu_use:
        return "gpu " + max(gpu_stages, key=lambda name: gpu_stages[name])
    return max(stages, key=lambda name: stages[name])


def seconds_of_stages(counted: Sequence[int]) -> dict[str, float]:
    """Seconds of threads in each stage by the counters of :func:`totals_of`: on a core, and what reading waited."""
    stages = {name: nanoseconds / 1e9 for name, nanoseconds in zip(STAGES, counted, strict=False)}
    stages["read"] += counted[-1] / 1e9
    return stages


def totals_of(loader: str) -> Callable[[], list[int]]:
    """What asks for the counters of the module that does the work of the ``native`` loader, or that of ``dali``."""
    if loader == "native":
        return _core.stage_totals
    from seco.dali import PLUGIN

    ask = ctypes.CDLL(str(PLUGIN)).seco_stage_totals
    ask.restype = None

    def totals() -> list[int]:
        counters = (ctypes.c_int64 * len(_core.stage_totals()))()  # of the same kind
        ask(counters)
        return list(counters)

    return totals


def _endless(loader: Loader) -> Any:  # noqa: ANN401 - a generator, which can be closed
    def batches() -> Iterator[Any]:
        for epoch in count():
            yield from loader.epoch(epoch)

    return batches()
