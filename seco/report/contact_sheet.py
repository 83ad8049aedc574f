"""A contact sheet of a patch store: rows are locations, columns are dates."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from seco.bands import RGB
from seco.data.statistics import BandStatistics
from seco.data.store import Store

MAX_LOCATIONS, MAX_DATES = 8, 6
CELL_INCHES = 1.6
TITLE_INCHES = 3.2
DPI = 150


def contact_sheet(store: Store, *, max_locations: int = MAX_LOCATIONS, max_dates: int = MAX_DATES) -> Figure:
    """Draw patches of a store in true colour, or its first band in grey if it lacks red, green or blue.

    Locations are spread evenly over the store and dates evenly over those of the location. Every patch is
    stretched between the store's 2 % and 98 % quantiles, so that brightness can be compared between patches.

    Args:
        store: Store to draw.
        max_locations: Rows at most.
        max_dates: Columns at most.

    Returns:
        The figure; save it with ``figure.savefig(file)``.
    """
    names = visible_bands(store.band_names)
    bands = [store.band_names.index(name) for name in names]
    statistics = [store.statistics[name] for name in names]
    rows = spread_evenly(len(store), max_locations)
    columns = min(max_dates, int(store.locations["num_dates"][rows].max()))
    figure = Figure(
        figsize=(max(CELL_INCHES * columns + 0.5, TITLE_INCHES), (CELL_INCHES + 0.2) * len(rows) + 0.4),
        dpi=DPI,
        layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0),
    )
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes, i in zip(grid, rows, strict=True):
        _draw_location(axes, store, i, bands=bands, statistics=statistics)
    shown = f"{len(rows)} of {len(store)} locations\n{', '.join(names)}, black 2 %, white 98 % of the store"
    figure.suptitle(f"{store.path.name}: {shown}", fontsize=8)
    return figure


def visible_bands(names: Sequence[str]) -> Sequence[str]:
    """Red, green and blue of some bands; the first band, for grey, if one of them is missing."""
    return RGB if set(RGB) <= set(names) else names[:1]


def spread_evenly(count: int, limit: int) -> list[int]:
    """At most ``limit`` numbers of ``range(count)``, evenly spread, with both ends."""
    numbers: list[int] = np.linspace(0, count - 1, min(count, limit)).round().astype(int).tolist()
    return numbers


def stretch(pixels: np.ndarray, statistics: Sequence[BandStatistics]) -> np.ndarray:
    """Map digital numbers ``(bands, height, width)`` to 0 to 1 between the 2 % and 98 % quantiles.

    Returns:
        float32 ``(height, width, bands)``.
    """
    low = np.array([each.q02 for each in statistics], dtype=np.float32)
    high = np.array([each.q98 for each in statistics], dtype=np.float32)
    stretched = (np.moveaxis(pixels, 0, -1) - low) / np.maximum(high - low, 1)
    clipped: np.ndarray = stretched.clip(0, 1)
    return clipped


def _draw_location(
    axes: Sequence[Axes], store: Store, i: int, *, bands: Sequence[int], statistics: Sequence[BandStatistics]
) -> None:
    location, dates = store.locations[i], store.dates(i)
    chosen = spread_evenly(len(dates), len(axes))
    pixels = store.read(location["first_row"] + np.array(chosen), bands=bands)
    for axis, date, patch in zip(axes, dates[chosen], pixels, strict=False):
        image = stretch(patch, statistics)
        axis.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(str(date)[:10], fontsize=7, pad=2)
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.set_frame_on(False)
    axes[0].set_ylabel(
        f"{location['id']}\n{_degrees(location['latitude'], 'NS')} {_degrees(location['longitude'], 'EW')}",
        fontsize=7,
    )


def _degrees(value: float, letters: str) -> str:
    return "" if np.isnan(value) else f"{abs(value):.3f}°{letters[int(value < 0)]}"
