"""Which scenes a location gets: one MGRS tile for all dates, clear, each nearest to the centre of its window."""

import itertools
import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np

from seco.collect.source import Scene, Window

DAY_S = 86_400


# Why a candidate gives no patch, and what to change where most are rejected for it.
ADVICE = {
    "sea": "choose a region of more land",
    "overlap": "ask for fewer locations, smaller patches or a larger region",
    "no clear scene": "allow more cloud or wider windows, or choose places and dates that scenes cover",
    "no tile with all dates": "allow wider windows or fewer dates",
    "cloud over the patch": "allow more cloud",
    "nodata": "choose a region further inside the scenes",
    "unreadable": "see whether the scenes can be read",
}


class Rejected(Exception):
    """A candidate that gives no patch; its text is the reason, one of :data:`ADVICE`."""


class PlaceRejected(Rejected):
    """A place where no patch is wanted, whatever scenes there are.

    Attributes:
        position: Its longitude and latitude, degrees.
    """

    def __init__(self, reason: str, position: tuple[float, float]) -> None:
        super().__init__(reason)
        self.position = position


def choose_scenes(
    scenes: Sequence[Scene],
    windows: Sequence[Window],
    *,
    epsg: int,
    cloud_percent: float,
    clouds: Callable[[Sequence[Scene]], Sequence[float]],
) -> list[tuple[Scene, float]]:
    """One scene for each window, and the share of the patch under cloud in it.

    The same scenes in any order give the same answer.

    Args:
        scenes: What the catalogue lists.
        windows: First and last days.
        epsg: UTM zone of the patch; tiles of other zones would have to be resampled.
        cloud_percent: Most cloud, of the whole scene and then of the patch, 0 to 100; what is not known passes.
        clouds: Share of the patch under cloud in each of some scenes, 0 to 1 or NaN; asked for as few as will do.

    Raises:
        Rejected: If there is no such choice.
    """
    clear = [scene for scene in scenes if not scene.cloud_percent > cloud_percent and tile_epsg(scene.tile) in (epsg, None)]
    days = np.array([scene.time for scene in clear], "datetime64[D]")
    by_window = [list(itertools.compress(clear, (first <= days) & (days <= last))) for first, last in windows]
    if not all(by_window):
        raise Rejected("no clear scene")
    tiles = [tile for tile in {scene.tile for scene in by_window[0]} if all(_of_tile(found, tile) for found in by_window)]
    if not tiles:
        raise Rejected("no tile with all dates")
    middles = [_middle(window) for window in windows]
    for ranked in sorted(
        (_rank_tile(by_window, middles, tile) for tile in tiles), key=lambda ranked: _cost(ranked, middles)
    ):
        chosen = _clear_patches(ranked, cloud_percent / 100.0, clouds)
        if chosen:
            return chosen
    raise Rejected("cloud over the patch")


def tile_epsg(tile: str) -> int | None:
    """EPSG code of an MGRS tile such as ``31TDG``; None if it is none."""
    match = re.fullmatch(r"(\d{1,2})([C-HJ-NP-X])[A-Z]{2}", tile)
    return (32600 if match[2] >= "N" else 32700) + int(match[1]) if match else None


def _clear_patches(
    ranked: list[list[Scene]], limit: float, clouds: Callable[[Sequence[Scene]], Sequence[float]]
) -> list[tuple[Scene, float]] | None:
    """The first scene of each window whose patch is clear; None if a window has none."""
    known: dict[str, float] = {}
    while all(ranked):
        first = [found[0] for found in ranked]
        asked = [scene for scene in first if scene.id not in known]
        known.update(zip((scene.id for scene in asked), clouds(asked), strict=True))
        if not any(known[scene.id] > limit for scene in first):
            return [(scene, known[scene.id]) for scene in first]
        ranked = [found[1:] if known[found[0].id] > limit else found for found in ranked]
    return None


def _rank(scenes: list[Scene], middle: int) -> list[Scene]:
    """The newest baseline of each day, nearest to the window's centre first."""
    days: dict[int, list[Scene]] = defaultdict(list)
    for scene in scenes:
        days[_seconds(scene.time) // DAY_S].append(scene)
    newest = [max(same, key=lambda scene: (_known(scene.baseline), scene.id)) for same in days.values()]
    return sorted(newest, key=lambda scene: (_distance(scene, middle), scene.id))


def _rank_tile(by_window: list[list[Scene]], middles: Sequence[int], tile: str) -> list[list[Scene]]:
    return [_rank(_of_tile(found, tile), middle) for found, middle in zip(by_window, middles, strict=True)]


def _cost(ranked: list[list[Scene]], middles: Sequence[int]) -> tuple[int, str]:
    """A tile whose best scenes are near to the centres comes first; its name decides between equals."""
    total = sum(_distance(found[0], middle) for found, middle in zip(ranked, middles, strict=True))
    return total, ranked[0][0].tile


def _of_tile(scenes: list[Scene], tile: str) -> list[Scene]:
    return [scene for scene in scenes if scene.tile == tile]


def _middle(window: Window) -> int:
    """Twice the seconds of the middle of a window: whole numbers, for ties to be ties on every machine."""
    return _seconds(window[0]) + _seconds(window[1] + 1)


def _distance(scene: Scene, middle: int) -> int:
    """Twice the seconds from the middle of a window."""
    return abs(2 * _seconds(scene.time) - middle)


def _seconds(time: np.datetime64) -> int:
    """Since 1970."""
    return int(time.astype("datetime64[s]").astype(np.int64))


def _known(baseline: float) -> float:
    return -1.0 if math.isnan(baseline) else baseline
