"""``make gpu-check`` as far as it goes without a GPU: what it runs, and how it tells ends apart."""

import sys
from pathlib import Path

import pytest
from kernels.cases import CASES
from waiting import is_running, until

from benchmarks import gpu_check, gpu_tools


@pytest.fixture
def run(tmp_path):
    log = tmp_path / "gpu-check.log"

    def run(code, name="x", *words, **settings):
        return gpu_check._run(name, gpu_check.Step([sys.executable, "-c", code, *words], **settings), {}, log)

    return run, log


def test_ends_are_told_apart_and_logged(run, capsys):
    ends, log = run
    assert ends("print('fine')") == "passed"
    assert ends("raise SystemExit(3)") == "failed"
    assert ends("raise SystemExit(5)") == "failed"
    assert ends("raise SystemExit(5)", "tests", "pytest") == "skipped"  # of such a file all tests are
    refused = "print('==ERROR== Device not supported'); raise SystemExit(1)"
    assert ends(refused, tool="ncu") == "skipped"
    assert ends(refused) == "failed"  # what a test prints is no excuse
    assert "fine" in log.read_text()
    assert "-- tests: skipped in" in capsys.readouterr().out


def test_a_tool_that_watched_nothing_has_not_passed(run, tmp_path, capsys):
    ends, _ = run
    counters = gpu_check._steps(tmp_path)["counters"]
    assert ends("print('No kernels were profiled.')", tool=counters.tool, proof=counters.proof) == "failed"
    assert ends('print(\'"1","views_kernel"\')', tool=counters.tool, proof=counters.proof) == "passed"
    proof = gpu_tools.NOTHING_FOUND
    assert ends("print('== ERROR SUMMARY: 0 errors')", proof=proof) == "passed"
    assert ends("print('== RACECHECK SUMMARY: 0 hazards displayed (0 errors, 0 warnings)')", proof=proof) == "passed"
    capsys.readouterr()
    assert ends("print('== RACECHECK SUMMARY: 12 hazards displayed (0 errors, 12 warnings)')", proof=proof) == "failed"
    assert ends("print('No attachable process found')", proof=proof) == "failed"
    assert "expected 'SUMMARY: 0 ' in the output, got none" in capsys.readouterr().out


def test_a_refusal_is_found_where_the_tool_writes_it(run, tmp_path, capsys):
    report = tmp_path / "counters.csv"
    code = f"open({str(report)!r}, 'w').write('==ERROR== ERR_NVGPUCTRPERM'); raise SystemExit(1)"
    assert run[0](code, tool="ncu", report=report) == "skipped"
    assert "ERR_NVGPUCTRPERM" in capsys.readouterr().out


def test_a_step_that_hangs_is_stopped_with_all_that_it_started(run, tmp_path):
    started = tmp_path / "child"
    sleep = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {sleep!r}, {str(started)!r}])"
    assert run[0](code, limit_s=2) == "stopped after 2 s"
    until(lambda: not is_running(int(started.read_text())))


def test_what_needs_a_missing_package_is_left_out(monkeypatch):
    def steps(*missing):
        monkeypatch.setattr(gpu_check, "is_installed", lambda name: name not in missing)
        return {name for name, step in gpu_check._steps(Path("r")).items() if not set(step.needs) & set(missing)}

    whole = steps()
    assert {"tests/kernels/test_views.py", "views", "store", "step", "compiled-step", "decode", "profile-dali"} <= whole
    assert whole - steps("nvidia.dali") == {"decode", "profile-dali"}
    assert {"views", "step", "compiled-step"} <= steps("rasterio", "nvidia.dali")
    assert not {"store", "decode", "profile-native"} & steps("rasterio")
    assert not {"step", "compiled-step"} & steps("timm")


def test_tools_that_are_not_there_are_left_out(tmp_path, monkeypatch):
    steps = gpu_check._steps(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with_tool = {name for name, step in steps.items() if step.tool}
    assert with_tool == {"racecheck", "memcheck", "counters"}
    assert not any(steps[name].can_run() for name in with_tool)
    for tool in gpu_check.TOOLS:
        (tmp_path / tool).touch(mode=0o755)
    assert all(steps[name].can_run() for name in with_tool)


@pytest.mark.parametrize("word", gpu_tools.OUTSIDE)
def test_the_cases_that_tools_watch_are_among_the_tests(word):
    text = (gpu_check.ROOT / "tests" / "kernels" / "test_views.py").read_text(encoding="utf-8")
    assert word in text or any(word in str(case) for case in CASES)


def test_files_of_gpu_tests_import_what_may_be_missing_after_asking_for_it():
    # One that cannot be imported would be a failure where a skip is meant.
    for name in gpu_check._gpu_tests():
        text = (gpu_check.ROOT / name).read_text(encoding="utf-8")
        for package in ("nvidia.dali", "rasterio", "timm"):
            imports = [i for i in (text.find(f"\nimport {package}"), text.find(f"\nfrom {package}")) if i >= 0]
            if imports:
                assert 0 <= text.find(f'importorskip("{package}"') < min(imports), f"{name}: {package}"


def test_a_build_forgets_dali_that_is_gone(tmp_path):
    (tmp_path / "nvidia" / "dali").mkdir(parents=True)
    with_dali, without = (gpu_check._build_command(site, "90") for site in (tmp_path, tmp_path / "empty"))
    assert {"cmake.define.SECO_DALI=ON", f"cmake.define.SECO_DALI_SITE={tmp_path}"} <= set(with_dali)
    assert {"cmake.define.SECO_DALI=AUTO", "cmake.define.SECO_DALI_SITE="} <= set(without)


def test_a_build_for_one_card_is_not_gone_on_with_for_a_wheel():
    settings = (gpu_check.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'build-dir = "build/{wheel_tag}"' in settings
    assert "build-dir=build/gpu-check-build" in gpu_check._build_command(Path("site"), "90")
