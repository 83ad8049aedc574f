"""Counter-based random numbers, and the view parameters drawn from them.

Every number is Philox4x32-10 of (epoch, sample, view, draw) under the key ``seed``: the same whatever the batch, the number
of threads, workers or ranks, the device or the point of resumption.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from seco import _core
from seco.errors import ArrayError
from seco.ops.recipe import ViewRecipe, find_recipe
from seco.ops.whole_numbers import whole_number

VIEW_DTYPE: np.dtype[np.void] = _core.view_dtype

# Values of the counter's view word that are not views.
_DATES = 0xFFFFFFFF
_SHUFFLE = 0xFFFFFFFE
_SUBSTITUTE = 0xFFFFFFFD
# Draws of a view: each is one block of four words.
_JITTER, _BLUR, _ORDER, _FIRST_CROP = 0, 1, 2, 3
_CROP_TRIES = 10
_FIRST_BAND = _FIRST_CROP + _CROP_TRIES
MAX_BANDS: int = VIEW_DTYPE["band_gain"].shape[0]
_PERMUTATIONS = np.array(
    [[a, b, c, 6 - a - b - c] for a in range(4) for b in range(4) for c in range(4) if len({a, b, c}) == 3],
    dtype=np.int8,
)


def philox(counters: ArrayLike, key: int) -> NDArray[np.uint32]:
    """Philox4x32-10 blocks.

    Args:
        counters: uint32 ``[N, 4]``.
        key: 64-bit key.

    Returns:
        uint32 ``[N, 4]``.

    Source:
        Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011. Maths: ``csrc/common/philox.hpp``.
    """
    return _core.philox(np.asarray(counters, dtype=np.uint32), _checked_key(key))


def permutation(n: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """A shuffle of ``0 … n - 1`` that is a pure function of seed and epoch: int64 ``[n]``."""
    words = _blocks(seed, epoch, np.arange(n), _SHUFFLE, 0)
    keys = words[:, 0].astype(np.uint64) << np.uint64(32) | words[:, 1]
    return np.argsort(keys, kind="stable")


def substitute(n: int, *, seed: int, epoch: int, sample: int, attempt: int) -> int:
    """Number 0 … n - 1 of the sample that stands in for ``sample``, which could not be read; a pure function."""
    words = _blocks(seed, epoch, np.array([sample]), _SUBSTITUTE, attempt)[0]
    return (int(words[0]) << 32 | int(words[1])) * n >> 64


def sample_view_params(
    recipe: str | ViewRecipe,
    sample_ids: ArrayLike,
    *,
    epoch: int,
    seed: int,
    height: int,
    width: int,
    dates: ArrayLike,
) -> NDArray[np.void]:
    """Draw the parameters of all views of a batch.

    Args:
        recipe: Name of a method (``"seco"``, ``"moco"``, ``"moco_tp"``) or a recipe.
        sample_ids: Location numbers, ``[N]``, 0 … 2³² - 1.
        epoch: Pass over the data, from 0.
        seed: Of the run, 64 bits.
        height: Of the patches, pixels.
        width: Of the patches, pixels.
        dates: Number of dates of every location: one number or ``[N]``.

    Returns:
        Structured array ``[N, V]``, one record a view: ``date`` (index into the location's dates), ``crop_top``,
        ``crop_left``, ``crop_height``, ``crop_width`` (of the flipped patch, pixels), ``flip``, ``order`` (of 0 brightness,
        1 contrast, 2 saturation, 3 hue), ``brightness``, ``contrast``, ``saturation``, ``hue``, ``grey``, ``blur_sigma``,
        ``band_gain`` and ``band_offset`` (of 16 bands; 0 does nothing, gain -1 drops a band).

    Raises:
        ArrayError: If the recipe is unknown, a location has too few dates, or a number is out of range.
    """
    chosen = find_recipe(recipe)
    ids = _checked_ids(sample_ids)
    epoch = whole_number("epoch", epoch, bits=32, remedy="count passes from 0")
    height = whole_number("height", height, low=1, bits=31, remedy="give that of the patches, pixels")
    width = whole_number("width", width, low=1, bits=31, remedy="give that of the patches, pixels")
    params = neutral_views(len(ids), chosen.num_views, height, width)
    params["date"] = _draw_dates(chosen, _Draws(seed, epoch, ids, _DATES), dates)
    for view, augmented in enumerate(chosen.augmented):
        draws = _Draws(seed, epoch, ids, view)
        if augmented:
            _draw_colour(params[:, view], chosen, draws)
            if chosen.band_gain or chosen.band_offset or chosen.band_drop_probability:
                _draw_bands(params[:, view], chosen, draws)
        _draw_crop(params[:, view], chosen, draws, height, width)
    return params


def neutral_views(locations: int, views: int, height: int, width: int) -> NDArray[np.void]:
    """Parameters ``[locations, views]`` of views of date 0 that show all of a patch (pixels), unchanged."""
    params = np.zeros((locations, views), dtype=VIEW_DTYPE)
    params["crop_height"], params["crop_width"] = height, width
    params["order"] = np.arange(4)
    for factor in ("brightness", "contrast", "saturation"):
        params[factor] = 1
    return params


def _checked_key(seed: int) -> int:
    return whole_number("seed", seed, bits=64, remedy="choose another")


def _checked_ids(sample_ids: ArrayLike) -> NDArray[np.int64]:
    ids = np.asarray(sample_ids)
    ids = ids if ids.size else ids.astype(np.int64)  # an empty list is of floats
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise ArrayError(f"sample_ids: expected integers [N], got {ids.dtype} {list(ids.shape)}; give location numbers")
    if len(ids) and (ids.min() < 0 or ids.max() >= 1 << 32):
        raise ArrayError(f"sample_ids: expected 0 … 2**32 - 1, got {ids.min()} … {ids.max()}; number the locations anew")
    return ids.astype(np.int64)


def _blocks(seed: int, epoch: int, ids: NDArray[np.int64], view: int, draw: int) -> NDArray[np.uint32]:
    counters = np.empty((len(ids), 4), dtype=np.uint32)
    counters[:, 0], counters[:, 1], counters[:, 2], counters[:, 3] = epoch, ids, view, draw
    return philox(counters, seed)


class _Draws(NamedTuple):
    """Numbers of some locations ``[N]`` in one view of an epoch."""

    seed: int
    epoch: int
    ids: NDArray[np.int64]
    view: int

    def uniform(self, draw: int) -> NDArray[np.float64]:
        """``[4, N]`` numbers in [0, 1): the upper 24 bits of each word, exact in float32 too."""
        words = _blocks(self.seed, self.epoch, self.ids, self.view, draw) >> 8
        return words.T.astype(np.float64) * 2.0**-24


def _draw_dates(recipe: ViewRecipe, draws: _Draws, dates: ArrayLike) -> NDArray[np.int64]:
    """``[N, V]`` date of every view; the recipe's dates are distinct unless it says otherwise."""
    given, ids = np.asarray(dates), draws.ids
    if not np.issubdtype(given.dtype, np.integer) or given.shape not in {(), ids.shape}:
        raise ArrayError(
            f"dates: expected one integer or [{len(ids)}], got {given.dtype} {list(given.shape)}; give each location's"
        )
    available = np.broadcast_to(given.astype(np.int64), ids.shape)
    wanted = recipe.num_dates
    least = wanted if recipe.distinct_dates else 1
    if len(ids) and available.min() < least:
        few = int((available < least).sum())
        raise ArrayError(
            f"dates: expected at least {least} for each location, got {available.min()} ({few} locations have too few); "
            "leave them out or choose another method"
        )
    if len(ids) and available.max() >= 1 << 31:
        raise ArrayError(f"dates: expected at most 2**31 - 1, got {available.max()}; give the number of dates")
    uniform = draws.uniform(0)
    drawn = np.empty((wanted, len(ids)), dtype=np.int64)
    for k in range(wanted):
        if not recipe.distinct_dates:
            drawn[k] = uniform[k] * available
            continue
        # The k-th date is one of those left; earlier ones are stepped over in ascending order.
        pick = (uniform[k] * (available - k)).astype(np.int64)
        for earlier in np.sort(drawn[:k], axis=0):
            pick += pick >= earlier
        drawn[k] = pick
    return drawn[np.array(recipe.dates)].T


def _draw_colour(views: NDArray[np.void], recipe: ViewRecipe, draws: _Draws) -> None:
    """Fill the fields before the crop."""
    apply, brightness, contrast, saturation = draws.uniform(_JITTER)
    hue, grey, blur, sigma = draws.uniform(_BLUR)
    order, flip, _, _ = draws.uniform(_ORDER)
    jittered = apply < recipe.jitter_probability
    for name, u in (("brightness", brightness), ("contrast", contrast), ("saturation", saturation)):
        strength = getattr(recipe, name)
        views[name] = np.where(jittered, 1 + strength * (2 * u - 1), 1)
    views["hue"] = np.where(jittered, recipe.hue * (2 * hue - 1), 0)
    views["order"] = _PERMUTATIONS[(order * len(_PERMUTATIONS)).astype(np.int64)]
    views["grey"] = grey < recipe.grey_probability
    low, high = recipe.blur_sigma
    views["blur_sigma"] = np.where(blur < recipe.blur_probability, low + (high - low) * sigma, 0)
    views["flip"] = flip < recipe.flip_probability


def _draw_bands(views: NDArray[np.void], recipe: ViewRecipe, draws: _Draws) -> None:
    """Fill gain and offset of every band that a patch could have; a dropped band has gain -1 and offset 0."""
    for band in range(MAX_BANDS):
        gain, offset, drop, _ = draws.uniform(_FIRST_BAND + band)
        dropped = drop < recipe.band_drop_probability
        views["band_gain"][:, band] = np.where(dropped, -1, recipe.band_gain * (2 * gain - 1))
        views["band_offset"][:, band] = np.where(dropped, 0, recipe.band_offset * (2 * offset - 1))


def _draw_crop(views: NDArray[np.void], recipe: ViewRecipe, draws: _Draws, height: int, width: int) -> None:
    """Random resized crop: the first of ten tries that fits, else the largest centred crop of a legal ratio."""
    low, high = recipe.crop_ratio
    ratio = min(max(width / height, low), high)
    crop_width, crop_height = min(width, max(1, round(height * ratio))), min(height, max(1, round(width / ratio)))
    views["crop_height"], views["crop_width"] = crop_height, crop_width
    views["crop_top"], views["crop_left"] = (height - crop_height) // 2, (width - crop_width) // 2
    pending = np.arange(len(draws.ids))
    for attempt in range(_CROP_TRIES):
        if not len(pending):
            return
        area, shape, top, left = draws._replace(ids=draws.ids[pending]).uniform(_FIRST_CROP + attempt)
        target = height * width * (recipe.crop_scale[0] + (recipe.crop_scale[1] - recipe.crop_scale[0]) * area)
        aspect = np.exp(np.log(low) + (np.log(high) - np.log(low)) * shape)
        tall, wide = np.rint(np.sqrt(target / aspect)), np.rint(np.sqrt(target * aspect))
        fits = (tall > 0) & (tall <= height) & (wide > 0) & (wide <= width)
        chosen = pending[fits]
        views["crop_height"][chosen], views["crop_width"][chosen] = tall[fits], wide[fits]
        views["crop_top"][chosen] = top[fits] * (height - tall[fits] + 1)
        views["crop_left"][chosen] = left[fits] * (width - wide[fits] + 1)
        pending = pending[~fits]
