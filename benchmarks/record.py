"""Timing and records: one place that warms up, synchronises, repeats and says where it ran."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from benchmarks import ROOT
from seco.doctor import cpu
from seco.environment import package_versions

Record = dict[str, Any]
Records = list[Record]
Key = TypeVar("Key", bound=Hashable)

PACKAGES = (
    "seco-eo", "torch", "torchvision", "numpy", "kornia", "albumentations", "rasterio", "tifffile", "imagecodecs", "pyarrow",
    "geopandas", "scikit-learn", "timm", "nvidia-dali-cuda130", "nvidia-libnvcomp-cu13",
)  # fmt: skip


def time_runs(work: Callable[[], object], *, runs: int, synchronise: Callable[[], None] | None = None) -> list[float]:
    """Seconds of each of ``runs`` calls of ``work`` after one that warms up; the device is waited for, if it has one."""
    return time_in_turns({"": work}, runs=runs, synchronise=synchronise)[""]


def time_in_turns(
    works: Mapping[Key, Callable[[], object]], *, runs: int, synchronise: Callable[[], None] | None = None
) -> dict[Key, list[float]]:
    """Seconds of ``runs`` calls of each work, one after the other in turns: a busy moment of the machine meets all."""
    wait = synchronise or (lambda: None)
    for work in works.values():
        work()
    wait()
    seconds: dict[Key, list[float]] = {key: [] for key in works}
    for _ in range(runs):
        for key, work in works.items():
            start = time.perf_counter()
            work()
            wait()
            seconds[key].append(time.perf_counter() - start)
    return seconds


# Of a script that report_of runs: not getrusage, whose peak begins with what the parent held when it started the process.
PEAK_MB = 'int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) * 1024 / 1e6'


def report_of(script: str, *words: object) -> dict[str, Any]:
    """What a Python script prints as JSON, in a process of its own at the root of the checkout."""
    command = [sys.executable, "-c", script, *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return json.loads(done.stdout)


def on_cores(count: int, work: Callable[[], object]) -> Callable[[], object]:
    """``work`` on some cores only, and with as many of torch's threads; threads that it starts stay there."""

    def restricted() -> None:
        import torch

        allowed, threads = os.sched_getaffinity(0), torch.get_num_threads()
        os.sched_setaffinity(0, sorted(allowed)[:count])
        torch.set_num_threads(count)
        try:
            work()
        finally:
            os.sched_setaffinity(0, allowed)
            torch.set_num_threads(threads)

    return restricted


def make_record(
    *,
    benchmark: str,
    case: str,
    implementation: str,
    device: str,
    threads: int,
    items: float,
    unit: str,
    seconds: list[float],
    **extra: object,
) -> Record:
    """A record (docs/how-to/benchmarking.md): median and spread of ``seconds`` for ``items`` of ``unit`` a run."""
    quartiles = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else [seconds[0]] * 3
    median = statistics.median(seconds)
    return {
        "benchmark": benchmark,
        "case": case,
        "implementation": implementation,
        "device": device,
        "threads": threads,
        "items_per_s": items / median,
        "unit": unit,
        "median_s": median,
        "iqr_s": quartiles[2] - quartiles[0],
        "runs": len(seconds),
        "machine": machine(device),
        "versions": package_versions(PACKAGES),
        "commit": commit(),
        **extra,
    }


def machine(device: str) -> str:
    """The processor that did the work: the card's name on CUDA, else the CPU's and its core count."""
    if device == "cuda":
        import torch

        return str(torch.cuda.get_device_name())
    processor = cpu()
    return f"{processor['model']}, {processor['cores']} cores"


def commit() -> str:
    """The commit that was measured, with ``-dirty`` when files differ from it; ``unknown`` outside a checkout."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return "unknown"
    return described.stdout.strip() or "unknown"


def records_of(file: Path) -> Records:
    """Records of a file; profiles of loaders, which ``make gpu-check`` writes beside them, are none."""
    return [entry for entry in json.loads(file.read_text(encoding="utf-8")) if "benchmark" in dict(entry)]


def write_records(path: Path, records: list[Record]) -> None:
    """Write records as one JSON list."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(records, indent=1) + "\n")
