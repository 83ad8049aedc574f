"""BigEarthNet of both versions: the real patches, and trees made as they are published."""

import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import rasterio

from seco.errors import DataError
from seco.evaluate.datasets import open_images
from seco.evaluate.datasets.bigearthnet import BANDS, LEFT_OUT, NOMENCLATURE, SIDE

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
FOREST, WATER, ROADS = "Mixed forest", "Water bodies", "Road and rail networks and associated land"


def pixels(seed, band):
    side = SIDE // BANDS[band]
    return np.random.default_rng([seed, *band.encode()]).integers(1, 9000, (1, side, side)).astype(np.uint16)


def write_patch(folder, seed):
    folder.mkdir(parents=True)
    for band in BANDS:
        found = pixels(seed, band)
        size = {"height": found.shape[1], "width": found.shape[2], "count": 1, "dtype": "uint16"}
        with rasterio.open(folder / f"{folder.name}_{band}.tif", "w", driver="GTiff", **size) as raster:
            raster.write(found)


def write_v1(root, patches):
    for seed, (name, labels) in enumerate(sorted(patches.items())):
        write_patch(root / name, seed)
        (root / name / f"{name}_labels_metadata.json").write_text(json.dumps({"labels": labels}))
    return root


@pytest.fixture
def four(tmp_path):
    patches = {"S2A_a_1_1": [FOREST], "S2A_b_1_1": [WATER, FOREST], "S2B_c_94161_1": [WATER], "S2B_d_1_1": [ROADS]}
    return write_v1(tmp_path / "BigEarthNet-v1.0", patches)


def test_the_nomenclature_is_whole():
    parts = [part for names in NOMENCLATURE.values() for part in names]
    assert len(NOMENCLATURE) == 19
    assert len(set(parts) | set(LEFT_OUT)) == len(parts) + len(LEFT_OUT) == 43


def test_the_real_patches(shared_data):
    root = shared_data("bigearthnet")
    images = open_images(root)
    assert len(images) == 6
    assert images.labels.shape == (6, 19)
    names = [folder.name for folder in sorted(root.iterdir()) if folder.is_dir()]
    assert images.names == names
    for row, name in enumerate(names):
        said = json.loads((root / name / f"{name}_labels_metadata.json").read_text())["labels"]
        expected = {label for label, parts in NOMENCLATURE.items() if set(parts) & set(said)}
        assert {images.class_names[i] for i in np.flatnonzero(images.labels[row])} == expected
    found = images.read(np.array([4, 0]), ("B02", "B05", "B01"))
    assert found.shape == (2, 3, 120, 120)
    for k, row in enumerate((4, 0)):
        for c, (band, step) in enumerate((("B02", 1), ("B05", 2), ("B01", 6))):
            with rasterio.open(root / names[row] / f"{names[row]}_{band}.tif") as raster:
                np.testing.assert_array_equal(found[k, c], np.kron(raster.read(1), np.ones((step, step), np.uint16)))


def test_lists_beside_the_patches(four):
    (four / "train.csv").write_text("S2A_a_1_1\n")
    (four / "val.csv").write_text("S2A_b_1_1\n")
    (four / "test.csv").write_text("S2B_c_94161_1,and more\n")
    images = open_images(four)
    assert images.names == ["S2A_a_1_1", "S2A_b_1_1", "S2B_c_94161_1"]  # a road is none of 19 labels
    assert {name: rows.tolist() for name, rows in images.splits.items()} == {"train": [0], "validation": [1], "test": [2]}
    (four.parent / "patches_with_seasonal_snow.csv").write_text("S2A_b_1_1\n")
    images = open_images(four)
    assert images.names == ["S2A_a_1_1", "S2B_c_94161_1"]
    described = images.describe()
    assert described["left_out"] == {"without any of the 19 labels": 1, "patches_with_seasonal_snow.csv": 1}
    assert described["labels"]["Mixed forest"] == 1
    np.testing.assert_array_equal(images.read(np.arange(1, 2), ("B8A",))[0, 0, ::2, ::2], pixels(2, "B8A")[0])


def test_without_lists_the_names_decide(four):
    (four / ".cache").mkdir()
    images = open_images(four)
    assert [len(images.splits[name]) for name in ("train", "test")] == [2, 1]
    assert "SHA-256" in images.split_source
    assert open_images(four).describe() == images.describe()


@pytest.mark.parametrize("opened", ["", "BigEarthNet-S2"])
def test_version_2(tmp_path, opened):
    names = [f"S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_26_{i}" for i in range(6)]
    for seed, name in enumerate(names):
        write_patch(tmp_path / "BigEarthNet-S2" / name.rsplit("_", 2)[0] / name, seed)
    columns = {
        "patch_id": names[::-1],
        "labels": [[], ["Inland waters"], ["Arable land", "Pastures"], ["Pastures"], ["Pastures"], ["Arable land"]],
        "split": ["test", "test", "validation", "train", "train", "train"],
        "contains_seasonal_snow": [False, False, False, True, False, False],
        "contains_cloud_or_shadow": [False, False, False, False, False, None],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "metadata.parquet")
    images = open_images(tmp_path / opened)
    assert images.names == [names[0], names[1], names[3], names[4]]
    assert {name: rows.tolist() for name, rows in images.splits.items()} == {"train": [0, 1], "validation": [2], "test": [3]}
    assert [[images.class_names[i] for i in np.flatnonzero(row)] for row in images.labels] == [
        ["Arable land"],
        ["Pastures"],
        ["Arable land", "Pastures"],
        ["Inland waters"],
    ]
    np.testing.assert_array_equal(images.read(np.array([3]), ("B02",))[0, 0], pixels(4, "B02")[0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": [["Pastures"], None]}, "in labels \\(1 empty"),
        ({"labels": ["Pastures", "Pastures"]}, "got string in labels"),
        ({"patch_id": ["a_1_1", None]}, "in patch_id \\(1 empty"),
        ({"patch_id": ["a_1_1", "a_1_1"]}, "expected each patch once, got a_1_1 several times"),
        ({"contains_seasonal_snow": ["no", "yes"]}, "got string in contains_seasonal_snow"),
    ],
)
def test_tables_of_version_2_that_make_no_sense(tmp_path, changes, said):
    (tmp_path / "BigEarthNet-S2").mkdir()
    columns = {"patch_id": ["a_1_1", "b_1_1"], "labels": [["Pastures"], ["Pastures"]], "split": ["train", "test"]}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "metadata.parquet")
    assert sorted(open_images(tmp_path).splits) == ["test", "train"]  # a subset may have none for validation
    pyarrow.parquet.write_table(pyarrow.table(columns | changes), tmp_path / "metadata.parquet")
    with pytest.raises(DataError, match=said):
        open_images(tmp_path)


def test_what_is_wrong_is_named(four, tmp_path):
    (four / "S2A_a_1_1" / "S2A_a_1_1_B03.tif").unlink()
    images = open_images(four)
    with pytest.raises(DataError, match=r"S2A_a_1_1_B03\.tif"):
        images.read(np.arange(0, 2), ("B03",))
    (four / "train.csv").write_text("another\n")
    (four / "test.csv").write_text("another\n")
    with pytest.raises(DataError, match=r"train\.csv: expected names of images that are there, got another; fetch it"):
        open_images(four)
    labels = four / "S2B_d_1_1" / "S2B_d_1_1_labels_metadata.json"
    labels.write_text('{"labels": ["Moon"]}')
    with pytest.raises(DataError, match=r"S2B_d_1_1_labels_metadata\.json: expected labels of BigEarthNet, got 'Moon'"):
        open_images(four)
    labels.write_text("{")
    with pytest.raises(DataError, match=r"labels_metadata\.json: expected the labels of a patch"):
        open_images(four)
    (tmp_path / "BigEarthNet-S2").mkdir()
    pyarrow.parquet.write_table(pyarrow.table({"patch_id": ["a"]}), tmp_path / "metadata.parquet")
    with pytest.raises(DataError, match="got none named labels"):
        open_images(tmp_path)


def test_what_lies_beside_the_folder_is_found_from_inside_it(four, monkeypatch):
    (four.parent / "patches_with_seasonal_snow.csv").write_text("S2A_b_1_1\n")
    whole = open_images(four).describe()
    monkeypatch.chdir(four)
    assert open_images(".").describe() == whole
    monkeypatch.chdir(four / "S2A_a_1_1")
    assert open_images("..").describe() == whole
