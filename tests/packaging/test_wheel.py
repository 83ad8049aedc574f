"""The wheel: built as `make wheel` builds it, installed where there is nothing else, and used there."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from cuobjdump import cuobjdump, modules

from seco import _core

ROOT = Path(__file__).resolve().parents[2]
USE = """
import json, sys
import numpy as np
import seco
from seco import _core
from seco.ops.augment import augment_views
from seco.ops.random import sample_view_params

pixels = np.full((2, 3, 3, 20, 20), 51, np.uint8)
params = sample_view_params("seco", [0, 1], epoch=0, seed=0, height=20, width=20, dates=3)
views = augment_views(pixels, params, size=8, scale=1 / 255, offset=0.0, mean=0.0, std=1.0)
assert "torch" not in sys.modules
print(json.dumps({"where": seco.__file__, "shape": views.shape, "first": float(views[0, 0, 0, 0, 0]),
                  "cuda": _core.built_with_cuda, "codecs": _core.codecs}))
"""


def run(*words, **settings):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this checkout with the objects that the editable build left, so that it takes seconds."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "-C", "cmake.define.SECO_WERROR=ON"]
    run(sys.executable, "-m", "pip", "wheel", "--quiet", *options, "--wheel-dir", folder, ROOT)
    (found,) = folder.glob("*.whl")
    return found


def test_it_runs_in_an_environment_of_its_own(wheel, tmp_path):
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    run(python, "-m", "pip", "install", "--quiet", "--no-deps", wheel, f"numpy=={metadata.version('numpy')}")
    # No GPU, no CUDA toolkit: nothing of them is looked for on the path.
    used = run(python, "-I", "-c", USE, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"})
    found = json.loads(used)
    assert found["where"].startswith(str(tmp_path))
    assert found["shape"] == [4, 2, 3, 8, 8]
    assert found["first"] == pytest.approx(0.2)  # a crop of a constant; float32
    assert found["cuda"] == _core.built_with_cuda
    assert {"deflate", "zstd"} <= set(found["codecs"])


def test_it_needs_no_library_but_those_of_every_linux(wheel, tmp_path):
    # As `make wheel` does it. DALI's own are there where its plugin is loaded.
    tools = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    said = run("make", "--dry-run", f"VENV={sys.prefix}", "wheel", cwd=ROOT, env=tools)
    (command,) = (line for line in said.splitlines() if "auditwheel repair" in line)
    command = command.replace("build/wheel", str(wheel.parent)).replace("--wheel-dir dist", f"--wheel-dir {tmp_path}")
    run("sh", "-c", command, env=tools)
    (repaired,) = tmp_path.iterdir()
    assert re.search(r"-manylinux_2_\d+_\w+\.whl$", repaired.name)
    with zipfile.ZipFile(repaired) as archive:
        assert not [name for name in archive.namelist() if ".libs/" in name], "nothing had to be put in"


def test_it_carries_every_architecture(wheel, tmp_path):
    shutil.unpack_archive(wheel, tmp_path, "zip")
    for module in modules(tmp_path / "seco"):
        machine_code = re.findall(r"\.sm_(\d+)\.cubin", cuobjdump("--list-elf", module))
        assert {"80", "86", "89", "90", "100"} <= set(machine_code), module.name
        assert "sm_100.ptx" in cuobjdump("--list-ptx", module), module.name
