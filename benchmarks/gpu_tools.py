"""NVIDIA's tools over the views on a GPU: what the emulation on the CPU cannot see.

That is races between barriers, accesses outside memory, instructions issued and banks of shared memory. ``make gpu-check``
runs them where they are on the PATH. Some machines let nobody read counters or instrument kernels.
"""

import sys
from pathlib import Path

REFUSALS = ("Device not supported", "Failed to initialize the profiler", "ERR_NVGPUCTRPERM")  # then a step is skipped

# A case for each way through the kernels: three rows in registers or a ring, with a blur and without, few bands and many,
# flips, last tiles, all layouts and types; the tools take minutes for all cases.
CASES = ("half_precision", "30x30_130", "42x42_50", "3x3x12x31", "5x30_12_uint8_sigma-2.0", "20x700")
OUTSIDE = (*CASES, "wild", "box-0-0-1-1", "box-12-0-1-15")

NOTHING_FOUND = "SUMMARY: 0 "  # in the last line of a sanitizer that has watched: of errors, or of hazards

METRICS = (
    "gpu__time_duration.sum",
    "smsp__inst_executed.sum",  # by warps: times 32 over the pixels of all views is the table of docs/decisions/0008
    "smsp__issue_active.avg.pct_of_peak_sustained_active",
    "sm__warps_active.avg.pct_of_peak_sustained_active",
    "l1tex__data_bank_conflicts_pipe_lsu.sum",
    "dram__bytes.sum",
)


def sanitizer_command(tool: str, cases: tuple[str, ...], pytest_options: list[str]) -> list[str]:
    """``compute-sanitizer`` over ``cases`` of the tests of the views; what it reports makes the step fail."""
    # Each tensor gets memory of its own, so that one byte too far is outside.
    sanitizer = ["env", "PYTORCH_NO_CUDA_MEMORY_CACHING=1", "compute-sanitizer", "--tool", tool, "--error-exitcode", "1"]
    # Importing torch takes longer than it waits for a first call of CUDA by itself; then it watches nothing.
    sanitizer += ["--launch-timeout", "120"]
    if tool == "memcheck":
        sanitizer += ["--report-api-errors", "no"]  # torch asks for what may not be there
    tests = ["pytest", *pytest_options, "tests/kernels/test_views.py", "-k", " or ".join(cases)]
    return [*sanitizer, sys.executable, "-P", "-m", *tests]


def counters_command(out: Path) -> list[str]:
    """``ncu`` over the kernels of batches of the SeCo recipe; its table goes to ``out``, a CSV file."""
    names = "regex:views_kernel|grey_sum_kernel"
    options = ["--clock-control", "none", "--csv", "--metrics", ",".join(METRICS), "--kernel-name", names]
    once = "from benchmarks import views; views.make_once()"
    return ["ncu", *options, "--log-file", str(out), sys.executable, "-P", "-c", once]
