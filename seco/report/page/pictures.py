"""Pictures of a page, as data URIs: it has no other file."""

import base64
import io

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from seco.data.store import Store
from seco.report.figure_file import save_figure
from seco.report.true_colour import stretch, visible_bands

_QUALITY = 80


def picture_of_figure(figure: Figure) -> str:
    """A figure of matplotlib."""
    buffer = io.BytesIO()
    save_figure(figure, buffer, format="webp", pil_kwargs={"quality": _QUALITY})
    return _data_uri(buffer)


def picture_of(pixels: NDArray[np.float32], side: int) -> str:
    """A patch, shown ``side`` pixels wide and high.

    Args:
        pixels: In [0, 1], ``(height, width, bands)`` of three bands or one.
        side: Pixels of a screen; small patches are enlarged by whole pixels, so that nothing is smoothed.
    """
    image = Image.fromarray((pixels.squeeze().clip(0, 1) * 255).round().astype(np.uint8))
    way = Image.Resampling.BOX if max(image.size) > side else Image.Resampling.NEAREST
    buffer = io.BytesIO()
    image.resize((side, side), way).save(buffer, format="webp", quality=_QUALITY)
    return _data_uri(buffer)


def patch_pictures(store: Store, rows: NDArray[np.int64], side: int) -> list[str]:
    """Patches of a store in true colour, stretched as its contact sheet is.

    Args:
        store: The store.
        rows: Of its index, int64 ``(n,)``.
        side: Pixels of a screen.

    Raises:
        GeoTiffError: If a patch cannot be read.
    """
    bands = visible_bands(store.band_names)
    statistics = [store.statistics[store.band_names[band]] for band in bands]
    return [picture_of(stretch(patch, statistics), side) for patch in store.read(rows, bands=bands)]


def _data_uri(buffer: io.BytesIO) -> str:
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
