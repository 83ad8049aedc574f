"""``seco embed``: the vectors of the evaluation, beside what they show."""

import json

import commands
import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from seco.data.store import open_store
from seco.evaluate import embed
from seco.evaluate.datasets import ClassFolder, StorePatches
from seco.evaluate.encoders import untrained
from seco.evaluate.features import extract_features
from seco.pretrain.encoder import weights_fingerprint

BACKBONE = ["--random", "test_resnet", "--size", 32]


def seco(*words, code=0):
    return commands.seco("embed", *words, code=code)


def test_wrong_use_of_the_map_is_refused(make_store, tmp_path):
    words = ["--data", make_store(), *BACKBONE, "--out", tmp_path / "v.npy"]
    assert "--colour is for --map" in seco(*words, "--colour", "month", code=2).stderr
    assert "expected a name that ends in .png, got map.gif" in seco(*words, "--map", "map.gif", code=2).stderr


def features_of(images):
    subject = untrained("test_resnet", images, size=32)
    return subject, extract_features(subject.encoder, images)


@pytest.fixture
def store(make_store):
    return make_store(labels={"a": "wood", "b": "crops"})


@pytest.mark.parametrize("batch_size", [4, 256])
def test_parquet_has_location_date_class_and_vector(store, tmp_path, batch_size):
    out = tmp_path / "vectors.parquet"
    assert seco("--data", store, *BACKBONE, "--out", out, "--batch-size", batch_size).stdout.strip() == str(out)
    file = pyarrow.parquet.ParquetFile(out)
    assert file.num_row_groups == -(-9 // batch_size), "nothing waits for the end"
    table = file.read()
    assert table["location"].to_pylist() == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    assert table["class"].to_pylist() == ["wood"] * 3 + ["crops"] * 3 + [None] * 3
    opened = open_store(store)
    np.testing.assert_array_equal(table["date"].to_numpy().astype("datetime64[s]"), opened.times)
    assert table["longitude"].to_pylist() == [4.0] * 3 + [3.0] * 3 + [5.0] * 3
    subject, expected = features_of(StorePatches(opened))
    # A vector may differ in its last bits with the size of its batch.
    np.testing.assert_allclose(np.stack(table["vector"].to_numpy()), expected, rtol=1e-5, atol=1e-6)
    origin = json.loads(table.schema.metadata[b"seco"])
    assert origin["encoder"]["weights_sha256"] == weights_fingerprint(subject.encoder.backbone)
    assert origin["data"]["fingerprint"] == opened.fingerprint


def test_npy_is_one_array(store, tmp_path):
    for name in ("vectors.npy", "vectors.parquet"):
        seco("--data", store, *BACKBONE, "--out", tmp_path / name, "--batch-size", 4)
    array, table = np.load(tmp_path / "vectors.npy"), pyarrow.parquet.read_table(tmp_path / "vectors.parquet")
    assert array.dtype.names == tuple(table.column_names)
    np.testing.assert_array_equal(array["vector"], np.stack(table["vector"].to_numpy()))
    assert array["location"].tolist() == table["location"].to_pylist()
    assert array["class"].tolist() == [label or "" for label in table["class"].to_pylist()]


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(["lake", "lake", "wood"]):
        (tmp_path / "classes" / name).mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(1, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "classes" / name / f"{i}.png")
    return tmp_path / "classes"


def test_class_folders_have_files(folder, tmp_path):
    out = tmp_path / "vectors.parquet"
    seco("--data", folder, *BACKBONE, "--out", out, "--map", tmp_path / "map.png")
    table = pyarrow.parquet.read_table(out)
    assert table.column_names == ["file", "class", "vector"]
    assert table["file"].to_pylist() == ["lake/0.png", "lake/1.png", "wood/2.png"]
    assert table["class"].to_pylist() == ["lake", "lake", "wood"]
    np.testing.assert_allclose(
        np.stack(table["vector"].to_numpy()), features_of(ClassFolder(folder))[1], rtol=1e-5, atol=1e-6
    )
    assert (tmp_path / "map.png").stat().st_size > 10_000


@pytest.mark.parametrize("colour", ["class", "place", "month"])
def test_maps(store, tmp_path, colour):
    seco("--data", store, *BACKBONE, "--out", tmp_path / "v.npy", "--map", tmp_path / "map.png", "--colour", colour)
    assert (tmp_path / "map.png").stat().st_size > 10_000


def test_a_map_shows_some_whole_places_of_many(store, tmp_path, monkeypatch):
    monkeypatch.setattr(embed, "MAP_POINTS", 5)
    images = StorePatches(open_store(store))
    found = embed.write_embeddings(features_of(images)[0], images, tmp_path / "v.parquet", batch_size=2)
    assert found.total == 9
    assert found.columns["location"].tolist() == ["a"] * 3 + ["c"] * 3
    vectors = pyarrow.parquet.read_table(tmp_path / "v.parquet")["vector"].to_numpy()
    np.testing.assert_array_equal(found.vectors, np.stack(vectors[[0, 1, 2, 6, 7, 8]]))


def test_an_error_on_the_way_leaves_nothing(store, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    open_store(store).sources(1)[2].write_bytes(b"II*\0")
    message = seco("--data", store, *BACKBONE, "--out", out / "v.parquet", "--batch-size", 2, code=1).stderr
    assert "Error: " in message
    assert ".tif: expected a readable GeoTIFF" in message
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("name", ["v.parquet", "v.npy"])
def test_what_cannot_be_read_is_left_out_and_named(store, tmp_path, name):
    whole, out = tmp_path / f"whole-{name}", tmp_path / name
    seco("--data", store, *BACKBONE, "--out", whole)
    bad = open_store(store).sources(1)[2]
    bad.write_bytes(b"II*\0")
    message = seco("--data", store, *BACKBONE, "--out", out, "--skip-bad", "--map", tmp_path / "map.png").stderr
    assert f"Left out: {bad}: expected a readable GeoTIFF" in message
    assert "8 vectors of" in message
    rows = [0, 1, 2, 3, 4, 6, 7, 8]
    if name.endswith("npy"):
        found, expected = np.load(out), np.load(whole)[rows]
        np.testing.assert_array_equal(found["date"], expected["date"])
        np.testing.assert_allclose(found["vector"], expected["vector"], rtol=1e-5, atol=1e-6)
    else:
        table, expected = pyarrow.parquet.read_table(out), pyarrow.parquet.read_table(whole).take(rows)
        assert table["location"].to_pylist() == expected["location"].to_pylist()
        assert table["date"].to_pylist() == expected["date"].to_pylist()
        assert json.loads(table.schema.metadata[b"seco"])["unreadable"][0].startswith(str(bad))


def test_pictures_that_cannot_be_read_are_in_no_statistics(folder, tmp_path):
    bad = sorted(folder.rglob("*.png"))[0]
    bad.write_bytes(b"")
    message = seco("--data", folder, *BACKBONE, "--out", tmp_path / "v.parquet", "--skip-bad").stderr
    assert f"Left out: {bad}: expected a readable picture" in message


def test_what_a_user_can_do_wrong_is_one_line(store, make_store, folder, tmp_path):
    out, map_file = tmp_path / "v.npy", tmp_path / "map.png"
    place = ["--data", store, *BACKBONE]
    assert "that ends in .parquet or .npy, got .csv" in seco(*place, "--out", tmp_path / "v.csv", code=1).stderr
    assert "there is no folder" in seco(*place, "--out", tmp_path / "no" / "v.npy", code=2).stderr
    asked = ["--data", folder, *BACKBONE, "--out", out, "--map", map_file, "--colour", "month"]
    assert "colour: expected class for these data, got month" in seco(*asked, code=1).stderr
    plain = ["--data", make_store("plain"), *BACKBONE, "--out", out, "--map", map_file, "--colour", "class"]
    assert "colour: expected place or month for these data, got class" in seco(*plain, code=1).stderr
    assert "exactly one of" in seco("--data", store, "--out", out, code=2).stderr
    assert not out.exists()
