"""DALI's operator of the views makes those of ``augment_views``, and refuses what it refuses."""

import dali_plugin  # noqa: F401 - skips all of it where there is none
import numpy as np
import pytest
from kernels.cases import Case

import seco.dali  # noqa: F401 - adds the operators
from seco.ops.augment import augment_views
from seco.ops.augment_torch import params_tensor

fn = pytest.importorskip("nvidia.dali.fn")


@pytest.fixture(params=["cpu", pytest.param("gpu", marks=pytest.mark.gpu)])
def views_of(request):
    """Makes views ``[N, V, size, size, C]`` of pixels and parameters."""
    from nvidia.dali import Pipeline

    on_gpu = request.param == "gpu"

    def views(pixels, params, *, scale, offset, mean, std, **options):
        per_band = {"scale": scale, "offset": offset, "mean": mean, "inverse_std": 1 / np.float32(std)}
        per_band = {name: np.broadcast_to(np.float32(value), pixels.shape[2]).tolist() for name, value in per_band.items()}
        records = params_tensor(params).numpy()
        with Pipeline(batch_size=len(pixels), num_threads=2, device_id=0 if on_gpu else None) as pipeline:
            patches = fn.external_source(source=lambda: list(pixels))
            drawn = fn.external_source(source=lambda: list(records))
            patches = patches.gpu() if on_gpu else patches
            pipeline.set_outputs(fn.seco.augment_views(patches, drawn, device=request.param, **per_band, **options))
        pipeline.build()
        return np.stack([np.array(sample) for sample in pipeline.run()[0].as_cpu()])

    return views


@pytest.mark.parametrize("bands", [1, 3, 4, 12])
def test_they_are_those_of_augment_views(views_of, bands):
    pixels, params, settings = Case((4, 3, bands, 40, 44), 16).make()
    expected = np.asarray(augment_views(pixels, params, **settings))
    np.testing.assert_array_equal(views_of(pixels, params, **settings), expected.transpose(1, 0, 3, 4, 2))


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("date", 3, "expected dates 0 … 2, got 3"),
        ("crop_top", 2**31 - 1, "expected crops inside 20×24 px"),
        ("order", 2, "expected order to be a permutation"),
        ("contrast", np.nan, "expected finite factors"),
        ("blur_sigma", -1, "expected finite factors and blur_sigma ≥ 0"),
        ("hue", 0.7, "expected hue within"),
    ],
)
def test_records_that_cannot_be_are_named(views_of, field, value, message):
    pixels, params, settings = Case((2, 3, 3, 20, 24), 8).make()
    params[field][1, 0] = value
    with pytest.raises(ValueError, match=f"params: {message}"):
        views_of(pixels, params, **settings)


def test_a_hue_of_other_bands_is_named(views_of):
    pixels, params, settings = Case((2, 3, 3, 20, 24), 8, only=("hue",)).make()
    settings["rgb"] = False
    with pytest.raises(ValueError, match="params: expected hue 0 for 3 bands that are not red, green, blue"):
        views_of(pixels, params, **settings)
