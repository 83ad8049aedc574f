"""Where and when a patch store lies: locations on a world map, and histograms of dates, cloud and gaps."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray
from pyproj import Transformer

from seco.collect.geography import countries
from seco.data.store import Store
from seco.report.store_summary import cloud_fractions, gaps_days

EQUAL_EARTH = "EPSG:8857"  # equal-area: what looks denser is denser
SOUTH_NORTH = (-58, 84)  # degrees shown
MOST_DOTS = 3000  # with more locations their density is drawn
HEXAGONS = 240  # across the map
LAND, BORDER, GRID, INK = "#e4e3df", "#ffffff", "#eeeeee", "#1f6f8b"
DPI = 150


def world_map(store: Store) -> Figure:
    """Draw the locations of a store, and histograms of its dates, cloud and days between dates.

    Returns:
        The figure; save it with ``figure.savefig(file)``.
    """
    figure = Figure(figsize=(10, 6.4), dpi=DPI, layout="constrained")
    panels = figure.subplot_mosaic([["map"] * 3, ["dates", "cloud", "gaps"]], height_ratios=[2.6, 1])
    known = np.isfinite(store.locations["longitude"])
    title = f"{store.path.name}: {len(store):,} locations, {len(store.times):,} patches"
    if not known.all():
        title += f"; {(~known).sum():,} without a known position"
    figure.suptitle(title, fontsize=10)
    draw_locations(panels["map"], store.locations["longitude"][known], store.locations["latitude"][known])
    _draw_dates(panels["dates"], store.times)
    _draw_histogram(panels["cloud"], 100.0 * cloud_fractions(store), "cloud over the patch, %")
    _draw_histogram(panels["gaps"], gaps_days(store), "days from one date of a location to the next")
    return figure


def draw_locations(axes: Axes, longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> None:
    """Draw points (degrees) on a world map: dots, or their density where there are too many for dots."""
    to_map = Transformer.from_crs("EPSG:4326", EQUAL_EARTH, always_xy=True)
    _draw_world(axes, to_map)
    x, y = to_map.transform(longitude, latitude)
    if len(x) <= MOST_DOTS:
        size = float(np.clip(600.0 / max(len(x), 1), 3.0, 30.0))
        axes.scatter(x, y, s=size, color=INK, edgecolors="white", linewidths=0.3, zorder=3)
        return
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    rows = round(HEXAGONS * (top - bottom) / (right - left) / np.sqrt(3.0))  # so that they are regular
    extent = (left, right, bottom, top)
    density = axes.hexbin(
        x, y, gridsize=(HEXAGONS, rows), extent=extent, mincnt=1, norm=LogNorm(), cmap="viridis_r", linewidths=0.1, zorder=3
    )
    width_km = (right - left) / HEXAGONS / 1000.0
    bar = axes.figure.colorbar(density, ax=axes, shrink=0.5, pad=0.0, aspect=30, format=StrMethodFormatter("{x:,.0f}"))
    bar.set_label(f"locations in a hexagon {width_km:.0f} km wide", fontsize=8)
    bar.ax.tick_params(labelsize=7)


def _draw_world(axes: Axes, to_map: Transformer) -> None:
    south, north = SOUTH_NORTH
    for meridian in range(-180, 181, 30):
        latitudes = np.linspace(south, north, 100)
        axes.plot(*to_map.transform(np.full(100, meridian), latitudes), color=GRID, linewidth=0.6, zorder=0)
    for parallel in range(-30, 61, 30):
        axes.plot(*to_map.transform([-180, 180], [parallel, parallel]), color=GRID, linewidth=0.6, zorder=0)
    countries().to_crs(EQUAL_EARTH).plot(ax=axes, color=LAND, edgecolor=BORDER, linewidth=0.3, zorder=1)
    left, right = to_map.transform([-180, 180], [0, 0])[0]
    bottom, top = to_map.transform([0, 0], SOUTH_NORTH)[1]
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    axes.set_axis_off()


def _draw_dates(axes: Axes, times: NDArray[np.datetime64]) -> None:
    """Patches a month."""
    first, last = times.min().astype("datetime64[M]"), times.max().astype("datetime64[M]")
    bins = np.arange(first, last + 2).astype("datetime64[D]").tolist()
    axes.hist(times.astype("datetime64[D]").tolist(), bins=bins, color=INK)
    locator = AutoDateLocator(minticks=3, maxticks=8)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    _label(axes, "patches a month")


def _draw_histogram(axes: Axes, values: NDArray[np.float64], label: str) -> None:
    if len(values):
        axes.hist(values, bins=30, color=INK)
    else:
        axes.text(0.5, 0.5, "not known", ha="center", va="center", transform=axes.transAxes, fontsize=8)
        axes.set_xticks([])
    _label(axes, label)


def _label(axes: Axes, text: str) -> None:
    axes.set_title(text, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.spines[["top", "right"]].set_visible(False)
