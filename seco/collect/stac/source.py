"""The source ``stac``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import shape

from seco.bands import SENTINEL2_L1C, SENTINEL2_L2A, Band
from seco.collect.locations import Location, footprint_of
from seco.collect.source import Scene, Window
from seco.collect.stac.catalogues import ApiItems, FileItems, Items, asking
from seco.collect.stac.items import (
    asset_of,
    baseline_of,
    classification_of,
    cloud_of,
    is_ambiguous,
    offset_of,
    product_of,
    tile_of,
    time_of,
)
from seco.collect.window import quiet_gdal, read_cloud_fraction, read_window, to_offset_zero

CATALOGUES = {
    "earth-search": ("https://earth-search.aws.element84.com/v1", "sentinel-2-c1-l2a"),
    "planetary-computer": ("https://planetarycomputer.microsoft.com/api/stac/v1", "sentinel-2-l2a"),
}
DEFAULT_CATALOGUE = "earth-search"


@dataclass(frozen=True)
class _Assets:
    """What of an item is read: rasters of the bands in order, of the classification, and what is added to numbers."""

    bands: list[str]
    classification: str | None
    offset: int


class StacSource:
    """Sentinel-2 as cloud-optimised GeoTIFFs behind a STAC catalogue, by windows.

    Args:
        catalogue: ``earth-search``, ``planetary-computer``, the URL of a STAC API, or the file of a static catalogue.
        collection: Identifier; None takes the one that the named catalogues are known for, or all items of a file.
        patch_size: Height and width of a patch, px of 10 m.

    Raises:
        ConfigError: If there is no such collection.
        SourceError: If the catalogue does not answer.
    """

    name = "stac"
    licence = "Copernicus Sentinel data: free, full and open (legal notice of the European Union)"
    listing_size = 1

    def __init__(self, *, catalogue: str = DEFAULT_CATALOGUE, collection: str | None = None, patch_size: int) -> None:
        where, usual = CATALOGUES.get(catalogue, (catalogue, ""))
        chosen = collection or usual
        self.collection = f"{catalogue} {chosen}".strip()
        self._patch_size = patch_size
        self._items: Items = ApiItems(where, chosen) if where.startswith("http") else FileItems(_file(where), chosen)
        self._sign = _signer() if "planetarycomputer" in where else lambda href: href
        is_raw = "l1c" in chosen.lower()
        self.product_level = "L1C" if is_raw else "L2A"
        self.bands: tuple[Band, ...] = SENTINEL2_L1C if is_raw else SENTINEL2_L2A

    def list_scenes(self, locations: Sequence[Location], windows: Sequence[Sequence[Window]]) -> list[list[Scene]]:
        """Scenes that have all bands and hold each whole patch, one search a location."""
        return [self._list(location, of) for location, of in zip(locations, windows, strict=True)]

    def cloud_fractions(self, location: Location, scenes: Sequence[Scene]) -> list[float]:
        """By the scene classification, of the pixels that have one; NaN where a scene has none."""
        with quiet_gdal():
            signed = [scene.handle.classification and self._sign(scene.handle.classification) for scene in scenes]
            return [read_cloud_fraction(href, location, self._patch_size) for href in signed]

    def read(self, location: Location, scenes: Sequence[Scene]) -> NDArray[np.uint16]:
        """Windows of all bands of all scenes."""
        with quiet_gdal():
            return np.stack([self._read_scene(location, scene.handle) for scene in scenes])

    def _list(self, location: Location, windows: Sequence[Window]) -> list[Scene]:
        footprint = footprint_of(location, self._patch_size)
        first, last = str(min(w[0] for w in windows)), str(max(w[1] for w in windows))
        found = [item for item in self._items.search(footprint.bounds, first, last) if _holds(item, footprint)]
        return [scene for scene in map(self._scene, found) if scene is not None]

    def _scene(self, item: Any) -> Scene | None:  # noqa: ANN401 - a pystac.Item
        rasters = [asset_of(item, band) for band in self.bands]
        if not all(rasters) or is_ambiguous(item):
            return None
        assets = _Assets([str(href) for href in rasters], classification_of(item), offset_of(item))
        return Scene(
            id=product_of(item),
            time=time_of(item),
            tile=tile_of(item),
            cloud_percent=cloud_of(item),
            baseline=baseline_of(item),
            handle=assets,
        )

    def _read_scene(self, location: Location, assets: _Assets) -> NDArray[np.uint16]:
        planes = [read_window(self._sign(href), location, self._patch_size) for href in assets.bands]
        return np.stack([to_offset_zero(plane, assets.offset) for plane in planes])


def _holds(item: Any, footprint: Any) -> bool:  # noqa: ANN401
    return bool(shape(item.geometry).buffer(0).contains(footprint))


def _file(path: str) -> str:
    found = Path(path)
    return str(found / "catalog.json" if found.is_dir() else found)


def _signer() -> Callable[[str], str]:
    """Planetary Computer's rasters ask for a token that everybody gets."""
    import planetary_computer

    def sign(href: str) -> str:
        with asking("planetarycomputer.microsoft.com"):
            return "/vsicurl/" + str(planetary_computer.sign_url(href.removeprefix("/vsicurl/")))

    return sign
