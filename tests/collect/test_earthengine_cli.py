"""``seco collect --source earthengine`` as a user meets it."""

import json
import logging
import re

import pytest
from click.testing import CliRunner
from commands import error_line
from earthengine_stub import PROJECT, random_faults
from seco.cli.main import main
from small_collections import SIZE, files_of

from seco.data.store import open_store


def collect(stub, out, *more, project=PROJECT):
    options = ["--source", "earthengine", "--endpoint", stub.url, "--credentials", "anonymous", "--project", project]
    return run("collect", *options, "--out", out, "--locations", 8, "--seed", 3, "--patch-size", SIZE, *more)


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def test_a_store_and_a_summary(tmp_path, stub):
    result = collect(stub, tmp_path / "store")
    assert result.exit_code == 0, result.output
    assert "8 locations, 5 dates each, 12 bands of 12 x 12 px" in result.stdout
    assert "Rejected: " in result.stdout
    assert "requests/s" in result.stderr
    assert len(open_store(tmp_path / "store")) == 8
    again = collect(stub, tmp_path / "store")
    assert again.exit_code == 0
    assert again.stdout.startswith(f"{tmp_path / 'store'}: complete already; `seco inspect")


def test_level_1c_has_thirteen_bands(tmp_path, stub):
    result = collect(stub, tmp_path / "store", "--collection", "COPERNICUS/S2_HARMONIZED", "--dates", 2)
    assert result.exit_code == 0, result.output
    store = open_store(tmp_path / "store")
    assert (len(store.bands), store.description.product_level) == (13, "L1C")


def test_shards_and_merge(tmp_path, stub):
    for shard in range(2):
        assert collect(stub, tmp_path / f"part{shard}", "--num-shards", 2, "--shard", shard).exit_code == 0
    assert collect(stub, tmp_path / "whole").exit_code == 0
    result = run("merge", tmp_path / "part0", tmp_path / "part1", "--out", tmp_path / "merged")
    assert "8 locations of 2 stores" in result.stdout
    assert files_of(tmp_path / "merged") == files_of(tmp_path / "whole")


@pytest.mark.parametrize(
    ("sampling", "name"),
    [
        (("land",), "land, triangles "),
        (("region", "--region", "ES"), "land of a region, triangles "),
        (("points", "--points", "points.csv"), "points "),
        (("cities",), "50 km around 10000 cities (GeoNames, July 2026)"),
    ],
)
def test_every_sampling_collects_and_is_kept_in_the_settings(tmp_path, stub, monkeypatch, sampling, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text("lon,lat\n" + "".join(f"{-4 + 0.5 * i},40\n" for i in range(8)))
    assert collect(stub, "store", "--sampling", *sampling).exit_code == 0
    assert json.loads((tmp_path / "store/collection.json").read_text())["sampling"].startswith(name)
    assert len(open_store(tmp_path / "store")) == 8


def test_dry_run_writes_nothing(tmp_path, stub):
    result = collect(stub, tmp_path / "store", "--dry-run")
    assert result.exit_code == 0
    assert "Estimate: 8 of 8 locations, 9 requests" in result.stdout
    assert "hours at 30 requests/s" in result.stdout
    assert not (tmp_path / "store").exists()


LAST_WORDS = "Interrupted. What was collected is kept: run the same command again to go on."


def test_interruption_is_one_line_and_the_same_command_goes_on(tmp_path, stub, monkeypatch):
    def interrupt(_counted, done, *_):
        if done == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("seco.cli.progress.Counted.__call__", interrupt)
        result = collect(stub, tmp_path / "store")
        assert (result.exit_code, result.stderr.splitlines()[-1]) == (130, LAST_WORDS)
    assert collect(stub, tmp_path / "store").exit_code == 0
    assert len(open_store(tmp_path / "store")) == 8


def test_what_a_user_can_cause_is_one_line(tmp_path, stub):
    store = tmp_path / "store"
    assert "give a --project" in error_line(collect(stub, store, project="not-mine-1234"))
    assert "collection: expected COPERNICUS/S2_SR" in error_line(collect(stub, store, "--collection", "COPERNICUS/S2"))
    assert "until: expected windows after 2017-03-28" in error_line(collect(stub, store, "--until", "2017-12-31"))
    assert "no clear scene" in error_line(collect(stub, store, "--cloud", 0, "--attempts", 2))
    assert not store.exists()
    assert collect(stub, store).exit_code == 0
    assert "expected a collection with cloud_percent 5.0" in error_line(collect(stub, store, "--cloud", 5))
    assert "window_days: expected" in error_line(collect(stub, tmp_path / "other", "--window", 80))


def test_a_store_on_no_disk(tmp_path, stub):
    (tmp_path / "file").write_text("")
    assert "expected a folder that can be made" in error_line(collect(stub, tmp_path / "file/store"))


def test_no_credentials_name_the_command(tmp_path, stub, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert "run `earthengine authenticate`" in error_line(collect(stub, tmp_path / "store", "--credentials", "user"))


def test_no_server_is_one_line(tmp_path, stub):
    assert "check the network" in error_line(collect(stub, tmp_path / "store", "--endpoint", "http://127.0.0.1:9"))


@pytest.mark.parametrize(
    "wrong",
    [("--num-shards", 2, "--shard", 2), ("--workers", 2), ("--attempts", 0), ("--credentials",), ("--sampling", "sea")],
)
def test_wrong_flags_exit_2_and_write_nothing(tmp_path, stub, wrong):
    assert collect(stub, tmp_path / "store", *wrong).exit_code == 2
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("wrong", [("--project", "p"), ("--sampling", "land"), ("--attempts", "3")])
def test_flags_of_a_catalogue_are_refused_for_synthetic_data(tmp_path, wrong):
    result = run("collect", "--source", "synthetic", "--out", tmp_path / "s", "--locations", 1, "--seed", 1, *wrong)
    assert result.exit_code == 2
    assert wrong[0] in result.stderr


def test_no_account_is_in_logs_or_files(tmp_path, stub, caplog):
    caplog.set_level(logging.DEBUG)
    stub.faults = random_faults(2, 0.1, ("503", "429"))
    result = collect(stub, tmp_path / "store")
    assert result.exit_code == 0, result.output
    text = result.output.encode() + caplog.text.encode() + b"".join(files_of(tmp_path).values())
    assert PROJECT.encode() not in text
    assert stub.url.encode() not in text


def test_a_last_line_says_what_it_took(tmp_path, stub):
    result = collect(stub, tmp_path / "store")
    rejected = r"\d+ rejected( \(.+ \d+\))?"
    assert re.fullmatch(rf"8/8 locations, {rejected}, [\d.]+ requests/s, [\d.]+ MB/s", result.stderr.splitlines()[-1])
