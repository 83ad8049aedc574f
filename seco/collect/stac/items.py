"""What the items of a catalogue mean: tile, baseline, clouds, offset and files, in the spellings of several catalogues."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from seco.bands import Band, canonical_name
from seco.collect.scene_files import SceneFiles
from seco.collect.source import Scene
from seco.data.reflectance import offset_of_baseline

Item = Mapping[str, Any]  # a GeoJSON feature

# Names of earth-search's assets. Source: STAC extension eo, common band names.
COMMON_NAMES = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge1", "B06": "rededge2", "B07": "rededge3",
    "B08": "nir", "B8A": "nir08", "B09": "nir09", "B10": "cirrus", "B11": "swir16", "B12": "swir22",
}  # fmt: skip
CLASSES = ("scl", "SCL", "SCL_20m")
BASELINES = ("s2:processing_baseline", "sentinel2:processing_baseline", "processing:version", "sentinel:processing_baseline")
TILES = ("s2:mgrs_tile", "grid:code", "sentinel:mgrs_tile", "tileId")
PRODUCTS = ("s2:product_uri", "sentinel2:product_uri", "sentinel:product_id", "s2:product_id")
OFFSET_APPLIED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
# This older collection of earth-search has files with the offset applied and files without, and of some says the wrong
# thing; others have collections of the same name. Source: Element84/earth-search, issues 66 and 71.
UNSURE = ("sentinel-2-l2a", "earth-search.aws.element84.com")
# S2A_MSIL2A_20210621T103631_N0300_R008_T31TDG_20210621T143310, and items without its baseline.
PRODUCT_BASELINE, PRODUCT_TILE = (
    re.compile(r"_N(\d{2})(\d{2})_"),
    re.compile(r"(?:^|_)T?(\d{1,2}[C-HJ-NP-X][A-Z]{2})(?:_|$)"),
)


def scene_of(item: Item, bands: Sequence[Band]) -> Scene | None:
    """The scene of an item; None where bands or its time are missing, or nothing says what its digital numbers mean."""
    properties = item["properties"]
    product = _product(item)
    baseline = baseline_of(item)
    offset = _offset(item, baseline)
    files = band_files(item, bands)
    time = _utc(str(properties.get("datetime") or properties.get("start_datetime")))
    if offset is None or len(files) < len(bands) or time is None:
        return None
    return Scene(
        id=product,
        time=time,
        tile=_tile(properties, product),
        cloud_percent=_number(properties.get("eo:cloud_cover")),
        baseline=baseline,
        handle=SceneFiles({name: (file, 1) for name, file in files.items()}, offset, _classes(item)),
    )


def band_files(item: Item, bands: Sequence[Band]) -> dict[str, str]:
    """Links of those of the bands that an item has, by name."""
    assets = item.get("assets") or {}
    by_band = {canonical_name(key): asset["href"] for key, asset in assets.items() if asset and asset.get("href")}
    found = {}
    for band in bands:
        keys = (band.name, f"{band.name}_{band.resolution_m}m", COMMON_NAMES[band.name])
        link = next((by_band[key] for key in keys if key in by_band), None)
        if link is not None:
            found[band.name] = link
    return found


def baseline_of(item: Item) -> float:
    """Processing baseline as a number such as 4.0; NaN where nothing says."""
    found = _number(_first(item["properties"], BASELINES))
    match = PRODUCT_BASELINE.search(_product(item))
    return float(f"{match[1]}.{match[2]}") if math.isnan(found) and match else found


def is_offset_applied(item: Item) -> bool | None:
    """Whether digital numbers are at offset 0, by the item itself; None where it does not say."""
    applied = _first(item["properties"], OFFSET_APPLIED)
    return applied if isinstance(applied, bool) else None


def _product(item: Item) -> str:
    return str(_first(item["properties"], PRODUCTS) or item["id"]).removesuffix(".SAFE")


def _classes(item: Item) -> str | None:
    return next((str(item["assets"][key]["href"]) for key in CLASSES if key in item["assets"]), None)


def _offset(item: Item, baseline: float) -> float | None:
    """Of the digital numbers in an item's files; None where nothing says so, or what does is known to be wrong."""
    applied = is_offset_applied(item)
    offset = offset_of_baseline(baseline)
    unknown = math.isnan(baseline)
    if applied or not (offset or unknown):
        return 0.0
    links = " ".join(link.get("href", "") for link in item.get("links", ()))
    # A copy of an item may have lost its links, but says that nothing was applied.
    unsure = UNSURE[1] in links or applied is False
    if unknown or (item.get("collection") == UNSURE[0] and unsure):
        return None
    return offset


def _tile(properties: Mapping[str, Any], product: str) -> str:
    parts = [properties.get(f"mgrs:{part}") for part in ("utm_zone", "latitude_band", "grid_square")]
    if None not in parts:
        return "".join(map(str, parts)).zfill(5)
    match = PRODUCT_TILE.search(product)
    found = str(_first(properties, TILES) or (match[1] if match else ""))
    return found.removeprefix("MGRS-").removeprefix("T").zfill(5) if found else ""


def _utc(text: str) -> np.datetime64 | None:
    """RFC 3339 as STAC has it, to the second; without a zone it is UTC. None if it is no time."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return np.datetime64(time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time, "s")


def _first(properties: Mapping[str, Any], names: Sequence[str]) -> Any:  # noqa: ANN401 - JSON
    return next((properties[name] for name in names if properties.get(name) is not None), None)


def _number(value: Any) -> float:  # noqa: ANN401 - JSON
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
