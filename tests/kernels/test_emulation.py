"""The arithmetic of the CUDA kernels, index for index, without a GPU."""

import numpy as np
import pytest
import torch
from kernels.cases import CASES, Case
from kernels.emulation import emulate_views

from seco.ops.augment import augment_views


def on_cpu(pixels, params, **settings):
    return torch.as_tensor(augment_views(torch.from_numpy(pixels), params, **settings))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_views_are_the_cpus_bit_for_bit(case):
    pixels, params, settings = case.make()
    expected = on_cpu(pixels, params, **settings)
    assert torch.equal(emulate_views(pixels, params, **settings), expected)
    # Threads between two barriers in the other order, planes instead of pixels: no bit changes.
    assert torch.equal(emulate_views(pixels, params, backwards=True, channels_last=False, **settings), expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("bands", [1, 3, 4, 12, 16])
@pytest.mark.parametrize("size", [16, 17])
def test_half_precision_is_rounded_and_copied_in_every_unit(dtype, channels_last, bands, size):
    pixels, params, settings = Case((2, 3, bands, 30, 30), size).make()
    settings |= {"dtype": dtype, "channels_last": channels_last}
    assert torch.equal(emulate_views(pixels, params, **settings), on_cpu(pixels, params, **settings))


@pytest.mark.parametrize(
    ("shape", "shared_limit"),
    [*(((2, 3, 3, 60, 60), limit) for limit in (24_000, 12_000, 6_000)), ((2, 3, 12, 60, 60), 24_000)],
)
def test_little_shared_memory_changes_no_bit(shape, shared_limit):
    # Narrower tiles, then rows that are made again instead of kept.
    pixels, params, settings = Case(shape, 20, "uint16").make()
    views = emulate_views(pixels, params, shared_limit=shared_limit, **settings)
    assert torch.equal(views, on_cpu(pixels, params, **settings))


def test_too_little_shared_memory_is_named():
    pixels, params, settings = Case((1, 3, 12, 60, 60), 20, "uint16").make()
    with pytest.raises(
        RuntimeError, match="size: expected views that need less of the GPU's shared memory, got patches of 60"
    ):
        emulate_views(pixels, params, shared_limit=3_000, **settings)
    views = emulate_views(pixels, params, shared_limit=3_000, shared_most=24_000, **settings)
    assert torch.equal(views, on_cpu(pixels, params, **settings)), "a block may have more than its half"


def test_more_than_32_bits_count_is_named(monkeypatch):
    side = 46_341
    _, params, settings = Case((1, 1, 1, 8, 8), side, only=(), method="moco").make()
    pixels = np.broadcast_to(np.uint8(0), (1, 1, 1, side, side))
    monkeypatch.setattr(torch, "full", lambda *_, **__: torch.empty(0))  # nobody gets to write
    with pytest.raises(RuntimeError, match=r"pixels: expected patches and views of fewer than 2\^31 values, got 2147488281"):
        emulate_views(pixels, params, dtype="float16", **settings)


def test_parameters_of_another_size_stay_inside_the_patch():
    pixels, params, settings = Case((2, 2, 3, 40, 40), 16, only=(), method="moco_tp").make()
    expected = on_cpu(pixels, params, **settings)
    wild = params.copy()
    wild["date"][0, 0] = 7
    wild["crop_top"][0, 1], wild["crop_left"][0, 1] = 10_000, -3
    wild["crop_height"][1, 0] = -(2**31)
    wild["crop_width"][1, 0] = 2**31 - 1
    views = emulate_views(pixels, wild, **settings)
    assert not views.isnan().any()
    assert torch.equal(views[1, 1], expected[1, 1])


def test_coefficients_reach_their_bands():
    pixels = np.full((1, 1, 4, 8, 8), 10, np.uint8)
    _, params, _ = Case((1, 1, 4, 8, 8), 4, only=(), method="moco").make()
    views = emulate_views(
        pixels, params, size=4, scale=[0.01, 0.02, 0.03, 0.04], offset=0, mean=[0, 0, 0, 0.4], std=[1, 1, 0.5, 1]
    )
    np.testing.assert_allclose(views[0, 0, :, 0, 0], [0.1, 0.2, 0.6, 0.0], rtol=0, atol=1e-6)
