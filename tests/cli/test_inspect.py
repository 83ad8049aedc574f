"""``seco inspect`` on small stores."""

import json
import os

import numpy as np
import pytest
from click.testing import CliRunner
from data.test_scene_folders import make_ssl4eo
from seco.cli.main import main

from seco.data.packing import pack_store
from seco.data.store import open_store


def run(*arguments):
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)])


def test_tables_name_what_is_there(make_store):
    result = run(make_store(labels={"a": "wood", "b": "wood"}))
    assert result.exit_code == 0
    for text in (
        "Sentinel-2 L2A",
        "(DN - 1000) / 10000",
        "min 3, median 3, max 3",
        "2020-01-15, 2021-07-01",
    ):
        assert text in result.stdout
    for text in ("Jan 3, Apr 3, Jul 3", "mean 25.0%, max 25.0%", "wood 2", "B8A", "864.7"):
        assert text in result.stdout


def test_no_number_is_cut_on_a_narrow_terminal(make_store, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert "…" not in run(make_store()).output.split("Bands")[1]


@pytest.mark.parametrize("packed", [False, True])
def test_damaged_patches_are_named(make_store, tmp_path, packed):
    path = make_store()
    if packed:
        pack_store(open_store(path), tmp_path / "packed")
        path = tmp_path / "packed"
    assert "9 patches: all as the index says." in run(path, "--verify", "--json").stderr
    if packed:
        (shard,) = (path / "shards").iterdir()
        content = bytearray(shard.read_bytes())
        for row in (2, 7):
            content[open_store(path).sources_of_rows(np.array([row]))[0].offset + 200] ^= 1
        shard.write_bytes(content)
    else:
        sources = open_store(path).sources_of_rows(np.arange(9))
        sources[2].unlink()
        sources[7].write_bytes(sources[7].read_bytes()[:-1])
    result = run(path, "--verify")
    *named, error = [line for line in result.stderr.splitlines() if ": expected " in line]
    assert all(
        str(source) in line for source, line in zip(open_store(path).sources_of_rows(np.array([2, 7])), named, strict=True)
    )
    assert all(("delete it and run that command again" in line) != packed for line in named)
    assert error == f"Error: {path}: expected 9 patches as the index says, got 2 others, named above; do as said there"
    assert (result.exit_code, result.stdout) == (1, "")


def test_archives_have_no_checksums(tmp_path):
    make_ssl4eo(tmp_path / "s2a")
    assert "expected checksums" in run(tmp_path / "s2a", "--verify").stderr


def test_interrupted_anywhere_a_command_says_so(make_store, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("seco.data.store.open_store", interrupted)
    result = run(make_store())
    assert (result.exit_code, result.output) == (130, "Interrupted.\n")


def test_names_in_letters_that_the_font_lacks_bring_no_warning(make_store, tmp_path):
    result = run(make_store("日本", labels={"a": "森林"}), "--figures", tmp_path)
    assert result.exit_code == 0, result.output
    assert "Glyph" not in result.output


def test_json_is_the_only_thing_on_stdout(make_store, tmp_path):
    store = make_store(labels={"a": "wood", "c": "crops"})
    result = run(store, "--json", "--figures", tmp_path / "figures")
    summary = json.loads(result.stdout)
    assert (summary["locations"], summary["patches"]) == (3, 9)
    assert summary["dates_per_location"]["median"] == 3
    # 2020-01-15T10:36:29 to 2020-04-01T10:00:00 are 77 days less 2189 s.
    assert summary["gap_days"]["min"] == 77 - 2189 / 86400
    assert summary["gap_days"]["max"] == 456
    assert summary["patches_per_month"] == [3, 0, 0, 3, 0, 0, 3, 0, 0, 0, 0, 0]
    assert summary["classes"] == {"crops": 1, "wood": 1}
    assert summary["cloud_fraction"] == {"mean": 0.25, "max": 0.25, "known": 9}
    assert summary["bytes"] == sum(file.stat().st_size for file in store.glob("patches/*/*.tif"))
    assert [band["name"] for band in summary["bands"]][:2] == ["B01", "B02"]
    for name in ("contact_sheet.png", "world_map.png"):
        assert (tmp_path / "figures" / name).read_bytes().startswith(b"\x89PNG")
        assert name in result.stderr


def test_one_date_has_no_gaps(make_store):
    store = make_store(dates=("2020-01-15T10:36:29",))
    assert json.loads(run(store, "--json").stdout)["gap_days"] is None
    assert "one date only" in run(store).stdout


def test_missing_store_is_one_line_and_exit_1(tmp_path):
    result = run(tmp_path / "nowhere")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


def test_wrong_usage_is_exit_2():
    assert run().exit_code == 2


def test_a_name_that_is_no_text_is_one_line(make_store, tmp_path):
    store = make_store()
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    store.rename(odd)
    result = run(odd)
    assert (result.exit_code, result.output) == (
        1,
        rf"Error: {tmp_path}/caf\udce9/index.parquet: expected names of files and folders in UTF-8, got other; rename it"
        "\n",
    )
