"""``seco profile loader``; nothing here looks at how long anything takes."""

import json
import re

import pytest
from click.testing import CliRunner

pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pytest.importorskip("rich", reason="rich is not installed")
pytest.importorskip("rasterio", reason="rasterio is not installed")
import rasterio
from seco.cli.main import main

from benchmarks.installed import is_installed
from seco import _core
from seco.data.store import open_store
from seco.device import cores
from seco.profiling.gpu import sum_stages
from seco.profiling.loader import ADVICE, STAGES, _bottleneck, advise


@pytest.fixture
def store(make_store):
    return make_store(locations=tuple("abcdefgh"))


def run(*words, code=0):
    result = CliRunner().invoke(main, ["profile", "loader", "--seconds", "0", *map(str, words)])
    assert result.exit_code == code, result.output
    return result


LOADERS = ["native"] + ["dali"] * (is_installed("nvidia.dali") and bool(_core.dali_version))


@pytest.mark.parametrize("loader", LOADERS)
def test_profile_says_where_the_time_goes(loader, store, tmp_path):
    out, figure = tmp_path / "p.json", tmp_path / "p.png"
    words = ["--data", store, "--loader", loader, "--size", 8, "--batch-size", 2, "--batch-size", 4]
    result = run(*words, "--threads", 1, "--threads", 2, "--json", out, "--figure", figure)
    profiles = json.loads(out.read_text())
    assert [(p["batch_size"], p["threads"]) for p in profiles] == [(2, 1), (2, 2), (4, 1), (4, 2)]
    for p in profiles:
        assert p["loader"] == loader
        assert p["locations_per_s"] * 3 == pytest.approx(p["patches_per_s"])  # three dates a location
        assert set(p["stages_s"]) == {*STAGES, "rest"}
        assert all(p["stages_s"][stage] > 0 for stage in ("read", "decompress", "views"))
        assert p["read_mb_per_s"] > 0 < p["decoded_mb_per_s"]
        assert p["advice"].startswith(ADVICE[p["bottleneck"]])
        assert 0 < p["wait_s"] <= p["seconds"]
    assert {*STAGES, "rest", "wait"} <= set(re.findall(r"\w+", result.output))
    assert "Its bottleneck is" in result.output
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_stages_hold_no_waiting_for_a_core(store, tmp_path):
    words = ["--data", store, "--size", 512, "--batch-size", 8, "--seconds", 1, "--json", tmp_path / "p.json"]
    run(*words, "--threads", 8 * cores())
    (p,) = json.loads((tmp_path / "p.json").read_text())
    on_cores = sum(p["stages_s"][stage] for stage in STAGES if stage != "read")
    assert on_cores <= 1.1 * p["cpu_use"] * p["seconds"] * cores()


def test_more_threads_are_advised_where_there_are_cores_for_them():
    assert advise("views", more_threads=True) == f"{ADVICE['views']}; or take more --threads"
    assert advise("views", more_threads=False) == ADVICE["views"]
    assert advise("read", more_threads=True) == ADVICE["read"]


def test_bytes_are_counted(store, tmp_path):
    # Nobody else decodes meanwhile: three bands of 8 × 8 uint16 a patch are 384 bytes, and patches come in whole batches.
    run("--data", store, "--size", 8, "--batch-size", 2, "--threads", 1, "--json", tmp_path / "p.json")
    (profile,) = json.loads((tmp_path / "p.json").read_text())
    decoded = profile["decoded_mb_per_s"] * profile["seconds"] * 1e6
    assert decoded >= 1
    assert decoded % 384 == pytest.approx(0, abs=1e-3) or decoded % 384 == pytest.approx(384, abs=1e-3)


def test_patches_that_gdal_decodes_are_said(store, tmp_path):
    for location in range(8):
        for file in open_store(store).sources(location):
            with rasterio.open(file) as raster:
                profile, pixels = raster.profile | {"compress": "packbits"}, raster.read()
            with rasterio.open(file, "w", **profile) as raster:
                raster.write(pixels)
    told = run("--data", store, "--size", 8, "--batch-size", 2, "--threads", 1, "--json", tmp_path / "p.json").stderr
    (profile,) = json.loads((tmp_path / "p.json").read_text())
    ((reason, number),) = profile["by_gdal"].items()
    assert number >= 8 * 2 * 3, "patches of three dates of eight batches"
    assert f"{number} patches went through GDAL, which takes longer ({reason})." in told


def test_bad_input_is_one_line(store):
    assert "'--method': 'x' is not one of 'seco', 'moco', 'moco_tp'" in run("--data", store, "--method", "x", code=2).output
    jpeg = run("--data", store, "--figure", "profile.jpg", code=2).output
    assert "'--figure': expected a name that ends in .png, got profile.jpg" in jpeg
    assert "choose a smaller --batch-size" in run("--data", store, "--batch-size", 100, code=1).output


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("Memcpy HtoD (Pinned -> Device)", "copy"),
        ("Memcpy DtoH (Device -> Pinned)", "rest"),
        ("void at::native::elementwise_kernel<TrivialOffsetCalculator<3, unsigned int> >()", "rest"),
        ("void seco::cuda::(anonymous namespace)::views_kernel<3, unsigned char>(seco::AugmentBatch)", "views"),
        ("void seco::cuda::(anonymous namespace)::unpack_kernel<unsigned short>(seco::cuda::Tables)", "unpredict"),
        ("void nvcomp::inflate_kernel(unsigned long)", "decompress"),
    ],
)
def test_kernels_are_told_apart_by_name(name, stage):
    assert sum_stages([(name, 2e6), ("Memset (Device)", 1e6)])[stage] == (2 if stage != "rest" else 3)


@pytest.mark.parametrize(
    ("cpu", "gpu", "expected"), [(0.9, 0.1, "views"), (0.2, 0.9, "gpu copy"), (0.2, 0.3, "idle"), (0.7, 0.0, "views")]
)
def test_the_bottleneck_is_the_longest_stage_of_the_busier_processor(cpu, gpu, expected):
    stages, on_gpu = {"read": 1.0, "views": 2.0}, {"copy": 3.0, "views": 1.0} if gpu else {}
    assert _bottleneck(stages, cpu, on_gpu, gpu) == expected
    assert expected in ADVICE


@pytest.mark.gpu
@pytest.mark.parametrize("loader", LOADERS)
def test_the_gpus_stages_are_seen(loader, store, tmp_path):
    words = ["--data", store, "--loader", loader, "--device", "cuda", "--size", 8, "--batch-size", 4]
    result = run(*words, "--json", tmp_path / "p.json")
    for profile in json.loads((tmp_path / "p.json").read_text()):
        assert profile["gpu_stages_s"]["views"] > 0
        assert profile["gpu_stages_s"]["copy"] > 0
        assert profile["decoded_again"] == 0
    assert "Share of the GPU's time." in result.output
