"""``seco doctor``, also where optional packages are missing."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from click.testing import CliRunner
from seco.cli.main import main

import seco
from seco.doctor import _missing_dali, covers


def test_json_is_complete():
    result = CliRunner().invoke(main, ["doctor", "--json"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["versions"]["seco"] == seco.__version__
    assert found["codecs"] == list(seco._core.codecs)
    assert found["cpu"]["cores"] >= 1
    # What has no version is listed as missing with its cost and its remedy, and only that.
    absent = {name for name, version in found["versions"].items() if version is None} - {"gdal", "nvcc"}
    listed = {item["part"]: item for item in found["missing"]}
    assert absent <= set(listed)
    assert not set(listed) & {name for name, version in found["versions"].items() if version}
    assert all(item["costs"] and item["remedy"] for item in listed.values())
    assert ("CUDA half of seco" in listed) == (not seco._core.built_with_cuda)


def test_table_says_what_is_missing_and_how_to_mend_it(monkeypatch):
    package = {"seco-no-such-package": ("nothing can be demonstrated", "pip install 'seco-eo[demo]'")}
    monkeypatch.setattr("seco.doctor.PACKAGES", package)
    result = CliRunner(env={"COLUMNS": "200"}).invoke(main, ["doctor"])
    assert result.exit_code == 0
    assert seco.__version__ in result.stdout
    line = next(line for line in result.stdout.splitlines() if "seco-no-such-package" in line)
    assert "nothing can be demonstrated" in line
    assert "pip install 'seco-eo[demo]'" in line


@pytest.mark.parametrize(("architectures", "covered"), [("80-real,90", True), ("80-real", False)])
def test_a_card_that_the_build_does_not_cover_is_missing(monkeypatch, architectures, covered):
    card = SimpleNamespace(name="A card", major=9, minor=0, total_memory=2**37)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: card)
    monkeypatch.setattr(seco._core, "built_with_cuda", True)
    monkeypatch.setattr(seco._core, "cuda_architectures", architectures)
    found = json.loads(CliRunner().invoke(main, ["doctor", "--json"]).stdout)
    expected = {"name": "A card", "capability": "9.0", "memory_gib": 128.0, "covered": covered}
    assert found["cuda"]["cards"] == [expected]
    listed = [item["part"] for item in found["missing"] if "A card" in item["part"]]
    assert listed == ([] if covered else ["machine code for A card (compute capability 9.0)"])


def test_runs_where_only_numpy_is_there():
    # An import of None in sys.modules fails as that of a missing package does.
    blocked = ["torch", "rasterio", "timm", "pyarrow", "geopandas", "lightning", "torchvision", "matplotlib"]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); "
        "from seco.cli.main import main; main(['doctor', '--json'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["versions"]["gdal"] is None
    assert found["cuda"]["reason"].startswith("torch does not import")


@pytest.mark.parametrize(
    ("architectures", "capability", "expected"),
    [
        ("80-real,90-real", (9, 0), True),
        ("80-real,90-real", (8, 9), True),  # machine code of the same major version, lower minor
        ("86-real", (8, 0), False),
        ("80-real,90-real", (10, 0), False),  # another major version, no PTX
        ("80-real,90", (12, 0), True),  # PTX is compiled for the newer card
        ("90-virtual", (9, 0), True),
        ("100", (9, 0), False),
        ("90a-real", (9, 0), True),
        ("90a", (10, 0), False),
        ("native", (9, 0), None),
        ("", (9, 0), None),
    ],
)
def test_compiled_architectures_cover_a_card(architectures, capability, expected):
    assert covers(architectures, capability) is expected


@pytest.mark.parametrize(("installed", "named"), [(None, False), (seco._core.dali_version, False), ("9.9.9", True)])
def test_a_plugin_for_another_dali_is_named(installed, named):
    assert bool(_missing_dali(installed)) == named
