"""Every command of the documentation runs as it is written, or is named here with the place where it does."""

import os
import shutil
import subprocess
import sys

import pytest
import workspace
from click.testing import CliRunner
from pages import PAGES, ROOT, blocks, commands
from seco.cli.main import main

pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul")  # rasterio of its own dependency

# Options added at the end, where they win, so that no command takes hours. The longest beginning counts.
SMALLER = {
    ("seco",): [],
    ("seco", "collect", "--source", "synthetic"): ["--locations", "6", "--patch-size", "48"],
    ("seco", "collect", "--source", "local"): [
        *("--locations", "2", "--patch-size", "12", "--until", "2021-12-15", "--dates", "3"),
        *("--sampling", "points", "--points", "POINTS.csv"),
    ],
    ("seco", "evaluate", "finetune"): ["--epochs", "1"],
    ("seco", "evaluate", "change"): ["--epochs", "1", "--seeds", "1"],
    ("seco", "embed"): ["--size", "32"],
    ("seco", "profile"): ["--batch-size", "4", "--size", "32", "--seconds", "0"],
    ("seco", "pretrain"): workspace.SMALL_RUN,
    ("seco", "pretrain", "--data", "STORE", "--out", "RUN", "--steps", "60", "--profile"): [
        *workspace.SMALL_RUN,
        *("--steps", "12", "--epochs", "4"),
    ],
    ("torchrun",): [*workspace.SMALL_RUN, "--threads", "1"],
}
# What is not run here, and why or where.
ELSEWHERE = {
    ("pip", "install"): "sets up an environment; tests/packaging does",
    ("make",): "builds and measures; CI runs `make test`",
    ("python", "-m", "benchmarks"): "tests/test_benchmarks.py",
    ("python", "-m", "benchmarks.tables"): "tests/test_benchmarks.py",
    ("python", "-m", "benchmarks.charts"): "tests/test_benchmarks.py",
    ("earthengine", "authenticate"): "needs an account",
    ("srun",): "needs SLURM; tests/pretrain/test_ranks.py sets its variables",
    ("seco", "collect", "--source", "earthengine"): "tests/collect/test_earthengine_cli.py",
    ("seco", "collect", "--source", "stac"): "tests/collect/test_stac.py",
    ("seco", "merge"): "tests/data/test_merge.py",
    ("seco", "watch"): "tests/report/page/test_watch.py",
    ("seco", "embed", "--data", "FOLDER", "--timm"): "needs the hub of weights; --random is the same",
}
ALL = [command for page in PAGES if page.name != "tutorial.md" for command in commands(page)]


def longest(table, words):
    """What ``table`` says of the longest of its keys that ``words`` begin with."""
    keys = [key for key in table if words[: len(key)] == key]
    return table[max(keys, key=len)] if keys else None


HERE = [command for command in ALL if longest(ELSEWHERE, command.words) is None]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    workspace.make(folder)
    return folder


def copy_or_share(source, target):
    """Checkpoints and rasters are replaced and never changed, so that 50 tests can share their half gigabyte."""
    return (os.link if source.endswith((".pt", ".ckpt", ".tif")) else shutil.copy2)(source, target)


@pytest.fixture
def folder(pristine, tmp_path, monkeypatch):
    copy = tmp_path / "work"
    shutil.copytree(pristine, copy, copy_function=copy_or_share)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(copy)
    return copy


@pytest.mark.parametrize("command", HERE, ids=str)
def test_command(command, folder):
    words = [*command.words, *longest(SMALLER, command.words)]
    for made in outputs(words):
        if "--resume" not in words:
            shutil.rmtree(folder / made, ignore_errors=True)
    if words[0] == "torchrun":
        launch = [sys.executable, "-m", "torch.distributed.run", *words[1:]]
        result = subprocess.run(launch, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return
    result = CliRunner().invoke(main, words[1:])
    assert result.exit_code == 0, result.output


PYTHON = [
    (page.relative_to(ROOT), text)
    for page in PAGES
    if page.name != "tutorial.md"
    for language, text in blocks(page)
    if language == "python" and "nvidia.dali" not in text  # tests/test_dali.py runs that
]


@pytest.mark.parametrize(("page", "text"), PYTHON, ids=lambda value: str(value).split("\n", maxsplit=1)[0])
def test_python(page, text, folder):
    exec(compile(text, page, "exec"), {})


def outputs(words):
    """What a command writes."""
    if words[1] in {"import"}:
        return [words[4]]
    return [words[words.index("--out") + 1]] if "--out" in words else []


def test_commands_that_run_elsewhere_name_what_is_there():
    """At least their options exist, and the targets of make."""
    targets = {line.split(":")[0] for line in (ROOT / "Makefile").read_text().splitlines() if ":" in line}
    for command in ALL:
        if command.words[0] == "make":
            assert command.words[1] in targets, command
        if command.words[0] == "seco" and longest(ELSEWHERE, command.words):
            name, *options = command.words[1:]
            assert main.get_command(None, name).make_context(name, options), command
    for where in ELSEWHERE.values():
        if where.startswith("tests/"):
            assert (ROOT / where.split(";")[0]).is_file(), where
