"""What the compiler says of the kernels, without a GPU: nothing is spilled, no array went to local memory."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NVCC = os.environ.get("CUDACXX") or shutil.which("nvcc")


@pytest.mark.skipif(NVCC is None, reason="no nvcc here")
@pytest.mark.parametrize("architecture", ["80", "90", "100"])
@pytest.mark.parametrize(
    ("source", "kernels"),
    [
        ("augment", 12),
        ("decode_geotiff", 4),
    ],  # three for each of two pixel types and two ways to hold bands; one check, three sizes
)
def test_kernels_stay_in_registers(source, kernels, architecture, tmp_path):
    flags = ["-std=c++17", "-O3", "-fmad=false", "-lineinfo", f"-I{ROOT / 'csrc'}", "-Xptxas", "-v"]
    target = ["-gencode", f"arch=compute_{architecture},code=sm_{architecture}", "-c", "-o", str(tmp_path / "kernels.o")]
    command = [str(NVCC), *flags, *target, str(ROOT / "csrc" / "cuda" / f"{source}.cu")]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    stacks = re.findall(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", report)
    assert len(stacks) == kernels, report
    assert set(stacks) == {("0", "0", "0")}, report
