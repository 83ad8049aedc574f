"""``seco collect``: end to end on a small data set, and wrong usage."""

import pytest
from click.testing import CliRunner
from seco.cli.main import main

from seco.data.store import open_store


def run(*arguments):
    return CliRunner().invoke(main, ["collect", *map(str, arguments)])


def synthetic(out, *more):
    small = {"--locations": 2, "--seed": 1, "--patch-size": 12, "--dates": 3, "--workers": 1}
    return run("--source", "synthetic", "--out", out, *(word for pair in small.items() for word in pair), *more)


def test_collect_writes_a_store(tmp_path):
    result = synthetic(tmp_path / "store", "--until", "2020-06-30", "--cloud", 0)
    assert result.exit_code == 0, result.output
    assert "2 locations, 3 dates each" in result.stdout
    assert "2/2 locations" in result.stderr
    store = open_store(tmp_path / "store")
    assert (len(store), store.patch_size) == (2, 12)
    assert all(str(store.dates(i)[-1]) < "2020-07-01" for i in range(2))


def test_same_command_gives_the_same_store(tmp_path):
    for name in ("a", "b"):
        assert synthetic(tmp_path / name).exit_code == 0
    assert open_store(tmp_path / "a").fingerprint == open_store(tmp_path / "b").fingerprint


def test_interrupting_a_synthetic_collection_is_said(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("seco.collect.synthetic.source.collect", interrupted)
    result = synthetic(tmp_path / "store")
    assert result.exit_code == 130
    assert "run the same command again to go on" in result.stderr


def test_the_same_command_finds_it_complete(tmp_path):
    synthetic(tmp_path / "store")
    result = synthetic(tmp_path / "store")
    assert result.exit_code == 0
    assert "complete already" in result.stdout


def test_dry_run_writes_nothing(tmp_path):
    result = synthetic(tmp_path / "store", "--dry-run")
    assert result.exit_code == 0
    assert result.stdout.startswith("Estimate: 2 locations, ")
    assert not (tmp_path / "store").exists()


def test_shards(tmp_path):
    for shard in range(2):
        assert "1 locations" in synthetic(tmp_path / str(shard), "--num-shards", 2, "--shard", shard).stdout
    assert "--shard: expected with --num-shards 2, got none" in synthetic(tmp_path / "2", "--num-shards", 2).stderr
    assert (
        "--shard: expected less than --num-shards 1, got 1; give --num-shards"
        in synthetic(tmp_path / "2", "--shard", 1).stderr
    )
    assert "num_shards: expected at most one a location" in synthetic(tmp_path / "2", "--num-shards", 3, "--shard", 0).stderr


def test_existing_folder_is_one_line_and_exit_code_1(tmp_path):
    (tmp_path / "kept.txt").write_text("mine")
    result = synthetic(tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        ("--source", "earthengine"),
        ("--locations", "0"),
        ("--seed", "-1"),
        ("--patch-size", "4"),
        ("--dates", "0"),
        ("--until", "yesterday"),
        ("--cloud", "101"),
        ("--workers", "0"),
        ("--nonsense", "1"),
    ],
)
def test_wrong_flags_exit_2_and_write_nothing(tmp_path, wrong):
    assert synthetic(tmp_path / "store", *wrong).exit_code == 2
    assert not (tmp_path / "store").exists()


def test_missing_flags_exit_2(tmp_path):
    result = run("--source", "synthetic", "--out", tmp_path / "store")
    assert result.exit_code == 2
    assert "--locations" in result.stderr
