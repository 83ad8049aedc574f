import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from reference.augment import augment as reference
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional

from seco.errors import ArrayError
from seco.ops.augment import augment_views
from seco.ops.random import sample_view_params
from seco.ops.recipe import RECIPES

# float32 carries 24 bits: a chain of about 40 operations on values up to 1 stays within 40 * 2**-24 = 2.4e-6 of exact
# arithmetic where it does not amplify. Peers divide by the chroma for hue, which magnifies what came before: three digits
# are left for that, still 1/100 of a grey level of 8 bits.
TOLERANCE = 1 / 255 / 100
NEUTRAL = {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0, "grey": False, "blur_sigma": 0, "flip": False}
IDENTITY = {"scale": 1.0, "offset": 0.0, "mean": 0.0, "std": 1.0}


def draw(shape, recipe="moco", keep=None):
    """Parameters of a batch; with ``keep``, everything but those fields does nothing."""
    n, dates, _, height, width = shape
    params = sample_view_params(recipe, np.arange(n), epoch=0, seed=5, height=height, width=width, dates=dates)
    if keep is not None:
        for name, value in NEUTRAL.items():
            if name not in keep:
                params[name] = value
    return params


def random_pixels(shape, dtype):
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def torchvision_view(pixels, view, size):
    f = functional
    x = torch.from_numpy(pixels[view["date"]]).float() / 255
    steps = [
        lambda x: f.adjust_brightness(x, float(view["brightness"])),
        lambda x: f.adjust_contrast(x, float(view["contrast"])),
        lambda x: f.adjust_saturation(x, float(view["saturation"])),
        lambda x: f.adjust_hue(x, float(view["hue"])),
    ]
    for step in view["order"]:
        x = steps[step](x)
    if view["grey"]:
        x = f.rgb_to_grayscale(x, 3)
    if view["blur_sigma"] > 0:
        x = f.gaussian_blur(x, [23, 23], [float(view["blur_sigma"])] * 2)
    if view["flip"]:
        x = f.horizontal_flip(x)
    box = [int(view[f"crop_{name}"]) for name in ("top", "left", "height", "width")]
    return f.resized_crop(x, *box, size=[size, size], antialias=True)


@pytest.mark.parametrize(
    "keep", [(), ("brightness",), ("contrast",), ("saturation",), ("hue",), ("grey",), ("blur_sigma",), ("flip",), None]
)
def test_rgb_views_are_torchvisions(keep):
    shape = (24, 2, 3, 40, 53)
    pixels, params = random_pixels(shape, np.uint8), draw(shape, "moco_tp", keep)
    views = augment_views(pixels, params, size=32, **IDENTITY | {"scale": 1 / 255})
    for n, v in np.ndindex(params.shape):
        expected = torchvision_view(pixels[n], params[n, v], 32).numpy()
        np.testing.assert_allclose(views[v, n], expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("bands", [1, 3, 4, 12, 16])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_views_are_the_references(bands, dtype):
    shape = (4, 3, bands, 31, 26)
    top = np.iinfo(dtype).max
    jittered = replace(RECIPES["seco"], band_gain=0.3, band_offset=0.1, band_drop_probability=0.2)
    pixels, params = random_pixels(shape, dtype), draw(shape, jittered)
    if bands != 3:
        params["hue"] = 0
    generator = np.random.default_rng(1)
    # Some values leave [0, 1] on both sides: the clamp is part of the chain.
    scale, offset = generator.uniform(0.8, 1.5, bands) / top, generator.uniform(-0.2, 0.1, bands)
    settings = {"scale": scale, "offset": offset, "mean": generator.uniform(0, 1, bands), "std": np.full(bands, 0.5)}
    views = augment_views(pixels, params, size=17, **settings)
    for n, v in np.ndindex(params.shape):
        expected = reference(pixels[n], params[n, v], size=17, rgb=bands == 3, **settings)
        np.testing.assert_allclose(views[v, n], expected, rtol=0, atol=TOLERANCE / 0.5)


@pytest.mark.parametrize("size", [1, 2, 9, 64])
@pytest.mark.parametrize("box", [(0, 0, 1, 1), (12, 14, 1, 1), (0, 0, 13, 15), (0, 10, 3, 5), (9, 0, 4, 15), (5, 3, 1, 9)])
def test_crops_of_every_kind(box, size):
    pixels = random_pixels((1, 1, 2, 13, 15), np.uint16)
    params = draw(pixels.shape, keep=())[:, :1]
    params["flip"] = True
    for name, value in zip(("top", "left", "height", "width"), box, strict=True):
        params[f"crop_{name}"] = value
    settings = IDENTITY | {"scale": 1 / 65535}
    views = augment_views(pixels, params, size=size, **settings)
    expected = reference(pixels[0], params[0, 0], size=size, rgb=False, **settings)
    np.testing.assert_allclose(views[0, 0], expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("side", [1, 2, 5, 11])
def test_blur_of_patches_smaller_than_its_reach(side):
    pixels = random_pixels((1, 1, 1, side, 30), np.uint8)
    params = draw(pixels.shape, keep=())[:, :1]
    params["blur_sigma"] = 2
    for name, value in {"top": 0, "left": 0, "height": side, "width": 30}.items():
        params[f"crop_{name}"] = value
    settings = IDENTITY | {"scale": 1 / 255}
    views = augment_views(pixels, params, size=30, **settings)
    expected = reference(pixels[0], params[0, 0], size=30, rgb=False, **settings)
    np.testing.assert_allclose(views[0, 0], expected, rtol=0, atol=TOLERANCE)


def test_threads_and_layout_change_no_bit():
    shape = (9, 3, 3, 33, 30)
    pixels, params = random_pixels(shape, np.uint16), draw(shape, "seco")
    settings = IDENTITY | {"scale": 1 / 65535}
    one = augment_views(pixels, params, size=20, threads=1, **settings)
    for threads in (2, 5):
        np.testing.assert_array_equal(augment_views(pixels, params, size=20, threads=threads, **settings), one)
    planes = augment_views(pixels, params, size=20, channels_last=False, **settings)
    np.testing.assert_array_equal(planes, one)
    assert planes.flags.c_contiguous
    assert one.transpose(0, 1, 3, 4, 2).flags.c_contiguous


# Prints how many threads there are in the end, of 64 asked for, where there is memory for the stacks of a few.
FEW_THREADS = """
import resource
from pathlib import Path
import numpy as np
from seco.ops.augment import augment_views
from seco.ops.random import sample_view_params
pixels = np.random.default_rng(0).integers(0, 10_000, (64, 1, 3, 32, 32)).astype(np.uint16)
params = sample_view_params("moco", np.arange(64), epoch=0, seed=0, height=32, width=32, dates=1)
options = dict(size=16, scale=1e-4, offset=0.0, mean=0.0, std=1.0)
expected = augment_views(pixels, params, threads=1, **options)
has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (has + (40 << 20), has + (40 << 20)))
assert (augment_views(pixels, params, threads=64, **options) == expected).all()
print(next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("Threads")).split()[1])
"""


def test_threads_that_the_system_refuses_are_done_without():
    done = subprocess.run(
        [sys.executable, "-P", "-c", FEW_THREADS],
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 64, "the limit does not bite"


DAEMON = """
import threading
import numpy as np
from seco.ops.augment import augment_views
from seco.ops.random import sample_view_params
pixels = np.ones((16, 1, 3, 264, 264), np.uint16)
params = sample_view_params("moco", np.arange(16), epoch=0, seed=0, height=264, width=264, dates=1)
begun = threading.Event()
def work():
    while True:
        augment_views(pixels, params, size=224, scale=1e-4, offset=0.0, mean=0.0, std=1.0, threads=2)
        begun.set()
threading.Thread(target=work, daemon=True).start()
begun.wait()
"""


def test_a_program_may_end_while_a_thread_of_it_makes_views():
    for _ in range(3):
        subprocess.run([sys.executable, "-P", "-c", DAEMON], check=True, timeout=60)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_rounded_float32(dtype):
    pixels = torch.from_numpy(random_pixels((6, 1, 3, 20, 20), np.uint8))
    params = draw(tuple(pixels.shape))
    # Small and large values reach the subnormal and the upper end of half precision.
    for std in (1e6, 1.0, 2e-5):
        settings = IDENTITY | {"scale": 1 / 255, "mean": 0.5, "std": std}
        exact = augment_views(pixels, params, size=12, **settings)
        half = augment_views(pixels, params, size=12, dtype=dtype, **settings)
        assert torch.equal(half, exact.to(getattr(torch, dtype)))


def test_torch_comes_back_channels_last():
    pixels = torch.from_numpy(random_pixels((2, 1, 3, 20, 20), np.uint8))
    views = augment_views(pixels, draw(tuple(pixels.shape)), size=8, **IDENTITY)
    assert views.shape == (2, 2, 3, 8, 8)
    assert views[0].is_contiguous(memory_format=torch.channels_last)


def test_kinds_of_tensors_are_tensors():
    pixels = torch.from_numpy(random_pixels((2, 1, 3, 20, 20), np.uint8))
    params = draw(tuple(pixels.shape))
    views = augment_views(tv_tensors.wrap(pixels, like=tv_tensors.Video(pixels)), params, size=8, **IDENTITY)
    assert type(views) is torch.Tensor
    assert torch.equal(views, augment_views(pixels, params, size=8, **IDENTITY))


def test_flipping_pixels_and_parameters_is_no_change():
    pixels = random_pixels((5, 1, 4, 24, 24), np.uint16)
    params = draw(pixels.shape, keep=("brightness", "contrast"))
    flipped = params.copy()
    flipped["flip"] = ~params["flip"]
    settings = IDENTITY | {"scale": 1 / 65535}
    straight = augment_views(pixels, params, size=16, **settings)
    mirrored = augment_views(np.ascontiguousarray(pixels[..., ::-1]), flipped, size=16, **settings)
    np.testing.assert_array_equal(mirrored, straight)  # greys are summed as integers, in any order


def bad(pixels=None, params=None, size=8, **changes):
    pixels = random_pixels((2, 1, 3, 9, 9), np.uint8) if pixels is None else pixels
    params = draw((2, 1, 3, 9, 9)) if params is None else params
    return lambda: augment_views(pixels, params, size=size, **IDENTITY | changes)


def changed(**fields):
    params = draw((2, 1, 3, 9, 9))
    for name, value in fields.items():
        params[name] = value
    return params


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (bad(np.zeros((2, 1, 3, 9, 9), np.float32)), "pixels: expected uint8 or uint16 digital numbers, got float32"),
        (bad(np.zeros((2, 3, 9, 9), np.uint8)), r"pixels: expected \[N, T, C, H, W\], got \[2, 3, 9, 9\]"),
        (bad(np.zeros((2, 1, 17, 9, 9), np.uint8)), "pixels: expected at most 16 bands, got 17"),
        (bad(np.zeros((2, 1, 3, 9, 18), np.uint8)[..., ::2]), "pixels: expected a contiguous array"),
        (bad(params=draw((3, 1, 3, 9, 9))), r"params: expected \[2, V\]"),
        (bad(params=draw((2, 1, 3, 90, 90))), "params: expected crops inside 9×9 px"),
        (bad(params=changed(date=1)), "params: expected dates 0 … 0, got 1;"),
        (bad(params=changed(crop_top=2**31 - 1)), "params: expected crops inside 9×9 px"),
        (bad(params=changed(crop_width=2**31 - 1)), "params: expected crops inside 9×9 px"),
        (bad(params=changed(order=2)), "params: expected order to be a permutation"),
        (bad(params=changed(contrast=np.nan)), "params: expected finite factors"),
        (bad(params=changed(hue=0.7)), "params: expected hue within"),
        (bad(params=changed(hue=0.1), rgb=False), "params: expected hue 0 for 3 bands"),
        (bad(np.zeros((2, 1, 4, 9, 9), np.uint8), rgb=True), "rgb: expected 3 bands, got 4"),
        (bad(scale=[1.0, 2.0]), "scale: expected one number or 3"),
        (bad(std=0.0), "std: expected positive"),
        (bad(std=1e-39), "std: expected positive"),
        (bad(size=0), "size: expected a whole number, 1"),
        (bad(size=8.0), "size: expected a whole number, 1 .* got 8.0"),
        (bad(dtype="int8"), "dtype: expected a name, one of"),
        (bad(dtype="bfloat16"), "dtype: expected float32 or float16 for numpy"),
        (bad(threads=0), "threads: expected a whole number, 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ArrayError, match=message):
        call()
