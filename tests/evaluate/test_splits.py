"""Which images train and which test: lists, places, and shares that keep classes and labels."""

import numpy as np
import pytest
import rasterio
from PIL import Image

from seco.errors import ConfigError, DataError
from seco.evaluate.datasets import SplitChoice, open_images
from seco.evaluate.datasets.draw import draw_fraction, draw_labels
from seco.evaluate.datasets.spatial import CELL_KM, GAP_KM, split_by_cells

EARTH_KM = 6371.0088


@pytest.fixture
def folder(tmp_path):
    """Six pictures of each of two classes; the classes are two folders below."""
    for label in ("Forest", "River"):
        for i in range(6):
            file = tmp_path / "EuroSAT" / "2750" / label / f"{label}_{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.random.default_rng(i).integers(1, 256, (8, 8, 3), dtype=np.uint8)).save(file)
    return tmp_path / "EuroSAT"


def write_lists(folder, name="", suffix=".txt", **parts):
    folder.mkdir(exist_ok=True)
    for part, names in parts.items():
        (folder / f"{name}{part}{suffix}").write_text("".join(f"{each}\n" for each in names))


def named(images):
    return {part: [images.names[row] for row in rows] for part, rows in images.splits.items()}


def test_lists_that_lie_with_the_data_are_used(folder):
    # As torchgeo has them for EuroSAT: JPEGs are named, whatever the files are.
    train, val, test = ["River_0.jpg", "Forest_1.jpg"], ["Forest_2.jpg"], ["Forest_3.jpg", "River_5.jpg"]
    write_lists(folder, "eurosat-", train=train, val=val, test=test)
    expected = {
        "train": ["Forest/Forest_1.png", "River/River_0.png"],
        "validation": ["Forest/Forest_2.png"],
        "test": ["Forest/Forest_3.png", "River/River_5.png"],
    }
    for path in (folder, folder / "2750"):
        images = open_images(path)
        assert named(images) == expected
        assert "eurosat-train.txt, eurosat-val.txt, eurosat-test.txt, not known" in images.split_source
        assert images.split_source.endswith("0 listed images are not there, 7 are not listed")
    assert "SHA-256 of class/name" in open_images(folder, split=SplitChoice(how="hash")).split_source


def test_several_lists_want_a_choice(folder, tmp_path):
    write_lists(folder, "eurosat-", train=["River_0.jpg"], test=["Forest_3.jpg"])
    write_lists(folder, "eurosat-spatial-", train=["River/River_1.jpg"], test=["Forest/Forest_4.jpg"])
    with pytest.raises(ConfigError, match=r"expected one set of lists in .*, got eurosat, eurosat-spatial; name one"):
        open_images(folder)
    assert named(open_images(folder, split=SplitChoice(how="eurosat-spatial")))["train"] == ["River/River_1.png"]
    write_lists(tmp_path / "mine", suffix=".csv", train=["River_2,and more"], test=["Forest_5"])
    assert named(open_images(folder, split=SplitChoice(how=str(tmp_path / "mine"))))["train"] == ["River/River_2.png"]
    write_lists(tmp_path / "mine", "own_", train=["River_3"], test=["Forest_5"])
    chosen = SplitChoice(how=str(tmp_path / "mine" / "own"))
    assert named(open_images(folder, split=chosen))["train"] == ["River/River_3.png"]
    with pytest.raises(ConfigError, match="got 'others' without train and test"):
        open_images(folder, split=SplitChoice(how="others"))


def test_lists_of_other_images(folder):
    write_lists(folder, train=["River_0.png", "River_77.png"], test=["Forest_3.png"])
    with pytest.raises(DataError, match=r"/train\.txt: expected names of images that are there, got River_77"):
        open_images(folder)
    images = open_images(folder, split=SplitChoice(skip_missing=True))
    assert named(images)["train"] == ["River/River_0.png"]
    assert "1 listed images are not there" in images.split_source
    write_lists(folder, test=["River_0.png"])
    with pytest.raises(DataError, match=r"/test\.txt: expected images of no other list, got River_0, also in train\.txt"):
        open_images(folder, split=SplitChoice(skip_missing=True))
    write_lists(folder, test=["elsewhere.png"])
    with pytest.raises(DataError, match=r"/test\.txt: .* got none"):
        open_images(folder, split=SplitChoice(skip_missing=True))
    (folder / "train.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"/train\.txt: expected a list of names"):
        open_images(folder)


def test_a_name_of_two_images_wants_its_class(folder):
    for label in ("Forest", "River"):
        (folder / "2750" / label / f"{label}_0.png").rename(folder / "2750" / label / "0.png")
    write_lists(folder, train=["0.png"], test=["River_1.png"])
    with pytest.raises(DataError, match="expected names of one image each, got 0, of several"):
        open_images(folder)
    write_lists(folder, train=["River/0.png"])
    assert named(open_images(folder))["train"] == ["River/0.png"]


def kilometres(one, other):
    """Great-circle distances of points (longitude, latitude) in degrees: every one from every other."""
    (lon1, lat1), (lon2, lat2) = np.radians(one).T[:, :, None], np.radians(other).T[:, None, :]
    half = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * np.arcsin(np.sqrt(half))


@pytest.mark.parametrize("latitude", [0.0, 48.0, 69.0, -33.0])
def test_no_neighbours_on_both_sides(latitude):
    random = np.random.default_rng(0)
    east = 4.0 / np.cos(np.radians(latitude))
    positions = np.stack([random.uniform(9, 9 + east, 4000), latitude + random.uniform(0, 4, 4000)], axis=1)
    train, test = split_by_cells(positions)
    assert not (train & test).any()
    # About 80 cells of 50 images: half of the images, less than one cell, and those in the gap less.
    assert 1800 < test.sum() < 2200
    assert 1000 < train.sum() < 2000
    # The gap is measured along a parallel at one of two latitudes and on a sphere: below one per cent at 5 km.
    assert kilometres(positions[train], positions[test]).min() > 0.99 * GAP_KM
    # Cells alone would not keep it.
    assert kilometres(positions[~test], positions[test]).min() < GAP_KM / 2
    again = split_by_cells(positions[::-1])
    np.testing.assert_array_equal(again[0][::-1], train)


def test_a_cell_is_on_one_side():
    centre = np.array([9.0, 48.0])
    near = centre + np.random.default_rng(0).normal(0, 0.01, (20, 2))
    far = near + np.array([2 * CELL_KM / 50, 0])
    train, test = split_by_cells(np.concatenate([near, far]))
    assert sorted([tuple(train[:20]), tuple(train[20:])]) == [(False,) * 20, (True,) * 20]
    np.testing.assert_array_equal(test, ~train)


def test_places_of_real_rasters(shared_data):
    images = open_images(shared_data("eurosat") / "ms", split=SplitChoice(how="spatial"))
    assert sorted(np.concatenate(list(images.splits.values())).tolist()) == list(range(6))
    assert "cells of 50 km" in images.split_source
    with pytest.raises(DataError, match=r"\.jpg: expected a georeferenced raster"):
        open_images(shared_data("eurosat") / "rgb", split=SplitChoice(how="spatial"))


def test_places_are_those_of_the_files(tmp_path):
    from seco.evaluate.datasets.raster_header import centres_of

    for name, epsg, origin in (("a", 32632, (500_000, 5_000_000)), ("b", 4326, (9.0, 45.0))):
        step = 10 if epsg != 4326 else 1e-4
        grid = {"crs": f"EPSG:{epsg}", "transform": rasterio.Affine(step, 0, origin[0], 0, -step, origin[1])}
        with rasterio.open(tmp_path / f"{name}.tif", "w", count=1, height=8, width=16, dtype="uint8", **grid) as raster:
            raster.write(np.ones((1, 8, 16), np.uint8))
    found = centres_of([tmp_path / "b.tif", tmp_path / "a.tif"])
    np.testing.assert_allclose(found[0], [9 + 8e-4, 45 - 4e-4], atol=1e-12)
    # 80 m east and 40 m south of where the central meridian of zone 32, 9 degrees, has northing 5,000,000 m.
    assert found[1][0] == pytest.approx(9 + np.degrees(80 / 6_388_000) / np.cos(np.radians(45.15)), abs=2e-6)
    assert found[1][1] == pytest.approx(45.1532, abs=1e-3)


def test_stores_are_split_by_place(make_store):
    labels = {name: "xy"[i % 2] for i, name in enumerate("abcdefgh")}
    store = make_store(locations=tuple("abcdefgh"), labels=labels)
    images = open_images(store, split=SplitChoice(how="spatial"))  # a degree apart: each in a cell of its own
    assert {part: len(rows) for part, rows in images.splits.items()} == {"train": 12, "test": 12}
    assert not set(images.groups[images.splits["train"]]) & set(images.groups[images.splits["test"]])


def many_labels(seed, count=600, classes=12):
    """Labels from common to rare, of which some come with others."""
    random = np.random.default_rng(seed)
    labels = random.random((count, classes)) < np.geomspace(0.5, 0.02, classes)
    labels[:, 3] |= labels[:, 7]
    return labels


def test_labels_keep_their_shares():
    fraction, off = 0.1, {"by labels": [], "plain": []}
    for seed in range(20):
        labels = many_labels(seed)
        drawn = draw_labels(labels, fraction, np.random.default_rng(seed))
        plain = np.random.default_rng(seed).permutation(len(labels)) < drawn.sum()
        for name, chosen in (("by labels", drawn), ("plain", plain)):
            off[name].append(abs(labels[chosen].sum(axis=0) - fraction * labels.sum(axis=0)))
        assert off["by labels"][-1][labels.sum(axis=0).argmin()] <= 0.5 + 1e-9  # of the rarest, as is promised
    # Every label, in the mean over seeds.
    assert (np.mean(off["by labels"], axis=0) < np.mean(off["plain"], axis=0) / 2).all()


def test_without_shared_labels_every_one_is_within_half_an_image():
    labels = np.eye(5, dtype=bool)[np.repeat(np.arange(5), [7, 10, 33, 50, 100])]
    for fraction in (0.1, 0.25, 0.5, 0.9):
        drawn = draw_labels(labels, fraction, np.random.default_rng(0))
        assert (abs(labels[drawn].sum(axis=0) - fraction * labels.sum(axis=0)) <= 0.5 + 1e-9).all()


def test_a_share_of_images_with_several_labels():
    labels = many_labels(0)
    rows = np.arange(100, 400)
    first, again, other = (draw_fraction(rows, labels, 0.2, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert first.tolist() != other.tolist()
    assert len(np.unique(first)) == len(first)
    assert set(first) <= set(rows)
    assert len(draw_fraction(rows[:3], labels, 0.01, 0)) == 1
    # Images without a label count as well.
    assert draw_labels(np.zeros((100, 3), bool), 0.3, np.random.default_rng(0)).sum() == 30


@pytest.mark.parametrize("latitude", range(-60, 61))  # without a look across, 63 of the 121 are divided
def test_places_on_either_side_of_the_date_line_are_neighbours(latitude):
    beside = np.array([[179.99, latitude], [-179.99, latitude]])
    far = np.stack([np.linspace(-170, 170, 60), np.zeros(60)], axis=1)
    train, test = split_by_cells(np.concatenate([beside, far]))
    assert not (train[0] and test[1])
    assert not (train[1] and test[0])


def test_places_that_nobody_knows_are_refused():
    with pytest.raises(DataError, match="expected positions of all images, got 1 without"):
        split_by_cells(np.array([[0.0, 0.0], [np.nan, 10.0]]))
