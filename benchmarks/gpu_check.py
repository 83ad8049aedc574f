"""``make gpu-check``: build for the card present, run the gpu-marked tests and the GPU benchmarks, write records.

Works with a python3 that holds torch, numpy, pybind11, scikit-build-core, pytest and nvcc but no package index, no rasterio
and no DALI: what needs those is skipped by name, or they come in parts (``--wheels``, see gpu_wheels.py). A test that finds
no GPU fails instead of skipping.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from benchmarks import gpu_wheels

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("torch", "numpy", "pybind11", "scikit_build_core", "pytest", "click")
OPTIONAL = {
    "rasterio": "reading foreign GeoTIFFs and writing stores",
    "geopandas": "writing stores",
    "imagecodecs": "files of another writer with ZSTD or LZW",
    "nvidia.dali": "DALI operators",
    "pyarrow": "training steps and their tests",
    "timm": "training steps and their tests",
    "lightning": "training steps and their tests",
}


def main() -> int:
    """Run every step and return the number of those that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=Path, default=ROOT / "build" / "gpu-check")
    parser.add_argument("--wheels", type=Path, help="folder of gpu_wheels.py: installed beside seco, not in the environment")
    arguments = parser.parse_args()
    records: Path = arguments.records.resolve()
    site = ROOT / "build" / "gpu-check-site"
    if arguments.wheels:
        gpu_wheels.install(arguments.wheels, site)
    sys.path.append(str(site))
    missing = [name for name in NEEDED if not _is_there(name)]
    if missing:
        print(f"Error: {sys.executable} lacks {', '.join(missing)}: install them, or say make gpu-check PYTHON=...")
        return 2
    for name, what in OPTIONAL.items():
        if not _is_there(name):
            print(f"skipped: {what} ({name} is not installed)")
    environment = os.environ | {"PYTHONPATH": str(site), "SECO_REQUIRE_CUDA": "1"}
    if _run("build", _build_command(site), os.environ.copy()):
        return 1
    link = site / "benchmarks"  # -P keeps the checkout, whose seco/ has no native module, off the path
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT / "benchmarks")
    python = [sys.executable, "-P", "-m"]
    steps = {
        "tests": [
            *python,
            "pytest",
            "-m",
            "gpu",
            "-p",
            "no:cacheprovider",
            "-o",
            "addopts=--strict-markers",
            "-o",
            "pythonpath=tests",  # not the checkout, whose seco/ has no native module
            "-W",
            "ignore:Setting the shape:DeprecationWarning",  # NumPy 2.5 of rasterio and tifffile
            *_gpu_tests(),
        ],
        **{
            name: [*python, "benchmarks", name, "--device", "cuda", "--out", str(records / f"{name}.json")]
            for name in _benchmarks()
        },
    }
    failed = [name for name, command in steps.items() if _run(name, command, environment)]
    print(f"gpu-check: {len(steps) - len(failed)} passed, {len(failed)} failed; records in {records}")
    return len(failed)


def _gpu_tests() -> list[str]:
    """Files with tests that are marked gpu: others may import what this python3 lacks."""
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(file.relative_to(ROOT)) for file in files if "mark.gpu" in file.read_text(encoding="utf-8")]


def _benchmarks() -> list[str]:
    """Those whose packages are there."""
    needed = {"views": (), "step": ("pyarrow", "timm"), "decode": ("pyarrow", "geopandas", "rasterio", "nvidia.dali")}
    return [name for name, packages in needed.items() if all(map(_is_there, packages))]


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _build_command(site: Path) -> list[str]:
    """A wheel's content for this card alone, in a folder of its own: the environment is left as it is."""
    options = ["-C", "cmake.define.SECO_CUDA=ON", "-C", "cmake.define.SECO_CUDA_ARCHITECTURES=native"]
    if (site / "nvidia" / "dali").is_dir():
        options += ["-C", "cmake.define.SECO_DALI=ON", "-C", f"cmake.define.SECO_DALI_SITE={site}"]
    install = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--upgrade", "--target", str(site)]
    return [sys.executable, "-m", "pip", *install, *options, str(ROOT)]


def _run(name: str, command: list[str], environment: dict[str, str]) -> int:
    print(f"== {name}: {' '.join(command)}", flush=True)
    return subprocess.run(command, env=environment, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
