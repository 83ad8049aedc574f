"""The commands of the README in their order, on real Sentinel-2 series where they are there and on synthetic ones."""

import json

import pytest
from commands import seco

from seco.data.store import open_store
from seco.pretrain.checkpoint import find_checkpoint, read_checkpoint

TRAIN = ["--backbone", "resnet10t", "--batch-size", "8", "--size", "32", "--queue", "16", "--epochs", "1"]


@pytest.fixture(params=["boadella", "synthetic"])
def store(request, tmp_path):
    path = tmp_path / "store"
    if request.param == "boadella":
        scenes = request.getfixturevalue("shared_data")("boadella_s2")
        seco("import", "dated", scenes, path, "--patch-size", 64)
        assert len(open_store(path)) == 25
        assert set(open_store(path).locations["num_dates"]) == {10}, "two clouded dates of twelve are rejected"
    else:
        seco("collect", "--source", "synthetic", "--out", path, "--locations", 12, "--seed", 1, "--patch-size", 48)
    return path


def test_from_scenes_to_retrieval(store, tmp_path):
    seco("inspect", store, "--figures", tmp_path)
    assert (tmp_path / "contact_sheet.png").stat().st_size > 10_000
    seco("pretrain", "--data", store, "--out", tmp_path / "run", *TRAIN)
    results, tables = {}, {}
    for name, encoder in {"trained": ["--checkpoint", tmp_path / "run"], "random": ["--random", "resnet10t"]}.items():
        words = ["--data", store, *encoder, "--json", tmp_path / f"{name}.json"]
        tables[name] = seco("evaluate", "retrieval", *words).stdout.splitlines()[0]
        results[name] = json.loads((tmp_path / f"{name}.json").read_text())
    step = read_checkpoint(find_checkpoint(tmp_path / "run" / "checkpoints"))["step"]
    assert results["trained"]["encoder"]["step"] == step > 0
    assert [table.strip() for table in tables.values()] == [
        f"retrieval, checkpoint resnet10t, step {step}",
        "retrieval, random resnet10t",
    ]
    chance = results["random"]["chance"]["recall@1"]
    for result in results.values():
        # Even a network of one epoch, or of none, sees colour and layout: twice chance is a low bar that noise fails.
        assert result["metrics"]["recall@1"] > 2 * chance
        assert result["queries"] == sum(open_store(store).locations["num_dates"])
