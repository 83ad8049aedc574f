"""A map of vectors in two dimensions, coloured by what they show."""

import warnings
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seco.data.spread import spread_evenly
from seco.errors import ConfigError
from seco.evaluate.embed import Embeddings
from seco.evaluate.similarity import unit_vectors
from seco.report.figure_file import save_figure
from seco.report.store_summary import MONTHS, months_of

_COLUMNS = {"class": "class", "place": "location", "month": "date"}  # that colours are made from
# Around the year: blue winter, green spring, yellow and red summer, brown autumn; neighbours look alike, seasons do not.
YEAR = (
    *("#2b4fa8", "#3f86d0", "#38b6b0", "#2fa35a", "#7cbc3b", "#c8c527"),
    *("#f2b01e", "#ee7f1b", "#d9442c", "#a8325a", "#7a3b8f", "#4a3d9e"),
)
_PALETTE = colormaps["tab10"].colors  # type: ignore[attr-defined]
_MARKERS = "os^DvP*X"
_PLACES = 10  # that the eye can follow
_OTHERS = "#c9ccd1"
_TURNS = 10


def choose_colour(colour: str | None, columns: Iterable[str]) -> str:
    """The colouring asked for, or the first that the data have a column for.

    Raises:
        ConfigError: If the data have no such column.
    """
    possible = [name for name, column in _COLUMNS.items() if column in columns]
    if not possible:
        raise ConfigError("map: expected classes, places or dates to colour it by, got data without; leave --map out")
    if colour is not None and colour not in possible:
        raise ConfigError(f"colour: expected {' or '.join(possible)} for these data, got {colour}; choose another")
    return colour or possible[0]


def check_projection(projection: str) -> None:
    """Raise ConfigError if UMAP is asked for and not installed."""
    if projection == "umap" and find_spec("umap") is None:
        raise ConfigError("projection: expected umap-learn to be installed, got none; pip install 'seco-eo[maps]'")


def project(vectors: np.ndarray, method: str) -> tuple[np.ndarray, tuple[str, str]]:
    """Two coordinates for the direction of each vector, and what the axes are.

    Lengths do not count, as they do not in retrieval and among nearest neighbours: a few long vectors, of snow or cloud,
    would push all others into a corner.

    Args:
        vectors: float32 ``(n, d)``, n at least 3.
        method: ``pca``: the two axes of most variance; ``umap``: near neighbours stay near, from a fixed seed.

    Raises:
        ConfigError: If there are too few vectors, or UMAP is asked for and not installed.
    """
    check_projection(method)
    if len(vectors) < 3:
        raise ConfigError(f"map: expected at least 3 vectors, got {len(vectors)}; embed more images")
    if method == "umap":
        return _umap(vectors), ("UMAP 1", "UMAP 2")
    units = unit_vectors(vectors).numpy()
    centred = units - units.mean(axis=0)
    # Of the covariance, which is as large as a vector is long, however many there are.
    variances, directions = np.linalg.eigh(centred.T @ centred)
    shares = variances[::-1][:2] / max(variances.sum(), 1e-300)
    axes = directions[:, ::-1][:, :2]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])  # else the sign is the library's whim
    first, second = (f"principal component {i + 1} ({share:.0%} of the variance)" for i, share in enumerate(shares))
    return centred @ axes, (first, second)


def _umap(vectors: np.ndarray) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from umap import UMAP

        points: np.ndarray = UMAP(n_neighbors=min(15, len(vectors) - 1), metric="cosine", random_state=0).fit_transform(
            vectors
        )
    return points


def draw_embedding_map(embeddings: Embeddings, path: Path, *, colour: str, projection: str, encoder: str, data: str) -> None:
    """Write a PNG with a dot for each vector.

    Args:
        embeddings: What to draw.
        path: PNG file to write.
        colour: ``class``, ``place`` (some places, each a line through its dates) or ``month``.
        projection: ``pca`` or ``umap``.
        encoder: Its name, for the title.
        data: Their name, for the title.

    Raises:
        ConfigError: If the data have no such column, there are too few vectors, or UMAP is not installed.
    """
    choose_colour(colour, embeddings.columns)
    points, names = project(embeddings.vectors, projection)
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    axes = figure.subplots()
    {"class": _draw_classes, "place": _draw_places, "month": _draw_months}[colour](axes, points, embeddings.columns)
    what = "images" if "file" in embeddings.columns else "patches"
    count = f"{len(points):,}" if len(points) == embeddings.total else f"{len(points):,} of {embeddings.total:,}"
    axes.set_title(
        f"{count} {what} of {data}, coloured by {colour}\n{encoder}, {embeddings.vectors.shape[1]} dimensions", fontsize=11
    )
    axes.set(xlabel=names[0], ylabel=names[1], xticks=[], yticks=[])
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False, markerscale=1.5)
    save_figure(figure, path, dpi=120)


def _draw_classes(axes: Axes, points: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    labels = columns["class"]
    _dots(axes, points[labels == ""], _OTHERS, "o", "no label")
    groups = []
    for i, name in enumerate(name for name in np.unique(labels) if name):
        marker = _MARKERS[i // len(_PALETTE) % len(_MARKERS)]
        groups.append((points[labels == name], _PALETTE[i % len(_PALETTE)], marker, str(name)))
    _mixed(axes, groups)


def _draw_months(axes: Axes, points: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    months = months_of(columns["date"])
    _mixed(axes, [(points[months == month], YEAR[month], "o", name) for month, name in enumerate(MONTHS)])


def _draw_places(axes: Axes, points: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    """Some places, spread over the list, each a line through its dates; all others are grey."""
    places, dates = columns["location"], columns["date"]
    names, counts = np.unique(places, return_counts=True)
    with_most = names[counts == counts.max()]
    chosen = with_most[spread_evenly(len(with_most), _PLACES)]
    _dots(axes, points[~np.isin(places, chosen)], _OTHERS, "o", f"{len(names) - len(chosen):,} other places")
    for i, name in enumerate(chosen):
        rows = np.flatnonzero(places == name)
        rows = rows[np.argsort(dates[rows])]
        axes.plot(*points[rows].T, color=_PALETTE[i], linewidth=1, alpha=0.6, zorder=2)
        _dots(axes, points[rows], _PALETTE[i], "o", f"location {name}", size=34)


def _mixed(axes: Axes, groups: list[tuple[np.ndarray, Any, str, str]]) -> None:
    """Points, colour, marker and label of groups, drawn in turns, so that the last group does not cover the others."""
    for points, colour, marker, label in groups:
        _dots(axes, points[:1], colour, marker, label, count=len(points))
    for turn in range(_TURNS):
        for points, colour, marker, _ in groups:
            _dots(axes, points[1 + turn :: _TURNS], colour, marker, None)


def _dots(
    axes: Axes,
    points: np.ndarray,
    colour: Any,  # noqa: ANN401 - whatever matplotlib takes for one
    marker: str,
    label: str | None,
    *,
    size: float = 18,
    count: int | None = None,
) -> None:
    if len(points):
        named = None if label is None else f"{label} ({len(points) if count is None else count:,})"
        style: dict[str, Any] = {
            "s": size,
            "alpha": 0.85,
            "linewidths": 0.3,
            "edgecolors": "white",
            "zorder": 3 if size > 18 else 1,
        }
        axes.scatter(points[:, 0], points[:, 1], color=colour, marker=marker, label=named, **style)
