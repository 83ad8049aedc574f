from dataclasses import replace

import numpy as np
import pytest

from seco.errors import ArrayError
from seco.ops.random import VIEW_DTYPE, permutation, philox, sample_view_params
from seco.ops.recipe import RECIPES, ViewRecipe

# Known answers of Random123, the authors' own implementation (kat_vectors, philox4x32 with 10 rounds).
KNOWN = [
    ((0, 0, 0, 0), 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, 0xFFFFFFFFFFFFFFFF, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        0x299F31D0A4093822,
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def draw(recipe="seco", ids=range(2000), **changes):
    settings = {"epoch": 0, "seed": 7, "height": 264, "width": 200, "dates": 5} | changes
    return sample_view_params(recipe, np.array(ids), **settings)


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_authors_answers(counter, key, expected):
    assert tuple(philox([counter], key)[0]) == expected


def test_parameters_do_not_depend_on_the_batch():
    assert (draw(ids=range(100))[37:40] == draw(ids=range(37, 40))).all()
    assert (draw(ids=[5, 3])[::-1] == draw(ids=[3, 5])).all()


@pytest.mark.parametrize("change", [{"epoch": 1}, {"seed": 8}])
def test_epoch_and_seed_change_every_location(change):
    before, after = draw(), draw(**change)
    assert (before["crop_top"] != after["crop_top"]).any(axis=1).mean() > 0.99


def test_seasons_of_a_location_are_distinct():
    dates = draw(dates=3)["date"]
    assert (np.sort(dates[:, :3], axis=1) == np.arange(3)).all()  # three of three: a permutation
    assert (dates[:, 3] == dates[:, 0]).all()  # k2 shows the query's date
    # All six permutations of three dates, each within five standard deviations of a sixth.
    _, counts = np.unique(dates[:, :3], axis=0, return_counts=True)
    assert len(counts) == 6
    assert (abs(counts - 2000 / 6) < 5 * np.sqrt(2000 * 1 / 6 * 5 / 6)).all()


def test_dates_of_2021_repeat():
    dates = draw(replace(RECIPES["seco"], distinct_dates=False))["date"][:, :3]
    distinct = np.mean([len(set(row)) == 3 for row in dates.tolist()])
    assert abs(distinct - 0.48) < 5 * np.sqrt(0.48 * 0.52 / 2000)  # the share that issue 26 of the 2021 code computes


def test_each_location_has_its_own_number_of_dates():
    dates = draw(ids=range(3), dates=[3, 4, 50])["date"]
    assert (dates.max(axis=1) < [3, 4, 50]).all()


def test_crop_only_views_are_only_cropped():
    params = draw()
    for view in (0, 2):
        for name, neutral in {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0, "blur_sigma": 0}.items():
            assert (params[name][:, view] == neutral).all()
        assert not params["grey"][:, view].any()
        assert not params["flip"][:, view].any()


@pytest.mark.parametrize(
    ("share", "probability"),
    [
        (lambda p: p["brightness"] != 1, 0.8),
        (lambda p: p["grey"], 0.2),
        (lambda p: p["blur_sigma"] > 0, 0.5),
        (lambda p: p["flip"], 0.5),
        (lambda p: p["order"][:, 0] == 3, 0.25),
    ],
)
def test_probabilities_are_those_of_the_recipe(share, probability):
    drawn = share(draw("moco")[:, 1])
    assert abs(drawn.mean() - probability) < 5 * np.sqrt(probability * (1 - probability) / len(drawn))


def test_factors_and_crops_stay_in_range():
    p = draw("moco").reshape(-1)
    for name in ("brightness", "contrast", "saturation"):
        assert p[name].min() >= np.float32(0.6)
        assert p[name].max() <= np.float32(1.4)
    assert abs(p["hue"]).max() <= np.float32(0.1)
    assert p["blur_sigma"].max() <= 2
    assert (p["crop_top"] + p["crop_height"] <= 264).all()
    assert (p["crop_left"] + p["crop_width"] <= 200).all()
    area = p["crop_height"] * p["crop_width"] / (264 * 200)
    # Rounding a side by half a pixel changes the area by less than (h + w) / 2 + 1 pixels.
    assert area.min() > 0.2 - (264 + 200) / 2 / (264 * 200)
    assert area.max() <= 1


def test_a_patch_too_narrow_for_any_ratio_is_cropped_in_its_centre():
    crop = draw(ids=[0], height=1, width=300)[0, 0]
    assert tuple(crop[["crop_top", "crop_left", "crop_height", "crop_width"]]) == (0, 149, 1, 1)


def test_crops_of_a_tiny_patch_have_a_pixel():
    recipe = replace(RECIPES["moco"], crop_ratio=(0.08, 0.085), crop_scale=(0.36, 0.46))  # no try fits
    views = sample_view_params(recipe, np.arange(4), epoch=0, seed=0, height=3, width=1, dates=1)
    assert (views["crop_width"] == 1).all()
    assert (views["crop_height"] == 3).all()


def test_bands_are_jittered_each_on_its_own_and_dropped():
    recipe = replace(RECIPES["seco"], band_gain=0.2, band_offset=0.1, band_drop_probability=0.25)
    p = draw(recipe)
    assert not p["band_gain"][:, [0, 2]].any()
    gain, offset = p["band_gain"][:, [1, 3]], p["band_offset"][:, [1, 3]]
    dropped = gain == -1
    assert abs(dropped.mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / dropped.size)
    assert not offset[dropped].any()
    assert np.ptp(gain[~dropped]) == pytest.approx(0.4, rel=0.01)
    assert np.ptp(offset[~dropped]) == pytest.approx(0.2, rel=0.01)
    assert abs(np.corrcoef(gain.reshape(-1, 16).T) - np.eye(16)).max() < 0.2


def test_band_jitter_changes_no_other_draw():
    jittered, plain = draw(replace(RECIPES["moco"], band_gain=0.2)), draw("moco")
    assert jittered["band_gain"].any()
    for name in set(VIEW_DTYPE.names) - {"band_gain"}:
        assert (jittered[name] == plain[name]).all()


def test_permutation_is_a_shuffle():
    order = permutation(1000, seed=3, epoch=0)
    assert (np.sort(order) == np.arange(1000)).all()
    assert (order != permutation(1000, seed=3, epoch=1)).mean() > 0.98
    assert (order == permutation(1000, seed=3, epoch=0)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw("simclr"), "recipe: expected one of seco, moco, moco_tp"),
        (lambda: draw(dates=2), "dates: expected at least 3 for each location, got 2"),
        (lambda: draw(ids=[-1]), "sample_ids: expected 0"),
        (lambda: draw(ids=[0.5]), "sample_ids: expected integers"),
        (lambda: draw(dates=[3, 4]), r"dates: expected one integer or \["),
        (lambda: draw(dates=3.5), "dates: expected one integer"),
        (lambda: draw(seed=-1), "seed: expected a whole number, 0"),
        (lambda: draw(seed=1.5), "seed: expected a whole number, 0"),
        (lambda: draw(epoch=-1), "epoch: expected a whole number, 0"),
        (lambda: draw(epoch=1 << 32), "epoch: expected a whole number, 0"),
        (lambda: draw(height=0), "height: expected a whole number, 1"),
        (lambda: draw(width=32.5), "width: expected a whole number, 1"),
        (lambda: draw(width=1 << 31), "width: expected a whole number, 1"),
        (lambda: draw(dates=1 << 31), r"dates: expected at most 2\*\*31"),
        (lambda: draw(["seco"]), "recipe: expected one of seco, moco, moco_tp"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ArrayError, match=message):
        call()


def test_small_integers_of_numpy_do_not_wrap_around():
    np.testing.assert_array_equal(draw(height=np.int16(264), width=np.uint8(64)), draw(height=264, width=64))


def test_no_samples_have_no_parameters():
    assert draw(ids=[]).shape == (0, 4)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"names": ()}, "names, dates, augmented"),
        ({"dates": (0, 1)}, "names, dates, augmented"),
        ({"augmented": (True,) * 5}, "names, dates, augmented"),
        ({"dates": (0, 1, 3, 0)}, "dates"),
        ({"dates": (0, -1, 1, 2)}, "dates"),
        ({"grey_probability": 1.5}, "grey_probability"),
        ({"flip_probability": float("nan")}, "flip_probability"),
        ({"brightness": -0.1}, "brightness"),
        ({"hue": 0.6}, "hue"),
        ({"crop_scale": (0.5, 0.2)}, "crop_scale"),
        ({"crop_scale": (0.5, 1.2)}, "crop_scale"),
        ({"crop_ratio": (0.0, 1.0)}, "crop_ratio"),
        ({"crop_scale": 0.2}, "crop_scale"),
        ({"blur_sigma": (2.0, float("inf"))}, "blur_sigma"),
    ],
)
def test_impossible_recipes_are_refused(change, name):
    with pytest.raises(ArrayError, match=f"^{name}: expected"):
        replace(RECIPES["seco"], **change)


def test_the_least_crop_and_blur_may_be_none_at_all():
    recipe = replace(RECIPES["moco"], crop_scale=(0.0, 1.0), blur_sigma=(0.0, 2.0))
    params = draw(recipe, height=24, width=24)
    assert params["crop_height"].min() >= 1
    assert params["crop_width"].min() >= 1


def test_more_dates_than_a_block_draws_are_refused():
    with pytest.raises(ArrayError, match="up to 4"):
        ViewRecipe(names=tuple("abcde"), dates=tuple(range(5)), augmented=(True,) * 5)


def test_dtype_has_the_fields_of_the_contract():
    assert VIEW_DTYPE["order"].shape == (4,)
    assert {VIEW_DTYPE[n] for n in ("date", "crop_top", "crop_left", "crop_height", "crop_width")} == {np.dtype("int32")}
    assert {VIEW_DTYPE[n] for n in ("flip", "grey")} == {np.dtype("bool")}
