"""What each method's views are: from which date, augmented or not, and how strongly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from seco.bands import RGB
from seco.errors import ArrayError

_MOST = 1e6  # more than any use, less than infinity
MAX_DATES = 4  # of a location: one block of random numbers draws them
_SHARES = (
    "jitter_probability",
    "brightness",
    "contrast",
    "saturation",
    "band_gain",
    "band_offset",
    "band_drop_probability",
    "grey_probability",
    "blur_probability",
    "flip_probability",
)


@dataclass(frozen=True, slots=True)
class ViewRecipe:
    """Distribution of the views of one location.

    Attributes:
        names: Of the views, the query first.
        dates: For each view, which of the drawn dates it shows.
        augmented: For each view, whether colour, grey, blur and flip are drawn; without them a view is only cropped.
        distinct_dates: The drawn dates differ. False draws with replacement, as the 2021 code did.
        jitter_probability: Of colour jitter.
        brightness: Factor in [1 - b, 1 + b].
        contrast: Factor in [1 - c, 1 + c].
        saturation: Factor in [1 - s, 1 + s].
        hue: Turn in [-h, h] of the full circle; needs exactly red, green, blue.
        band_gain: Each band is multiplied by its own factor in [1 - g, 1 + g].
        band_offset: To each band its own offset in [-o, o] is added, on the scale of [0, 1].
        band_drop_probability: Of a band being blacked out.
        grey_probability: Of losing colour.
        blur_probability: Of Gaussian blur.
        blur_sigma: Least and greatest standard deviation, pixels.
        flip_probability: Of a horizontal flip.
        crop_scale: Least and greatest share of the patch's area.
        crop_ratio: Least and greatest width over height.

    Raises:
        ArrayError: If a number is out of range, or dates and views do not go together.

    Source:
        Mañas et al., ICCV 2021; MoCo-v2's augmentations.
    """

    names: tuple[str, ...]
    dates: tuple[int, ...]
    augmented: tuple[bool, ...]
    distinct_dates: bool = True
    jitter_probability: float = 0.8
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.4
    hue: float = 0.1
    band_gain: float = 0.0
    band_offset: float = 0.0
    band_drop_probability: float = 0.0
    grey_probability: float = 0.2
    blur_probability: float = 0.5
    blur_sigma: tuple[float, float] = (0.1, 2.0)
    flip_probability: float = 0.5
    crop_scale: tuple[float, float] = (0.2, 1.0)
    crop_ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        views = len(self.names)
        if not views or not views == len(self.dates) == len(self.augmented):
            got = f"{views}, {len(self.dates)} and {len(self.augmented)}"
            raise ArrayError(f"names, dates, augmented: expected one of each a view, got {got}; give as many")
        if set(self.dates) != set(range(self.num_dates)) or self.num_dates > MAX_DATES:
            raise ArrayError(f"dates: expected 0, 1, … without a gap, up to {MAX_DATES}, got {self.dates}; number them so")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ArrayError(f"{name}: expected 0 … 1, got {getattr(self, name)}; choose another")
        if not 0 <= self.hue <= 0.5:
            raise ArrayError(f"hue: expected 0 … 0.5, got {self.hue}; half a turn reaches every hue")
        for name, least, most in (("blur_sigma", 0.0, _MOST), ("crop_scale", 0.0, 1.0), ("crop_ratio", 1 / _MOST, _MOST)):
            pair = getattr(self, name)
            if np.shape(pair) != (2,) or not least <= pair[0] <= pair[1] <= most:
                raise ArrayError(
                    f"{name}: expected two numbers, {least:g} … {most:g}, the least first, got {pair}; choose others"
                )

    @property
    def num_views(self) -> int:
        """Views of a location, V."""
        return len(self.names)

    @property
    def num_dates(self) -> int:
        """Dates that are drawn for a location."""
        return max(self.dates) + 1

    def for_bands(self, bands: Sequence[str]) -> "ViewRecipe":
        """This recipe for a selection of bands: hue turns only exactly red, green, blue (B04, B03, B02)."""
        return self if is_rgb(bands) else replace(self, hue=0.0)


def is_rgb(bands: Sequence[str]) -> bool:
    """Whether the bands are exactly red, green, blue of Sentinel-2."""
    return tuple(bands) == RGB


RECIPES: dict[str, ViewRecipe] = {
    "seco": ViewRecipe(names=("q", "k0", "k1", "k2"), dates=(0, 1, 2, 0), augmented=(False, True, False, True)),
    "moco": ViewRecipe(names=("q", "k0"), dates=(0, 0), augmented=(True, True)),
    "moco_tp": ViewRecipe(names=("q", "k0"), dates=(0, 1), augmented=(True, True)),
}


def find_recipe(recipe: str | ViewRecipe) -> ViewRecipe:
    """The recipe of that name, or the recipe itself.

    Raises:
        ArrayError: If there is none of that name.
    """
    if isinstance(recipe, ViewRecipe):
        return recipe
    if not isinstance(recipe, str) or recipe not in RECIPES:
        raise ArrayError(f"recipe: expected one of {', '.join(RECIPES)} or a ViewRecipe, got {recipe!r}; choose one")
    return RECIPES[recipe]
