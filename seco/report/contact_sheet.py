"""A contact sheet of a patch store: rows are locations, columns are dates."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from seco.data.spread import spread_evenly
from seco.data.statistics import BandStatistics
from seco.data.store import Store
from seco.errors import GeoTiffError
from seco.report.true_colour import stretch, visible_bands

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
    bands = visible_bands(store.band_names)
    names = [store.band_names[band] for band in bands]
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
    shown = f"{len(rows)} of {len(store)} locations, up to {columns} of {store.locations['num_dates'].max()} dates"
    stretched = f"{', '.join(names)}, black 2 %, white 98 % of the store"
    figure.suptitle(f"{store.path.name}: {shown}\n{stretched}", fontsize=8)
    return figure


def _draw_location(
    axes: Sequence[Axes], store: Store, i: int, *, bands: Sequence[int], statistics: Sequence[BandStatistics]
) -> None:
    location, dates = store.locations[i], store.dates(i)
    chosen = spread_evenly(len(dates), len(axes))
    for axis, date in zip(axes, chosen, strict=False):
        axis.set_title(str(dates[date])[:10], fontsize=7, pad=2)
        try:
            (patch,) = store.read(location["first_row"] + np.array([date]), bands=bands)
        except GeoTiffError:
            axis.text(0.5, 0.5, "cannot be\nread", fontsize=7, ha="center", va="center")
            continue
        axis.imshow(stretch(patch, statistics).squeeze(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    for axis in axes:
        axis.set(xticks=[], yticks=[])
        axis.set_frame_on(False)
    axes[0].set_ylabel(
        f"{location['id']}\n{_degrees(location['latitude'], 'NS')} {_degrees(location['longitude'], 'EW')}",
        fontsize=7,
    )


def _degrees(value: float, letters: str) -> str:
    return "" if np.isnan(value) else f"{abs(value):.3f}°{letters[int(value < 0)]}"
