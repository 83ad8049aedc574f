"""``seco evaluate``: results that can be repeated, and errors of one line."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from seco.cli.main import main

BACKBONE = "test_resnet"


def seco(*words):
    return CliRunner().invoke(main, ["evaluate", *map(str, words)])


@pytest.fixture
def store_path(make_store):
    """Three locations, each of a class of its own, three dates each."""
    return make_store(labels={"a": "wood", "b": "crops", "c": "water"})


def test_retrieval_of_an_untrained_network(store_path, tmp_path):
    file = tmp_path / "result.json"
    result = seco("retrieval", "--data", store_path, "--random", BACKBONE, "--size", 32, "--json", file)
    assert result.exit_code == 0, result.output
    assert "recall@1" in result.stdout
    found = json.loads(file.read_text())
    assert set(found["metrics"]) == {"recall@1", "recall@5", "mAP"} == set(found["interval_95"]["bootstrap"])
    assert all(0 <= value <= 1 for value in found["metrics"].values())
    # Nine patches; of the eight others two are of the same place.
    assert (found["queries"], found["candidates_per_query"]) == (9, 8)
    assert found["chance"]["recall@1"] == pytest.approx(2 / 8, rel=1e-15)
    assert found["encoder"]["size"] == 32
    again = seco("retrieval", "--data", store_path, "--random", BACKBONE, "--size", 32, "--json", tmp_path / "again.json")
    assert again.exit_code == 0
    repeated = json.loads((tmp_path / "again.json").read_text())
    assert {**repeated, "seconds": 0} == {**found, "seconds": 0}


def test_knn_leaves_out_the_location_itself(store_path, tmp_path):
    file = tmp_path / "result.json"
    result = seco("knn", "--data", store_path, "--random", BACKBONE, "--size", 32, "--k", 1, "--json", file)
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text())
    assert found["classes"] == ["crops", "water", "wood"]
    assert [sum(row) for row in found["confusion"]] == [3, 3, 3]
    # Nobody else knows the class of a location: only a vote for oneself could be right.
    assert found["metrics"] == {"accuracy": 0.0, "macro_f1": 0.0}


def test_knn_on_eurosat(shared_data, tmp_path):
    file = tmp_path / "result.json"
    result = seco("knn", "--data", shared_data("eurosat") / "rgb", "--random", "resnet18", "--json", file)
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text())
    assert len(found["classes"]) == 10
    assert (found["data"]["training_images"], found["queries"]) == (60, 50)
    # Above chance (0.1) by far more than chance allows: 14 or more of 50 at p = 0.1 happen once in 3,500 times.
    assert found["metrics"]["accuracy"] >= 14 / 50


def test_knn_on_eurosat_with_13_bands(shared_data, tmp_path):
    file = tmp_path / "result.json"
    folder = shared_data("eurosat") / "ms"
    result = seco("knn", "--data", folder, "--random", BACKBONE, "--bands", "B8A,B04", "--k", 1, "--json", file)
    assert result.exit_code == 0, result.output
    assert json.loads(file.read_text())["encoder"]["normalization"]["bands"] == ["B8A", "B04"]


@pytest.fixture
def labelled_store(make_store):
    """Eight locations of two classes, three dates each."""
    names = tuple("abcdefgh")
    return make_store(locations=names, labels={name: "xy"[i % 2] for i, name in enumerate(names)})


@pytest.mark.parametrize(
    "words",
    [
        ("knn",),
        ("linear",),
        ("linear", "--protocol", "seco2021", "--epochs", 2, "--lr", 0.01),
        ("finetune", "--epochs", 1, "--batch-size", 8),
    ],
)
def test_protocols_with_seeds_and_a_fraction(labelled_store, tmp_path, words):
    file = tmp_path / "result.json"
    common = ("--data", labelled_store, "--random", BACKBONE, "--size", 32, "--seeds", 2, "--train-fraction", 0.5)
    result = seco(*words, *common, "--bootstrap", 10, "--with-untrained", "--json", file)
    assert result.exit_code == 0, result.output
    for text in ("accuracy", "95 %, images", "95 %, seeds", "untrained", "chance"):
        assert text in result.stdout
    found = json.loads(file.read_text())
    assert found["protocol"] == words[0]
    assert len(found["runs"]) == len(found["untrained"]["runs"]) == 2
    assert found["settings"]["train_fraction"] == 0.5
    assert len(found["split"]["sha256"]) == len(found["encoder"]["weights_sha256"]) == 64
    # The rows that were drawn are in the file, one line a list.
    rows = found["runs"][0]["training_rows"]
    assert len(rows) == found["runs"][0]["training_images"]
    assert json.dumps(rows) in file.read_text()


def test_splits_names_and_checksums(shared_data, tmp_path):
    words = ("--data", shared_data("eurosat") / "ms", "--random", BACKBONE, "--bootstrap", 0)
    names = ",".join(f"x{i}" for i in range(13))
    file = tmp_path / "result.json"
    wanted = ("--split", "spatial", "--band-names", names, "--bands", "x3,x0")
    result = seco("linear", *words, *wanted, "--json", file)
    assert result.exit_code == 0, result.output
    found = json.loads(file.read_text())
    assert found["split"]["source"].startswith("cells of 50 km")
    assert found["settings"]["split"] == "spatial"
    assert found["encoder"]["normalization"]["bands"] == ["x3", "x0"]
    assert "nowhere" in one_line_error(seco("knn", *words, "--split", "nowhere"))
    assert "leave out --verify" in one_line_error(seco("knn", *words, "--verify"))


def test_verified_data_say_so(make_store, tmp_path):
    store = make_store()
    file = sorted((store / "patches").glob("*/*.tif"))[0]
    (store / "SHA256SUMS").write_text(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(store)}\n")
    words = ("--data", store, "--random", BACKBONE, "--size", 32, "--bootstrap", 0, "--verify")
    assert seco("retrieval", *words, "--json", tmp_path / "result.json").exit_code == 0
    found = json.loads((tmp_path / "result.json").read_text())
    assert found["verified"] == {"archives": [], "files": {"SHA256SUMS": 1}}
    file.write_bytes(b"another")
    assert f"{file.name}: expected the checksum" in one_line_error(seco("retrieval", *words))


def test_dates_that_are_no_other_season(store_path, tmp_path):
    # January, April and July of the next year: 80 and 455 days apart.
    words = ("--data", store_path, "--random", BACKBONE, "--size", 32, "--bootstrap", 0)
    assert seco("retrieval", *words, "--min-gap-days", 90, "--json", tmp_path / "result.json").exit_code == 0
    found = json.loads((tmp_path / "result.json").read_text())
    assert (found["queries"], found["min_gap_days"]) == (9, 90)
    # July finds January and April, those only July: of 6 wrong candidates and the relevant ones.
    assert found["chance"]["recall@1"] == pytest.approx((2 / 8 + 1 / 7 + 1 / 7) / 3, rel=1e-12)
    assert "1000 days apart" in one_line_error(seco("retrieval", *words, "--min-gap-days", 1000))


def test_no_lists_for_neighbours_in_a_store(labelled_store):
    error = one_line_error(seco("knn", "--data", labelled_store, "--random", BACKBONE, "--split", "spatial"))
    assert "all other locations vote" in error


def test_what_cannot_be_read_is_left_out_only_if_asked_to(labelled_store, tmp_path):
    bad = sorted((labelled_store / "patches").glob("*/*.tif"))[4]
    bad.write_bytes(bad.read_bytes()[:40])
    words = ("--data", labelled_store, "--random", BACKBONE, "--size", 32, "--bootstrap", 0)
    for protocol in ("retrieval", "knn", "linear"):
        error = one_line_error(seco(protocol, *words))
        assert bad.name in error
        assert error.endswith("; --skip-bad leaves such images out")
        file = tmp_path / f"{protocol}.json"
        result = seco(protocol, *words, "--skip-bad", "--json", file)
        assert result.exit_code == 0, result.output
        assert "Left out 1 image" in result.stderr
        assert bad.name in result.stderr
        assert json.loads(file.read_text())["skipped"]["count"] == 1


def test_the_default_probe_has_no_epochs(labelled_store):
    result = seco("linear", "--data", labelled_store, "--random", BACKBONE, "--epochs", 3)
    assert result.exit_code == 2
    assert "--protocol seco2021" in result.stderr


def test_change_wants_pairs(labelled_store):
    assert "expected OSCD" in one_line_error(seco("change", "--data", labelled_store, "--random", BACKBONE))


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "exactly one of"),
        (["--random", BACKBONE, "--timm", BACKBONE], "exactly one of"),
        (["--checkpoint", "run", "--bands", "rgb"], "brings its bands"),
        (["--random", BACKBONE, "--json", "missing/folder/result.json"], "there is no folder"),
        (["--random", BACKBONE, "--size", "0"], "--size"),
        (["--random", BACKBONE, "--device", "tpu"], "--device"),
    ],
)
def test_wrong_usage(store_path, words, text):
    result = seco("retrieval", "--data", store_path, *words)
    assert result.exit_code == 2
    assert text in result.stderr


def test_a_folder_that_may_not_be_written_is_refused_before_the_work(store_path, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "access", lambda path, mode: (Path(path), mode) != (tmp_path, os.W_OK))
    result = seco("retrieval", "--data", store_path, "--random", BACKBONE, "--json", tmp_path / "result.json")
    assert result.exit_code == 2
    assert f"{tmp_path} may not be written" in result.stderr


def one_line_error(result):
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(lines) == 1
    assert result.stdout == ""
    return lines[0]


def test_data_that_cannot_be_used(make_store, tmp_path):
    assert "no such folder" in one_line_error(seco("retrieval", "--data", tmp_path / "no", "--random", BACKBONE))
    assert "labels.parquet" in one_line_error(seco("knn", "--data", make_store("unlabelled"), "--random", BACKBONE))
    one_date = make_store("one_date", dates=("2020-01-15",))
    error = one_line_error(seco("retrieval", "--data", one_date, "--random", BACKBONE, "--size", 32))
    assert "one of them with two dates" in error


def test_classes_are_no_places(shared_data):
    classes = shared_data("eurosat") / "rgb"
    assert "evaluate linear" in one_line_error(seco("retrieval", "--data", classes, "--random", BACKBONE))


def test_encoders_that_cannot_be_used(store_path, tmp_path):
    assert "checkpoint" in one_line_error(seco("knn", "--data", store_path, "--checkpoint", tmp_path / "no.pt"))
    assert "VV" in one_line_error(seco("knn", "--data", store_path, "--random", BACKBONE, "--bands", "B04,VV"))


def test_a_corrupt_patch_is_named(make_store, tmp_path):
    store = make_store()
    file = sorted((store / "patches").glob("*/*.tif"))[4]
    file.write_bytes(file.read_bytes()[:40])
    json_file = tmp_path / "result.json"
    error = one_line_error(seco("retrieval", "--data", store, "--random", BACKBONE, "--json", json_file))
    assert file.name in error
    assert not json_file.exists()


@pytest.mark.parametrize(
    ("out", "environment", "said"),
    [
        ("/dev/full", {}, "No space left on device"),
        ("/dev/null", {"PYTHONIOENCODING": "ascii"}, "Wrote"),
        ("/dev/null", {"LC_ALL": "POSIX", "PYTHONUTF8": "0"}, "Wrote"),
    ],
)
def test_a_result_is_written_whatever_becomes_of_what_is_printed(store_path, tmp_path, out, environment, said):
    words = [
        "evaluate",
        "retrieval",
        "--data",
        store_path,
        "--random",
        BACKBONE,
        "--size",
        32,
        "--json",
        tmp_path / "r.json",
    ]
    with Path(out).open("w") as stdout:
        ended = subprocess.run(
            [sys.executable, "-m", "seco.cli", *map(str, words)],
            env=os.environ | environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert said in ended.stderr
    assert json.loads((tmp_path / "r.json").read_text())["protocol"] == "retrieval"
