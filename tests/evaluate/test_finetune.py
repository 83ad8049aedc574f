"""Fine-tuning: what is trained, what stays, and that a seed decides all of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from seco.data.normalization import Normalization
from seco.errors import ConfigError, DataError
from seco.evaluate.features import extract_features
from seco.evaluate.finetune import fine_tune, finetune_recipe
from seco.evaluate.training import Recipe, random_symmetries, shuffled_batches
from seco.pretrain.backbone import build_backbone
from seco.pretrain.encoder import Encoder

CPU = torch.device("cpu")
SIZE = 32


class Stripes:
    """Images of horizontal and of vertical stripes in noise; their brightness tells nothing."""

    path = "stripes"
    band_names = ("B04", "B03", "B02")
    class_names = ("lying", "standing")

    def __init__(self, count, seed=0):
        random = np.random.default_rng(seed)
        self.labels = random.integers(0, 2, count)
        lying = np.where(np.arange(SIZE)[:, None] % 8 < 4, 90, 160) + np.zeros((1, SIZE), int)
        clean = np.where(self.labels[:, None, None] == 0, lying, lying.T)[:, None]
        noisy = clean + random.integers(-40, 41, (count, 3, SIZE, SIZE)) + random.integers(-40, 41, (count, 1, 1, 1))
        self.pixels = noisy.astype(np.uint8)

    def __len__(self):
        return len(self.labels)

    def read(self, rows, bands, threads=None):
        return self.pixels[rows][:, [self.band_names.index(name) for name in bands]]


def encoder(bands=Stripes.band_names):
    torch.manual_seed(0)
    three = len(bands)
    normalization = Normalization(bands, (1 / 255,) * three, (0.0,) * three, (0.5,) * three, (0.2,) * three)
    return Encoder(build_backbone("test_resnet", three).eval(), normalization, SIZE, "test_resnet")


def numbers_of(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def tune(images, recipe, seed=0, start=None):
    rows = np.arange(len(images))
    return fine_tune(start or encoder(), images, rows, recipe=recipe, seed=seed, device=CPU)


def test_a_size_that_the_backbone_does_not_take_is_named():
    start = replace(encoder(), backbone=build_backbone("vit_tiny_patch16_224", 3))
    with pytest.raises(ConfigError, match="expected one that takes 32 px, got VisionTransformer"):
        tune(Stripes(4), finetune_recipe("default", multi_label=False), start=start)


def test_learns_and_leaves_the_encoder_given_alone():
    start, images = encoder(), Stripes(97)
    before = numbers_of(start.backbone)
    tuned, losses = tune(
        images, finetune_recipe("default", multi_label=False).changed(epochs=8, lr=1e-3, batch_size=16), start=start
    )
    assert changed(before, start.backbone.state_dict()) == set()
    assert "layer1.0.conv1.weight" in changed(before, tuned.backbone.backbone.state_dict())
    assert losses[-1] < losses[0] / 2
    unseen = Stripes(200, seed=1)
    scores = extract_features(tuned, unseen)
    # 130 of 200 right at p = 0.5 happen once in 80,000 times.
    assert np.sum(scores.argmax(axis=1) == unseen.labels) >= 130


@pytest.mark.parametrize(("protocol", "learned"), [("default", True), ("seco2021", False)])
def test_batch_statistics_are_those_of_the_protocol(protocol, learned):
    start = encoder()
    tuned, _ = tune(Stripes(20), finetune_recipe(protocol, multi_label=False).changed(epochs=1), start=start)
    moved = changed(numbers_of(start.backbone), tuned.backbone.backbone.state_dict())
    assert any("running_mean" in name for name in moved) == learned
    assert any(name.endswith("weight") for name in moved)


def test_a_seed_decides_everything():
    recipe = finetune_recipe("default", multi_label=False).changed(epochs=1, batch_size=8)
    torch.manual_seed(123)
    state = torch.random.get_rng_state()
    first, again, other = (numbers_of(tune(Stripes(24), recipe, seed)[0].backbone) for seed in (1, 1, 2))
    assert changed(first, again) == set()
    assert changed(first, other)
    torch.manual_seed(123)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_an_encoder_of_another_type_learns_in_float32():
    double, recipe = encoder(), finetune_recipe("default", multi_label=False).changed(epochs=1)
    double.backbone.double()
    assert tune(Stripes(8), recipe, start=double)[1] == tune(Stripes(8), recipe)[1]


def test_several_labels_an_image():
    images = Stripes(40)
    images.labels = np.stack([images.labels == 0, images.labels == 1], axis=1)
    recipe = finetune_recipe("seco2021", multi_label=True).changed(epochs=2)
    assert (recipe.batch_size, recipe.dropout, recipe.lr) == (1024, 0.2, 1e-5)
    tuned, losses = tune(images, recipe)
    assert extract_features(tuned, images).shape == (40, 2)
    assert all(np.isfinite(losses))


def test_no_image_is_left_out_of_an_epoch():
    batches = shuffled_batches(np.arange(10, 33), 5, np.random.default_rng(0))
    assert sorted(np.concatenate(batches)) == list(range(10, 33))
    assert {len(batch) for batch in batches} == {4, 5}
    pairs = shuffled_batches(np.arange(7), 2, np.random.default_rng(0), least=2)
    assert sorted(len(batch) for batch in pairs) == [2, 2, 3]


def test_symmetries_are_drawn_image_by_image_all_alike():
    square = torch.arange(9.0).reshape(1, 1, 3, 3).repeat(800, 2, 1, 1)
    found = random_symmetries(square, np.random.default_rng(0), turns=True)
    assert torch.equal(found[:, 0], found[:, 1])
    kinds, counts = np.unique(found[:, 0].reshape(800, 9).numpy(), axis=0, return_counts=True)
    # Eight symmetries of a square, 100 times each: six standard deviations are 56.
    assert len(kinds) == 8
    assert counts.min() > 44
    flips = random_symmetries(square, np.random.default_rng(0), turns=False)
    assert len(np.unique(flips[:, 0].reshape(800, 9).numpy(), axis=0)) == 4
    assert torch.equal(square[0], square[-1])


def test_settings_and_data_that_cannot_be():
    with pytest.raises(ConfigError, match="protocol: expected default or seco2021"):
        finetune_recipe("seco2022", multi_label=False)
    with pytest.raises(ConfigError, match="epochs, batch size, lr: expected positive"):
        finetune_recipe("default", multi_label=False).changed(epochs=0)
    with pytest.raises(DataError, match="none named VV"):
        tune(Stripes(4), finetune_recipe("default", multi_label=False), start=encoder(("B04", "VV")))
    wild = Recipe(name="default", epochs=5, lr=1e30, head_lr=1e30, encoder="trained", batch_size=4)
    with pytest.raises(DataError, match=r"finite loss, got (nan|inf) in epoch .; lower --lr"):
        tune(Stripes(8), wild)


def test_one_image_at_a_time_is_too_few_for_batch_norm():
    with pytest.raises(ConfigError, match="batch_size: expected at least 2"):
        tune(Stripes(3), finetune_recipe("default", multi_label=False).changed(batch_size=1))
    fixed = finetune_recipe("seco2021", multi_label=False).changed(batch_size=1, epochs=1)
    tune(Stripes(3), fixed)  # whose statistics are not learned
    _, losses = tune(Stripes(3), finetune_recipe("default", multi_label=False).changed(batch_size=2, epochs=1))
    assert np.isfinite(losses).all()
    with pytest.raises(DataError, match="at least 2 images to train on, got 1"):
        tune(Stripes(1), finetune_recipe("default", multi_label=False))
