"""``make gpu-check``: build for the card present, run the gpu-marked tests and the GPU benchmarks, write records and a log.

Works with a python3 that holds torch, numpy, pybind11, scikit-build-core, pytest and nvcc but no package index, no rasterio
and no DALI: what needs those is skipped by name, or they come in parts (``--wheels``, see gpu_wheels.py). A test that finds
no GPU fails instead of skipping. Each file of tests and each benchmark is a step of its own, in a process of its own: a CUDA
error that leaves the card unusable, a crash or a hang ends that step only.

On a machine without a GPU ``--architectures 90`` rehearses it: all that must fail then is what asks for a driver.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, NamedTuple

from benchmarks import ROOT, gpu_tools, gpu_wheels
from benchmarks.installed import is_installed

NEEDED = ("torch", "numpy", "pybind11", "scikit_build_core", "pytest", "click")
OPTIONAL = {
    "rasterio": "reading foreign GeoTIFFs and writing stores",
    "geopandas": "writing stores, and steps that are fed from one",
    "imagecodecs": "files of another writer with ZSTD or LZW",
    "nvidia.dali": "DALI operators",
    "pyarrow": "training steps and their tests",
    "timm": "training steps and their tests",
    "lightning": "training steps and their tests",
    "kornia": "views of kornia beside ours",
    "torchvision": "views of torchvision beside ours",
    "rich": "commands, which make stores and profiles",
}
TOOLS = {
    "compute-sanitizer": "races and accesses outside memory in the kernels of the views",
    "ncu": "instructions of the kernels of the views",
}
WRITES_STORES = ("pyarrow", "geopandas", "rasterio", "rich")
LOOSE, STORE = ROOT / "build" / "gpu-check-loose", ROOT / "build" / "gpu-check-store"
NO_TESTS = 5  # exit status of pytest where all of a file is skipped


class Step(NamedTuple):
    """What is run, and what it needs of :data:`OPTIONAL` and of :data:`TOOLS`.

    Attributes:
        command: To run.
        needs: Packages.
        tool: Of :data:`TOOLS`; where it is refused, the step is skipped.
        proof: What has to be in the output of a step that passes.
        report: File that the tool writes instead of its output.
        limit_s: It is stopped after.
    """

    command: list[str]
    needs: tuple[str, ...] = ()
    tool: str = ""
    proof: str = ""
    report: Path | None = None
    limit_s: int = 240

    def can_run(self) -> bool:
        """Whether the packages and the tool are here."""
        return all(map(is_installed, self.needs)) and (not self.tool or shutil.which(self.tool) is not None)


def main() -> int:
    """Run every step and return the number of those that failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=Path, default=ROOT / "build" / "gpu-check")
    parser.add_argument("--wheels", type=Path, help="folder of gpu_wheels.py: installed beside seco, not in the environment")
    parser.add_argument("--architectures", default="native", help="that the kernels are compiled for")
    parser.add_argument("--only", nargs="+", metavar="STEP", help="after the build, only steps whose names begin so")
    arguments = parser.parse_args()
    records: Path = arguments.records.resolve()
    records.mkdir(parents=True, exist_ok=True)
    log = records / "gpu-check.log"
    log.unlink(missing_ok=True)
    site = ROOT / "build" / "gpu-check-site"
    if arguments.wheels:
        gpu_wheels.install(arguments.wheels, site)
    sys.path.insert(0, str(site))  # first, as in the steps: of folders called `nvidia` one may hide another
    missing = [name for name in NEEDED if not is_installed(name)]
    if missing:
        print(f"Error: {sys.executable} lacks {', '.join(missing)}: install them, or say make gpu-check PYTHON=...")
        return 2
    for name, what in OPTIONAL.items():
        if not is_installed(name):
            print(f"skipped: {what} ({name} is not installed)")
    for name, what in TOOLS.items():
        if shutil.which(name) is None:
            print(f"skipped: {what} ({name} is not on the PATH)")
    if _run("build", Step(_build_command(site, arguments.architectures)), os.environ.copy(), log) != "passed":
        return 1
    link = site / "benchmarks"  # -P keeps the checkout, whose seco/ has no native module, off the path
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT / "benchmarks")
    environment = os.environ | {"PYTHONPATH": str(site), "SECO_REQUIRE_CUDA": "1"}
    chosen = tuple(arguments.only or [""])
    steps = {name: step for name, step in _steps(records).items() if name.startswith(chosen)}
    if "store" in steps:
        for folder in (LOOSE, STORE):  # of an earlier run
            shutil.rmtree(folder, ignore_errors=True)
    ends = {name: _run(name, step, environment, log) for name, step in steps.items() if step.can_run()}
    failed = [name for name, end in ends.items() if end not in {"passed", "skipped"}]
    skipped = [name for name, end in ends.items() if end == "skipped"]
    passed = len(ends) - len(failed) - len(skipped)
    print(f"gpu-check: {passed} passed, {len(skipped)} skipped, {len(failed)} failed; records and log in {records}")
    return len(failed)


def _steps(records: Path) -> dict[str, Step]:
    """In the order in which they run, by name."""
    python = [sys.executable, "-P", "-m"]

    def benchmark(name: str, *words: str, out: str = "") -> list[str]:
        return [*python, "benchmarks", name, "--device", "cuda", "--out", str(records / f"{out or name}.json"), *words]

    synthetic = ["--source", "synthetic", "--locations", "512", "--seed", "0", "--dates", "4"]
    make_store = ["collect", *synthetic, "--out", str(LOOSE)]
    pack = ["pack", str(LOOSE), "--out", str(STORE)]
    profile = ["profile", "loader", "--data", str(STORE), "--device", "cuda", "--batch-size", "64", "--seconds", "5"]
    steps = {file: Step([*python, "pytest", *_pytest_options(), file]) for file in _gpu_tests()}
    steps["views"] = Step(benchmark("views"))
    # Soon: they see what the emulation of the kernels cannot.
    for tool, cases in {"racecheck": gpu_tools.CASES, "memcheck": gpu_tools.OUTSIDE}.items():
        command = gpu_tools.sanitizer_command(tool, cases, _pytest_options())
        steps[tool] = Step(command, tool="compute-sanitizer", proof=gpu_tools.NOTHING_FOUND)
    counters = records / "views-counters.csv"
    steps["counters"] = Step(gpu_tools.counters_command(counters), tool="ncu", proof="views_kernel", report=counters)
    if all(map(is_installed, WRITES_STORES)):
        steps["store"] = Step([*python, "seco.cli", *make_store])
        steps["store-packed"] = Step([*python, "seco.cli", *pack])
        steps["step"] = Step(benchmark("step", "--data", str(STORE)), ("timm", "lightning"))
        for loader in ("native", "dali"):
            out = ["--loader", loader, "--json", str(records / f"profile-{loader}.json")]
            steps[f"profile-{loader}"] = Step([*python, "seco.cli", *profile, *out], ("nvidia.dali",) * (loader == "dali"))
        steps["decode"] = Step(benchmark("decode"), ("nvidia.dali",))
    else:
        steps["step"] = Step(benchmark("step"), ("pyarrow", "timm", "lightning"))
    # Last: compiling takes minutes, of two backbones with nothing in a cache.
    compiled = benchmark("step", "--compile", out="step-compiled")
    steps["compiled-step"] = Step(compiled, ("pyarrow", "timm", "lightning"), limit_s=480)
    return steps


def _pytest_options() -> list[str]:
    settings = (
        "addopts=--strict-markers",
        "pythonpath=tests",  # not the checkout, whose seco/ has no native module
        "faulthandler_timeout=120",
    )
    options = [word for setting in settings for word in ("-o", setting)]
    # Packages there have other versions than constraints.txt: their warnings are shown, and fail no test.
    return ["-m", "gpu", "-q", "-rs", "--durations=5", "-p", "no:cacheprovider", "-W", "default", *options]


def _gpu_tests() -> list[str]:
    """Files with tests that are marked gpu: others may import what this python3 lacks. Those of the kernels come first."""
    files = sorted((ROOT / "tests").rglob("test_*.py"), key=lambda file: (file.parent.name != "kernels", file))
    return [str(file.relative_to(ROOT)) for file in files if "mark.gpu" in file.read_text(encoding="utf-8")]


def _build_command(site: Path, architectures: str) -> list[str]:
    """A wheel's content for this card alone, in a folder of its own: the environment is left as it is."""
    options = ["-C", "cmake.define.SECO_CUDA=ON", "-C", f"cmake.define.SECO_CUDA_ARCHITECTURES={architectures}"]
    # Said in either case: CMake remembers what an earlier build was told.
    beside = (site / "nvidia" / "dali").is_dir()
    options += ["-C", f"cmake.define.SECO_DALI={'ON' if beside else 'AUTO'}"]
    options += ["-C", f"cmake.define.SECO_DALI_SITE={site if beside else ''}"]
    options += ["-C", "build-dir=build/gpu-check-build"]  # or a wheel that is built later would be for this card alone
    install = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--upgrade", "--target", str(site)]
    return [sys.executable, "-m", "pip", *install, *options, str(ROOT)]


def _run(name: str, step: Step, environment: dict[str, str], log: Path) -> str:
    """How the step ended, in a word; its output goes to the log, its end to the terminal."""
    print(f"== {name}", flush=True)
    start = time.perf_counter()
    if step.report is not None:
        step.report.unlink(missing_ok=True)  # of an earlier run
    with log.open("a+", encoding="utf-8", errors="replace") as output:
        print(f"== {name}: {' '.join(step.command)}", file=output, flush=True)
        begin = output.tell()
        try:
            status = _status_of(step, environment, output)
            end = {0: "passed", NO_TESTS: "skipped" if "pytest" in step.command else "failed"}.get(status, "failed")
        except subprocess.TimeoutExpired:
            end = f"stopped after {step.limit_s} s"
        output.seek(begin)
        lines = output.read().splitlines()
    if step.report is not None and step.report.is_file():
        lines += step.report.read_text(encoding="utf-8", errors="replace").splitlines()
    if end == "passed" and not any(step.proof in line for line in ["", *lines]):
        lines.append(f"expected {step.proof!r} in the output, got none")
        end = "failed"
    if end == "failed" and step.tool and any(refusal in line for refusal in gpu_tools.REFUSALS for line in lines):
        end = "skipped"  # this machine lets nobody do that
    print("\n".join(lines[-(40 if end == "failed" else 12) :]))
    print(f"-- {name}: {end} in {time.perf_counter() - start:.0f} s", flush=True)
    return end


def _status_of(step: Step, environment: dict[str, str], output: IO[str]) -> int:
    """Exit status of a step; at the limit, or when we are interrupted, all that it has started is killed."""
    settings: dict[str, Any] = {"env": environment, "cwd": ROOT, "stdout": output, "stderr": subprocess.STDOUT}
    with subprocess.Popen(step.command, start_new_session=True, **settings) as process:
        try:
            return process.wait(step.limit_s)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # a tool's own child would go on working on the card
            raise


if __name__ == "__main__":
    sys.exit(main())
