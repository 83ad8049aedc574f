"""Machine code in our modules, as NVIDIA's cuobjdump tells of it; triton brings one."""

import subprocess
from pathlib import Path

import pytest

from seco import _core


def modules(package):
    """Extension modules with CUDA code in a folder of the package; skips where none is built or nothing can look at it."""
    if not _core.built_with_cuda:
        pytest.skip("built without CUDA")
    found = [*package.glob("_core*.so"), *package.glob("_dali*.so")]
    assert len(found) == 1 + bool(_core.dali_version)
    return found


def cuobjdump(option, module):
    """What it prints of one module."""
    triton = pytest.importorskip("triton", reason="no cuobjdump: triton is not installed")
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    return subprocess.run([tool, option, module], check=True, capture_output=True, text=True).stdout
