"""Protocols from files to results: splits, seeds, drawn fractions, unreadable images."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seco.data.statistics import DigitalNumberHistogram
from seco.errors import ConfigError, DataError
from seco.evaluate import run as protocols
from seco.evaluate.datasets import ClassFolder
from seco.evaluate.run.change import run_change
from seco.evaluate.run.data import Data
from seco.evaluate.unreadable import leave_out, leave_pairs_out

BACKBONE = "test_resnet"


@pytest.fixture
def pictures(tmp_path):
    """Twenty pictures of each of three colours: easy even for an untrained network."""
    random = np.random.default_rng(0)
    for label, colour in {"blue": (40, 60, 190), "green": (40, 180, 60), "red": (200, 50, 50)}.items():
        for i in range(20):
            file = tmp_path / "pictures" / label / f"{i}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            noise = random.integers(-40, 41, (32, 32, 3))
            Image.fromarray((np.array(colour) + noise).astype(np.uint8)).save(file)
    return tmp_path / "pictures"


def evaluation(data, **settings):
    return protocols.Evaluation(data=data, **{"random": BACKBONE, "bootstrap": 20} | settings)


PROTOCOLS = {
    "knn": lambda e: protocols.run_knn(e, k=3),
    "linear": protocols.run_linear,
    "linear-2021": lambda e: protocols.run_linear(e, protocol="seco2021", epochs=60, lr=0.03),
    "finetune": lambda e: protocols.run_finetune(e, epochs=12, lr=1e-3, batch_size=8),
}

# The same, where it does not matter what they learn.
QUICK = PROTOCOLS | {"finetune": lambda e: protocols.run_finetune(e, epochs=1, batch_size=16)}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_colours_are_told_apart(pictures, name):
    found = PROTOCOLS[name](evaluation(pictures))
    assert found["queries"] == 30
    assert found["metrics"]["accuracy"] > 0.9
    assert found["chance"]["accuracy"] == pytest.approx(1 / 3)
    assert np.sum(found["confusion"]) == 30
    low, high = found["interval_95"]["bootstrap"]["accuracy"]
    assert low <= found["metrics"]["accuracy"] <= high
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("name", ["linear", "linear-2021", "finetune"])
def test_the_same_seeds_give_the_same_result(pictures, name):
    settings = {"seeds": 2, "seed": 5, "train_fraction": 0.5}
    first, again = (QUICK[name](evaluation(pictures, **settings)) | {"seconds": 0} for _ in range(2))
    assert first == again
    assert first["seeds"]["used"] == [5, 6]
    rows = [one["training_rows"] for one in first["runs"]]
    assert rows[0] != rows[1]
    values = [one["metrics"]["accuracy"] for one in first["runs"]]
    assert first["metrics"]["accuracy"] == np.mean(values)


def test_a_fraction_is_of_each_class_and_of_the_training_split(pictures):
    data = Data.open(evaluation(pictures))
    (one,) = protocols.run_linear(evaluation(pictures, train_fraction=0.4))["runs"]
    assert one["training_images"] == 12
    assert set(one["training_rows"]) <= set(data.split("train"))
    assert np.bincount(data.images.labels[one["training_rows"]]).tolist() == [4, 4, 4]


def test_drawn_places_are_whole(make_store):
    locations = tuple("abcdefgh")
    store = make_store(locations=locations, labels={name: "xy"[i % 2] for i, name in enumerate(locations)})
    data = Data.open(evaluation(store))
    rows = data.split("train")
    drawn = data.draw(rows, 0.5, seed=0)
    places = data.images.groups[drawn]
    assert 0 < len(drawn) < len(rows)
    assert len(drawn) == 3 * len(np.unique(places))


def test_one_run_where_nothing_is_left_to_chance(make_store, tmp_path):
    import torch

    from seco.data.normalization import Normalization
    from seco.data.store import open_store
    from seco.pretrain.backbone import build_backbone
    from seco.pretrain.checkpoint import save_checkpoint

    store = make_store(labels={"a": "wood", "b": "crops", "c": "water"})
    torch.manual_seed(0)
    save_checkpoint(
        tmp_path / "last.pt",
        {
            "normalization": Normalization.from_store(open_store(store), ("B04", "B08")).to_dict(),
            "config": {"backbone": BACKBONE, "size": 32},
            "model": {f"query.backbone.{k}": v for k, v in build_backbone(BACKBONE, 2).state_dict().items()},
        },
    )
    trained = protocols.Evaluation(data=store, checkpoint=tmp_path / "last.pt", seeds=3, bootstrap=0)
    found = protocols.run_retrieval(trained)
    assert found["seeds"] == {"used": [0], "decide": []}
    assert found["interval_95"] == {}
    compared = protocols.add_untrained(found, protocols.run_retrieval, trained)["untrained"]
    assert len(compared["runs"]) == 3
    assert compared["encoder"]["normalization"]["bands"] == ["B04", "B08"]
    assert compared["encoder"]["size"] == 32


def test_an_unreadable_image_fails_unless_it_may_be_skipped(pictures):
    whole = Data.open(evaluation(pictures))
    # The first file of all, which says what the others are like, and one of the test half.
    bad = [0, int(whole.split("test")[-1])]
    files = sorted(pictures.glob("*/*"), key=lambda file: (file.parent.name, file.name))
    for row in bad:
        files[row].write_bytes(files[row].read_bytes()[:60])
    for run in QUICK.values():
        with pytest.raises(DataError, match="expected a readable picture"):
            run(evaluation(pictures))
    for run in QUICK.values():
        found = run(evaluation(pictures, skip_bad=True))
        assert found["skipped"]["count"] == 2
        assert [image["image"] for image in found["skipped"]["images"]] == bad
        assert all(str(files[row]) in image["reason"] for row, image in zip(bad, found["skipped"]["images"], strict=True))
        used = sum(found["split"]["sizes"].values())
        assert used == 58
        assert found["data"]["training_images"] == found["split"]["sizes"]["train"]
        assert found["queries"] == 30 - sum(row in whole.split("test") for row in bad)


def test_nothing_that_can_be_read(pictures):
    for file in pictures.glob("*/*"):
        if file.name != "0.png":
            file.unlink()
    opened = evaluation(pictures, skip_bad=True)
    Data.open(opened)
    for file in pictures.glob("*/*"):
        file.write_bytes(b"no picture")
    with pytest.raises(DataError, match="readable picture"):
        Data.open(opened)


def test_a_split_of_one_class(pictures, monkeypatch):
    from seco.evaluate.datasets import ClassFolder

    folder = ClassFolder(pictures)
    for name in ("train", "test"):
        one_class = {**folder.splits, name: folder.splits[name][:5]}
        monkeypatch.setattr("seco.evaluate.run.data.open_images", lambda *_, **__: folder)
        monkeypatch.setattr(folder, "splits", one_class)
        for run in QUICK.values():
            with pytest.raises(DataError, match=f"at least two classes in the {name} split, got fewer in its 5 images"):
                run(evaluation(pictures))
        monkeypatch.undo()


def test_a_published_validation_split(pictures, monkeypatch):
    """It chooses the penalty in the default protocol; in 2021 it was what results are of."""
    from seco.evaluate.datasets import ClassFolder

    folder = ClassFolder(pictures)
    folder.splits = {**folder.splits, "train": folder.splits["train"][::2], "validation": folder.splits["train"][1::2]}
    monkeypatch.setattr("seco.evaluate.run.data.open_images", lambda *_, **__: folder)
    default = protocols.run_linear(evaluation(pictures))
    assert default["split"]["tested_on"] == "test"
    assert default["recipe"]["l2_chosen_on"] == "the validation split"
    assert default["queries"] == 30
    for old in (PROTOCOLS["linear-2021"], lambda e: protocols.run_finetune(e, protocol="seco2021", epochs=1)):
        found = old(evaluation(pictures))
        assert found["split"]["tested_on"] == "validation"
        assert found["queries"] == len(folder.splits["validation"])


@pytest.mark.parametrize("name", ["knn", "linear", "linear-2021", "finetune"])
def test_several_labels_an_image(pictures, monkeypatch, name):
    from seco.evaluate.datasets import ClassFolder

    folder = ClassFolder(pictures)
    folder.labels = np.stack([folder.labels == 0, folder.labels >= 1, folder.labels == 2], axis=1)
    monkeypatch.setattr("seco.evaluate.run.data.open_images", lambda *_, **__: folder)
    found = PROTOCOLS[name](evaluation(pictures, train_fraction=0.8))
    assert set(found["metrics"]) == {"micro_mAP", "macro_mAP"} == set(found["chance"])
    assert found["metrics"]["micro_mAP"] > found["chance"]["micro_mAP"]
    assert found["chance"]["micro_mAP"] == pytest.approx(4 / 9, rel=1e-6)
    assert "confusion" not in found


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"train_fraction": 0.0}, "train_fraction: expected"),
        ({"seeds": 0}, "seeds, bootstrap: expected"),
        ({"timm": BACKBONE}, "expected one of checkpoint"),
        ({"seed": -1}, "seed: expected at least 0"),
        ({"size": 0}, "size: expected at least 1 px"),
        ({"device": "x"}, "device: expected auto, cpu or cuda, got 'x'"),
    ],
)
def test_settings(pictures, settings, text):
    with pytest.raises(ConfigError, match=text):
        evaluation(pictures, **settings)


def test_plain_paths_and_numbers_of_numpy(pictures):
    asked = evaluation(str(pictures), size=np.int64(32), seed=np.int64(0), train_fraction=np.float32(1), device="cpu")
    found = protocols.run_knn(asked, k=np.int64(3))
    json.dumps(found)
    assert found["metrics"] == protocols.run_knn(evaluation(pictures, size=32), k=3)["metrics"]
    json.dumps(protocols.run_linear(asked, protocol="seco2021", epochs=np.int64(1), lr=np.float32(0.1)))


def test_what_is_left_can_be_copied(pictures):
    images = leave_out(ClassFolder(pictures), [0])
    for same in (copy.copy(images), pickle.loads(pickle.dumps(images))):
        np.testing.assert_array_equal(same.labels, images.labels)
    pairs = leave_pairs_out(FakePairs(), [0])
    assert copy.deepcopy(pairs).splits == pairs.splits == {"train": [1, 2], "test": [3, 4]}


class FakePairs:
    """Three pairs to train on and two to test on, in memory."""

    path = Path("fake")
    band_names = ("B04", "B03", "B02")
    dtype = np.dtype(np.uint8)
    reflectance = None
    names = ("a", "b", "c", "d", "e")
    split_source = "made up"

    def __init__(self, broken=()):
        self.splits = {"train": [0, 1, 2], "test": [3, 4]}
        self.broken = broken
        self.pairs = [self._make(seed) for seed in range(5)]

    @staticmethod
    def _make(seed):
        random = np.random.default_rng(seed)
        before = random.integers(60, 100, (3, 100, 120), dtype=np.uint8)
        after, mask = before.copy(), np.zeros((100, 120), np.int8)
        top, left = random.integers(0, 50, 2)
        after[:, top : top + 40, left : left + 40] = 220
        mask[top : top + 40, left : left + 40] = 1
        mask[:, 110:] = -1
        return before, after, mask

    @property
    def statistics(self):
        histogram = DigitalNumberHistogram(3, self.dtype)
        for i in self.splits["train"]:
            histogram.add(self.pairs[i][1])
        return {name: histogram.statistics(i) for i, name in enumerate(self.band_names)}

    def read(self, index, bands):
        if index in self.broken:
            raise DataError(f"{self.names[index]}.tif: expected an image, got nothing")
        before, after, mask = self.pairs[index]
        columns = [self.band_names.index(name) for name in bands]
        return before[columns], after[columns], mask

    def describe(self):
        return {"kind": "fake"}


@pytest.fixture
def open_fake(monkeypatch):
    def install(**settings):
        pairs = FakePairs(**settings)
        monkeypatch.setattr("seco.evaluate.run.change.open_change_pairs", lambda *_, **__: pairs)
        return pairs

    pytest.importorskip("segmentation_models_pytorch", reason="segmentation_models_pytorch is not installed")
    return install


def test_change_counts_every_known_pixel_of_the_test_pairs(open_fake):
    open_fake()
    found = run_change(evaluation("fake", seeds=2, size=48), epochs=15, batch_size=8)
    assert found["queries"] == 2 * 100 * 110
    assert np.sum(found["confusion"]) == 2 * found["queries"]
    assert found["metrics"]["f1"] > 0.6 > found["chance"]["f1"]
    per_pair = [pair["confusion"] for pair in found["runs"][0]["test_pairs"]]
    true, false, missed = (np.sum(per_pair, axis=0)[cell] for cell in ((1, 1), (0, 1), (1, 0)))
    assert found["runs"][0]["metrics"]["f1"] == pytest.approx(2 * true / (2 * true + false + missed), rel=1e-14)
    assert found["recipe"]["tile"] == 48
    assert found["chosen"] == {"epochs": 15, "batch_size": 8}


def test_change_needs_pixels_of_both_kinds_to_test_on(open_fake):
    pairs = open_fake()
    for i in pairs.splits["test"]:
        pairs.pairs[i][2][:] = 1
    with pytest.raises(DataError, match="pixels to test on, got none unchanged"):
        run_change(evaluation("fake", size=48), epochs=1)


def test_change_skips_pairs_that_cannot_be_read(open_fake):
    open_fake(broken=(1, 4))
    with pytest.raises(DataError, match=r"b\.tif"):
        run_change(evaluation("fake"), epochs=1)
    found = run_change(evaluation("fake", skip_bad=True), epochs=1, batch_size=4)
    assert found["skipped"]["count"] == 2
    assert [image["image"] for image in found["skipped"]["images"]] == ["b", "e"]
    assert found["runs"][0]["training_pairs"] == ["a", "c"]
    assert found["recipe"]["tile"] == 96
    open_fake(broken=(3, 4))
    with pytest.raises(DataError, match="pairs to train and to test on, got 3 and 0"):
        run_change(evaluation("fake", skip_bad=True), epochs=1)
