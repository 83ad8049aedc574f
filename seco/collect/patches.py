"""The patches of one location, on their way into a store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from seco.bands import Band
from seco.collect.locations import Location
from seco.data.statistics import count_numbers
from seco.data.writer import Row, write_patch


@dataclass(frozen=True)
class Patches:
    """The patches of a location: rows of the index, counts of digital numbers by band, bytes of pixels, and its label."""

    rows: list[Row]
    counts: list[NDArray[np.int64]]
    num_bytes: int
    label: str | None = None


def write_patches(
    folder: Path,
    place: Location,
    pixels: NDArray[np.uint16],
    *,
    bands: Sequence[Band],
    said: Sequence[Mapping[str, Any]],
    label: str | None = None,
) -> Patches:
    """Write the patches of a location into the store at ``folder``; threads may write different locations at once.

    Args:
        folder: Of the store.
        place: Where they are.
        pixels: ``[T, C, H, W]``.
        bands: C of them.
        said: Of each date ``time``, ``scene_id``, ``cloud_fraction`` and further columns of the index.
        label: Class of the location, if that is known.
    """
    where: dict[str, Any] = {
        "epsg": place.epsg,
        "transform": place.transform,
        "longitude": place.longitude,
        "latitude": place.latitude,
    }
    names = [band.name for band in bands]
    with rasterio.Env():  # one for all: rasterio would look for PROJ's data anew for each
        rows = [
            write_patch(folder, place.id, pixels=patch, band_names=names, **where, **of_date)
            for of_date, patch in zip(said, pixels, strict=True)
        ]
    return Patches(rows, [count_numbers(pixels[:, band]) for band in range(len(names))], pixels.nbytes, label)
