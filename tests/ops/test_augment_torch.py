"""The torch operator, on a CPU: schema, fake tensors, compilation, words of refusal."""

import numpy as np
import pytest
import torch

from seco.errors import ArrayError
from seco.ops.augment import augment_views
from seco.ops.augment_torch import augment_views_op, coefficients_tensor, params_tensor
from seco.ops.random import sample_view_params


def batch(bands=3):
    generator = np.random.default_rng(0)
    pixels = torch.from_numpy(generator.integers(0, 255, (4, 3, bands, 20, 24), dtype=np.uint8))
    params = sample_view_params("seco", np.arange(4), epoch=0, seed=0, height=20, width=24, dates=3)
    if bands != 3:
        params["hue"] = 0
    ones = np.ones(bands, np.float32)
    per_band = {"scale": ones / 255, "offset": ones * 0, "mean": ones * 0.4, "inverse_std": ones / np.float32(0.3)}
    return pixels, params, per_band


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [True, False])
def test_it_makes_the_views_of_augment_views(dtype, channels_last):
    pixels, params, per_band = batch()
    name = str(dtype).removeprefix("torch.")
    settings = {"scale": 1 / 255, "offset": 0.0, "mean": 0.4, "std": 0.3, "dtype": name, "channels_last": channels_last}
    expected = augment_views(pixels, params, size=16, **settings)
    views = augment_views_op(
        pixels,
        params_tensor(params),
        coefficients_tensor(per_band),
        size=16,
        dtype=dtype,
        channels_last=channels_last,
    )
    assert torch.equal(views, expected)
    assert views.stride() == expected.stride()


@pytest.mark.parametrize("channels_last", [True, False])
def test_operator_keeps_torchs_rules(channels_last):
    pixels, params, per_band = batch(bands=4)
    arguments = (pixels, params_tensor(params), coefficients_tensor(per_band))
    options = {"size": 8, "dtype": torch.bfloat16, "channels_last": channels_last}
    torch.library.opcheck(torch.ops.seco.augment_views.default, arguments, options)


def test_it_compiles_with_what_follows():
    pixels, params, per_band = batch()

    def step(pixels, params, coefficients):
        views = torch.ops.seco.augment_views(pixels, params, coefficients, size=16, dtype=torch.float32, rgb=True)
        return (views * 2).mean(dim=(2, 3, 4))

    arguments = (pixels, params_tensor(params), coefficients_tensor(per_band))
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*arguments), step(*arguments))


def call(**changes):
    pixels, params, per_band = batch()
    tensors = {"pixels": pixels, "params": params_tensor(params), "coefficients": coefficients_tensor(per_band)}
    return augment_views_op(**tensors | {"size": 8, "dtype": torch.float32, "rgb": True} | changes)


def out_of_range():
    _, params, _ = batch()
    params["date"][0, 0] = 3
    return params_tensor(params)


def params_at(odd):
    """The same parameters ``odd`` bytes behind the beginning of some memory."""
    params = params_tensor(batch()[1])
    memory = torch.zeros(odd + params.numel(), dtype=torch.uint8)
    return memory[odd:].reshape(params.shape).copy_(params)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixels": torch.zeros(4, 3, 3, 20, 24)}, "pixels: expected uint8 or uint16"),
        ({"pixels": torch.zeros(5, 3, 3, 20, 24, dtype=torch.uint8)}, "params: expected a tensor of params_tensor"),
        ({"params": torch.zeros(4, 4, 7, dtype=torch.uint8)}, "params: expected a tensor of params_tensor"),
        ({"params": out_of_range()}, "params: expected dates 0 … 2, got 3"),
        ({"params": params_at(1)}, "params: expected memory that begins at a multiple of 4 bytes"),
        ({"rgb": False}, "params: expected hue 0 for 3 bands"),
        ({"coefficients": torch.zeros(4, 5)}, "coefficients: expected a tensor of coefficients_tensor"),
        ({"dtype": torch.int8}, "dtype: expected torch.float32"),
    ],
)
def test_bad_input_is_named(changes, message):
    with pytest.raises(ArrayError, match=message):
        call(**changes)
