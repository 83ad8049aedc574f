"""Features of whole patches: the right pixels, in the right order, whatever the batch."""

import numpy as np
import pytest
import torch
from torch import nn

from seco.data.normalization import Normalization
from seco.data.store import open_store
from seco.errors import ConfigError, DataError
from seco.evaluate.datasets import StorePatches
from seco.evaluate.features import extract_features, normalized_input
from seco.pretrain.backbone import build_backbone
from seco.pretrain.encoder import Encoder

SIZE = 8
BANDS = ("B04", "B08")


@pytest.fixture
def store(make_store):
    return open_store(make_store())


class Pixels(nn.Module):
    """Its features are its input."""

    def forward(self, views):
        return views.flatten(1)


def encoder(store, backbone, bands=BANDS, size=SIZE):
    return Encoder(backbone, Normalization.from_store(store, bands), size, "test")


def expected_input(store, pixels, bands):
    """``(clip(dn * scale + offset, 0, 1) - mean) / std`` in float64."""
    normalization = Normalization.from_store(store, bands)
    scale, offset, mean, std = (
        np.array(getattr(normalization, name))[:, None, None] for name in ("scale", "offset", "mean", "std")
    )
    return (np.clip(pixels.astype(np.float64) * scale + offset, 0, 1) - mean) / std


def test_every_patch_in_the_order_of_the_store(store):
    images = StorePatches(store)
    found = extract_features(encoder(store, Pixels()), images, batch_size=4)
    columns = [store.band_names.index(name) for name in BANDS]
    patches = [pixels[columns] for i in range(len(store)) for pixels in store[i][1]]
    expected = np.stack([expected_input(store, pixels, BANDS).ravel() for pixels in patches])
    assert found.dtype == np.float32
    # dn * scale <= 1.3 and every step rounds once to float32 (2^-24 relative): six steps on numbers below 2 / std.
    std = min(Normalization.from_store(store, BANDS).std)
    np.testing.assert_allclose(found, expected, rtol=0, atol=6 * 2 / std * 2**-24)
    np.testing.assert_array_equal(images.locations, [0, 0, 0, 1, 1, 1, 2, 2, 2])


def test_a_patch_is_resized_whole(store):
    images = StorePatches(store)
    small = normalized_input(encoder(store, Pixels(), size=SIZE // 2), images.read(np.arange(0, 2), BANDS))
    assert small.shape == (2, 2, SIZE // 2, SIZE // 2)
    full = normalized_input(encoder(store, Pixels()), images.read(np.arange(0, 2), BANDS))
    whole = nn.functional.interpolate(full, scale_factor=0.5, mode="bilinear", antialias=True)
    # A bilinear weight is rounded to float32, four products are summed in each direction.
    assert torch.allclose(small, whole, rtol=0, atol=16 * float(full.abs().max()) * 2**-24)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_feature_does_not_depend_on_its_batch(store, batch_size):
    # Left in training mode, batch normalisation would mix the images of a batch.
    backbone = nn.Sequential(nn.BatchNorm2d(2), nn.Flatten()).train()
    images = StorePatches(store)
    found = extract_features(encoder(store, backbone), images, batch_size=batch_size)
    np.testing.assert_array_equal(found, extract_features(encoder(store, backbone), images, batch_size=10))


def test_a_missing_band_is_named(store):
    images = StorePatches(store)
    normalization = Normalization(("B04", "VV"), (1.0, 1.0), (0.0, 0.0), (0.0, 0.0), (1.0, 1.0))
    with pytest.raises(DataError, match="none named VV; there are B01, B02, B03"):
        extract_features(Encoder(Pixels(), normalization, SIZE, "test"), images)


def test_a_size_that_the_backbone_does_not_take_is_named(store):
    backbone = build_backbone("vit_tiny_patch16_224", len(BANDS))
    with pytest.raises(ConfigError, match="backbone: expected one that takes 8 px, got VisionTransformer, which says"):
        extract_features(encoder(store, backbone), StorePatches(store))


def test_broken_weights_are_noticed(store):
    broken = nn.Sequential(nn.Flatten(), nn.Linear(2 * SIZE**2, 3))
    with torch.no_grad():
        broken[1].weight.fill_(torch.nan)
    with pytest.raises(DataError, match="NaN or infinity for 9 of 9"):
        extract_features(encoder(store, broken), StorePatches(store))


def test_every_module_is_left_in_its_mode(store):
    backbone = nn.Sequential(nn.BatchNorm2d(2), nn.Flatten(), nn.Dropout()).train()
    backbone[0].eval()
    extract_features(encoder(store, backbone), StorePatches(store))
    assert [module.training for module in backbone.modules()] == [True, False, True, True]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_an_encoder_runs_in_the_type_of_its_weights(store, dtype):
    network, images = encoder(store, nn.Sequential(nn.Flatten(), nn.Linear(2 * SIZE**2, 3)).to(dtype)), StorePatches(store)
    found = extract_features(network, images)
    batch = normalized_input(network, images.read(np.arange(len(images)), BANDS))
    with torch.inference_mode():
        expected = network.backbone(batch.to(dtype)).float().numpy()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_no_rows_are_as_wide_as_others(store):
    images = StorePatches(store)
    assert extract_features(encoder(store, Pixels()), images, rows=np.empty(0, np.int64)).shape == (0, 2 * SIZE**2)


@pytest.mark.parametrize(
    ("forward", "got"),
    [
        (lambda views: (views.flatten(1), views), "tuple"),
        (lambda views: {"features": views.flatten(1)}, "dict"),
        (lambda views: views.mean(dim=(1, 2, 3)), r"\[1\]"),
        (lambda views: views, r"\[1, 2, 8, 8\]"),
    ],
)
def test_a_network_that_gives_no_vectors_is_named(store, forward, got):
    network = Pixels()
    network.forward = forward
    with pytest.raises(ConfigError, match=rf"expected one that gives features \[N, d\], got {got} of one image from Pixels"):
        extract_features(encoder(store, network), StorePatches(store))
