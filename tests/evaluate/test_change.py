"""Change detection: an easy change is found, unknown pixels do not count, every pixel is looked at once."""

import sys

import numpy as np
import pytest
import torch

from seco.data.normalization import Normalization
from seco.errors import ConfigError, DataError
from seco.evaluate.change import SiameseUNet, change_recipe, fit_change, known_loss, predict_change, read_tiles, tile_corners
from seco.pretrain.backbone import build_backbone
from seco.pretrain.encoder import Encoder

pytest.importorskip("segmentation_models_pytorch", reason="segmentation_models_pytorch is not installed")

CPU = torch.device("cpu")
TILE = 32
BANDS = ("B04", "B03", "B02")


def make_pair(seed, height=70, width=50):
    """Noise before, the same with some bright rectangles after."""
    random = np.random.default_rng(seed)
    before = random.integers(60, 100, (3, height, width), dtype=np.uint8)
    after, mask = before.copy(), np.zeros((height, width), np.int8)
    for _ in range(3):
        top, left = random.integers(0, height - 20), random.integers(0, width - 20)
        after[:, top : top + 20, left : left + 20] = 220
        mask[top : top + 20, left : left + 20] = 1
    return before, after, mask


def encoder(name="test_resnet", size=TILE):
    torch.manual_seed(0)
    normalization = Normalization(BANDS, (1 / 255,) * 3, (0.0,) * 3, (0.5,) * 3, (0.2,) * 3)
    return Encoder(build_backbone(name, 3).eval(), normalization, size, name)


def fit(pairs, start=None, *, seed=0, train_encoder=False, **settings):
    recipe = change_recipe("default", train_encoder=train_encoder).changed(**{"epochs": 10, "batch_size": 8} | settings)
    return fit_change(start or encoder(), pairs, recipe=recipe, seed=seed, device=CPU)


def test_an_easy_change_is_found_on_other_images():
    model, losses = fit([make_pair(seed) for seed in range(4)])
    assert losses[-1] < losses[0] / 2
    pair = make_pair(9)
    changed = predict_change(model, encoder(), pair, batch_size=3, device=CPU)
    assert changed.shape == pair[2].shape
    truth = pair[2] == 1
    # Calling everything changed overlaps by the share of change, below 0.4.
    assert truth.mean() < 0.4
    assert (changed & truth).sum() / (changed | truth).sum() > 0.6
    nothing = predict_change(model, encoder(), (pair[0], pair[0], pair[2]), batch_size=3, device=CPU)
    assert nothing.mean() < 0.05


@pytest.mark.parametrize("train_encoder", [False, True])
def test_the_encoder_learns_only_if_asked_to(train_encoder):
    start = encoder()
    before = {name: value.clone() for name, value in start.backbone.state_dict().items()}
    model, _ = fit([make_pair(0)], start, train_encoder=train_encoder, epochs=1)
    after = model.backbone.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in before) == train_encoder
    assert all(torch.equal(before[name], value) for name, value in start.backbone.state_dict().items())


def test_a_seed_decides_everything():
    first, again, other = (fit([make_pair(0)], seed=seed, epochs=1)[0].state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


def test_an_encoder_of_another_type_learns_in_float32():
    start, double = encoder(), encoder()
    double.backbone.load_state_dict(start.backbone.state_dict())
    double.backbone.double()
    assert fit([make_pair(0)], double, epochs=1)[1] == fit([make_pair(0)], start, epochs=1)[1]


def test_what_nobody_knows_teaches_nothing():
    random = np.random.default_rng(0)
    scores = torch.from_numpy(random.normal(size=(2, 8, 8))).requires_grad_()
    masks = torch.from_numpy(random.integers(-1, 2, (2, 8, 8)).astype(float))
    loss = known_loss(scores, masks)
    known = masks != -1
    probability = torch.sigmoid(scores.detach())
    expected = -torch.log(torch.where(masks == 1, probability, 1 - probability))[known].mean()
    assert float(loss.detach()) == pytest.approx(float(expected), rel=1e-12)
    loss.backward()
    assert torch.equal(scores.grad != 0, known)
    nothing = known_loss(scores, torch.full_like(masks, -1))
    assert float(nothing.detach()) == 0


def test_order_of_the_dates_does_not_matter():
    model = SiameseUNet(encoder().backbone, in_channels=3, tile=TILE, dropout=0.3, train_encoder=False).eval()
    images, _ = read_tiles(encoder(), [make_pair(0)], [(0, 0, 0)])
    with torch.inference_mode():
        scores = model(images)
        assert scores.shape == (1, TILE, TILE)
        # Only the image behind the coarsest skip could tell them apart, and the decoder does not look at it.
        assert torch.equal(scores, model(images.flip(1)))


@pytest.mark.parametrize("shape", [(96, 96), (97, 200), (50, 300), (192, 96)])
def test_tiles_cover_every_pixel(shape):
    seen = np.zeros(shape, int)
    for top, left in tile_corners(shape, 96):
        assert top + min(96, shape[0]) <= shape[0]
        assert left + min(96, shape[1]) <= shape[1]
        seen[top : top + 96, left : left + 96] += 1
    assert seen.min() >= 1
    assert len(tile_corners(shape, 96)) == -(-shape[0] // 96) * -(-shape[1] // 96)


def test_tiles_hold_the_normalised_pixels_and_the_rest_is_unknown():
    pair = make_pair(0, height=40, width=24)
    images, masks = read_tiles(encoder(), [pair], [(0, 8, 0)])
    expected = (pair[1][:, 8:40].astype(np.float64) / 255 - 0.5) / 0.2
    # Values of at most 2.5, a few roundings to float32.
    np.testing.assert_allclose(images[0, 1, :, :, :24].numpy(), expected, rtol=0, atol=8 * 2.5 * 2**-24)
    np.testing.assert_array_equal(masks[0, :, :24], pair[2][8:40])
    assert (masks[0, :, 24:] == -1).all()


@pytest.mark.parametrize("name", ["convnext_atto", "mobilenetv3_small_050"])
def test_other_backbones_have_other_levels(name):
    model = SiameseUNet(encoder(name, 64).backbone, in_channels=3, tile=64, dropout=0.3, train_encoder=False)
    assert model(torch.zeros(2, 2, 3, 64, 64)).shape == (2, 64, 64)


def test_backbones_without_levels_are_refused():
    settings = {"in_channels": 3, "tile": 32, "dropout": 0.3, "train_encoder": False}
    with pytest.raises(ConfigError, match="coarser from level to level"):
        SiameseUNet(build_backbone("test_vit", 3), **settings | {"tile": 160})
    with pytest.raises(ConfigError, match="expected one that takes 32 px"):
        SiameseUNet(build_backbone("swin_tiny_patch4_window7_224", 3), **settings)
    with pytest.raises(ConfigError, match="gives features at several levels, got Linear"):
        SiameseUNet(torch.nn.Linear(3, 3), **settings)


def test_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch.decoders.unet.decoder", None)
    with pytest.raises(ConfigError, match=r"pip install 'seco-eo\[evaluate\]'"):
        fit([make_pair(0)])


def test_masks_of_one_kind():
    before, after, mask = make_pair(0)
    with pytest.raises(DataError, match="changed and unchanged pixels"):
        fit([(before, after, np.zeros_like(mask))])


def test_pairs_of_another_type_are_named():
    before, after, mask = make_pair(0)
    deep = before.astype(np.uint16) + 256, after.astype(np.uint16) + 256, mask
    with pytest.raises(DataError, match="pairs: expected uint8 for all images, as pair 0 has, got uint16 in pair 1"):
        read_tiles(encoder(), [(before.astype(np.uint8), after.astype(np.uint8), mask), deep], [(0, 0, 0), (1, 0, 0)])
