"""The source ``stac``."""

import math
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import requests
from numpy.typing import NDArray
from shapely.errors import ShapelyError
from shapely.geometry import shape

from seco.collect.locations import Location, footprint_of
from seco.collect.scene_files import RasterSource, in_windows
from seco.collect.source import COPERNICUS, Scene, Window
from seco.collect.stac.catalogue import Api, Catalogue, Files, anonymous, ask_for_start
from seco.collect.stac.items import BASELINES, Item, band_files, baseline_of, is_offset_applied, scene_of
from seco.collect.stac.tokens import Tokens
from seco.collect.window import RefusedError
from seco.errors import ConfigError, SceneError

# URL and the collection to take unless another is named.
CATALOGUES = {
    "earth-search": ("https://earth-search.aws.element84.com/v1", "sentinel-2-c1-l2a"),
    "planetary-computer": ("https://planetarycomputer.microsoft.com/api/stac/v1", "sentinel-2-l2a"),
}
DEFAULT_CATALOGUE = next(iter(CATALOGUES))


class StacSource(RasterSource):
    """Sentinel-2 through STAC: rasters read by window where they are.

    Args:
        catalogue: A key of CATALOGUES, the URL of another API, or the path of a catalogue on disk.
        collection: Id, such as ``sentinel-2-l2a``; None for the catalogue's usual or only one.
        patch_size: Height and width of a patch, px of 10 m.
        cloud_percent: Scenes with more cloud need not be listed, 0 to 100.

    Raises:
        ConfigError: If there is no such catalogue or collection, or it lacks bands.
        SourceError: If its server does not answer.
    """

    name = "stac"
    sensor = "Sentinel-2"
    licence = COPERNICUS
    listing_size = 1  # a search has one box

    def __init__(
        self, *, catalogue: str = DEFAULT_CATALOGUE, collection: str | None = None, patch_size: int, cloud_percent: float
    ) -> None:
        self._catalogue = _open(catalogue, collection)
        self.collection = self._catalogue.name
        super().__init__(patch_size, "L1C" if "l1c" in self.collection.lower() else "L2A")
        self.outlines = self._catalogue.outlines()
        self._cloud_percent = cloud_percent
        self._session = anonymous(requests.Session())
        self._tokens = Tokens(self._session)
        self._check_items()

    def _list(self, location: Location, windows: Sequence[Window]) -> list[Scene]:
        patch = footprint_of(location, self._patch_size)
        first, last = min(window[0] for window in windows), max(window[1] for window in windows)
        parts = getattr(patch, "geoms", [patch])  # two at the date line, where one box would go around the Earth
        found = [self._catalogue.search(part.bounds, f"{first}/{last}", self._cloud_percent) for part in parts]
        items = {item["id"]: item for item in chain(*found) if _covers(item, patch)}
        scenes = (scene_of(item, self.bands) for item in items.values())
        return [scene for scene in scenes if scene and in_windows(scene.time, windows)]

    def _read_window(self, file: str, location: Location, numbers: Sequence[int]) -> NDArray[np.uint16]:
        link = self._tokens.sign(file)
        try:
            try:
                return super()._read_window(link, location, numbers)
            except SceneError as error:
                if error.retriable:  # GDAL does not tell a damaged file from a server that went away: ask the server
                    ask_for_start(self._session, link)
                raise
        except RefusedError:
            self._tokens.forget(link)
            raise

    def _check_items(self) -> None:
        item = self._catalogue.sample()
        if item is None:
            raise ConfigError(f"collection: expected scenes, got {self.collection} without any; choose another")
        found = band_files(item, self.bands)
        missing = [band.name for band in self.bands if band.name not in found]
        if missing:
            raise ConfigError(
                f"collection: expected the {len(self.bands)} bands of Sentinel-2 {self.product_level}, got "
                f"{self.collection} without {', '.join(missing)}; choose another"
            )
        if math.isnan(baseline_of(item)) and not is_offset_applied(item):
            raise ConfigError(
                f"collection: expected items that say their processing baseline ({', '.join(BASELINES)}), got "
                f"{self.collection} without; choose another"
            )
        accounts = sorted({link.partition("://")[0] for link in found.values()} & {"s3", "gs", "az"})
        if accounts:
            raise ConfigError(
                f"collection: expected files that need no account, got {self.collection} with {accounts[0]}:// links; "
                "choose another"
            )


def _covers(item: Item, patch: Any) -> bool:  # noqa: ANN401 - a shapely polygon
    try:
        return bool(item["geometry"] and shape(item["geometry"]).buffer(0).contains(patch))  # buffer(0): some are invalid
    except (AttributeError, TypeError, ValueError, KeyError, ShapelyError):  # no geometry at all
        return False


def _open(catalogue: str, collection: str | None) -> Catalogue:
    if catalogue in CATALOGUES:
        url, usual = CATALOGUES[catalogue]
        return Api(url, collection or usual)
    if catalogue.startswith(("http://", "https://")):
        return Api(catalogue, collection)
    if not Path(catalogue).exists():
        raise ConfigError(
            f"catalog: expected {', '.join(CATALOGUES)}, a URL or the path of a catalogue, got {catalogue}; check it"
        )
    return Files(Path(catalogue), collection)
