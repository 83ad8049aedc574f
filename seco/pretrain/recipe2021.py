"""Numbers of the 2021 code where the default recipe has others; ``docs/reference/method-2021.md`` gives the reasons.

Source: Mañas et al., ICCV 2021, and its released code (ServiceNow/seasonal-contrast at 411e37e).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

from seco.bands import RGB
from seco.data.description import StoreDescription
from seco.data.normalization import Normalization
from seco.data.reflectance import Reflectance
from seco.errors import ConfigError

NAME = "seco2021"
# 2 % and 98 % quantiles of the archive, in its 8-bit numbers.
QUANTILES = {"B04": (0, 129), "B03": (2, 103), "B02": (3, 88)}
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Epochs at which the learning rate falls, whatever the number of epochs.
MILESTONES = (120, 160)

# Of the numbers that :func:`stretched` gives.
STRETCHED = Normalization(RGB, (1 / 255,) * 3, (0.0,) * 3, IMAGENET_MEAN, IMAGENET_STD)


def stretched(store: StoreDescription, bands: Sequence[str]) -> NDArray[np.generic]:
    """The 8-bit number that the network saw in place of each digital number.

    The archive held ``reflectance × 255`` cut to 0 … 255, and the loader stretched the quantiles to 0 … 255; both dropped
    the digits after the point.

    Args:
        store: What its digital numbers mean.
        bands: Those that the encoder takes.

    Returns:
        ``[3, 2 ** bits]`` of the store's type.

    Raises:
        ConfigError: If the bands are not red, green, blue.
    """
    _check_bands(bands)
    numbers = np.arange(np.iinfo(store.dtype).max + 1)
    # First the products, so that an 8-bit number stays what it is.
    archived = np.floor(np.clip((numbers + store.offset) * 255 / store.quantification, 0, 255))
    rows = [(archived - low) / (high - low) * 255 for low, high in (QUANTILES[band] for band in bands)]
    return np.floor(np.clip(rows, 0, 255)).astype(store.dtype)


def normalization(units: Reflectance, bands: Sequence[str]) -> Normalization:
    """What a checkpoint says of its input: the same stretch of digital numbers, without dropping digits.

    Args:
        units: What the digital numbers mean.
        bands: Red, green and blue in any order.
    """
    low, high = np.array([QUANTILES[band] for band in bands]).T / 255  # reflectance
    scale = 1 / ((high - low) * units.quantification)
    offset = units.offset * scale - low / (high - low)
    mean, std = (tuple(of_rgb[RGB.index(band)] for band in bands) for of_rgb in (IMAGENET_MEAN, IMAGENET_STD))
    return Normalization(tuple(bands), tuple(scale.tolist()), tuple(offset.tolist()), mean, std, units)


def open_residuals(backbone: nn.Module) -> None:
    """Start a ResNet as torchvision does: every block adds its branch from the beginning; timm's add nothing at first."""
    for block in backbone.modules():
        if hasattr(block, "zero_init_last"):
            last = block.get_submodule("bn3" if hasattr(block, "bn3") else "bn2")
            nn.init.ones_(last.get_parameter("weight"))


def _check_bands(bands: Sequence[str]) -> None:
    if tuple(bands) != RGB:
        raise ConfigError(
            f"bands: expected rgb, for the recipe seco2021 has a table of B04, B03 and B02 only, got {','.join(bands)}; "
            "take --recipe default"
        )
