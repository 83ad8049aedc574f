"""What an item of a STAC catalogue says of its product: catalogues spell the same thing in several ways."""

import math
import re
from datetime import UTC
from typing import Any

import numpy as np

from seco.bands import Band

# Names of assets beside the bands' own, as Element84 gives them.
COMMON_NAMES = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge1", "B06": "rededge2", "B07": "rededge3",
    "B08": "nir", "B8A": "nir08", "B09": "nir09", "B10": "cirrus", "B11": "swir16", "B12": "swir22",
}  # fmt: skip
CLASSIFICATION = ("SCL", "scl")
QUANTIFICATION = 10_000
OFFSET_SINCE, OFFSET = 4.0, -1000  # BOA_ADD_OFFSET of processing baseline 04.00 and later. Source: ESA, PSD 14.9


def time_of(item: Any) -> np.datetime64:  # noqa: ANN401 - a pystac.Item
    """Time of acquisition, UTC, datetime64[s]."""
    moment = item.datetime or item.common_metadata.start_datetime
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "s")


def product_of(item: Any) -> str:  # noqa: ANN401
    """Product identifier where the item has it, else its own."""
    return str(item.properties.get("s2:product_uri") or item.id).removesuffix(".SAFE")


def tile_of(item: Any) -> str:  # noqa: ANN401
    """MGRS tile such as ``31TDG``; empty where nothing says."""
    properties = item.properties
    parts = [properties.get(f"mgrs:{part}") for part in ("utm_zone", "latitude_band", "grid_square")]
    if all(part is not None for part in parts):
        return f"{int(parts[0]):02}{parts[1]}{parts[2]}"
    for text in (properties.get("s2:mgrs_tile"), properties.get("grid:code"), product_of(item), item.id):
        if match := re.search(r"(?:^|MGRS-|_T|_)(\d{1,2}[C-HJ-NP-X][A-Z]{2})(?:_|$)", str(text or "")):
            return match[1].zfill(5)
    return ""


def baseline_of(item: Any) -> float:  # noqa: ANN401
    """Processing baseline as a number such as 4.0; NaN where nothing says."""
    text = item.properties.get("s2:processing_baseline") or item.properties.get("processing:version")
    if text is None and (match := re.search(r"_N(\d{2})(\d{2})_", product_of(item))):
        text = f"{match[1]}.{match[2]}"
    try:
        return float(text) if text is not None else math.nan
    except ValueError:
        return math.nan


def cloud_of(item: Any) -> float:  # noqa: ANN401
    """Per cent of the scene under cloud; NaN where nothing says."""
    cloud = item.properties.get("eo:cloud_cover", item.properties.get("s2:cloudy_pixel_percentage"))
    return math.nan if cloud is None else float(cloud)


def offset_of(item: Any) -> int:  # noqa: ANN401
    """What is added to digital numbers before they are divided by 10000.

    Element84 says whether it has been applied already; where it does, the offset of the asset's own metadata is wrong for
    some items (Element84/earth-search, issues 66 and 71). Elsewhere the processing baseline decides.
    """
    applied = item.properties.get("earthsearch:boa_offset_applied")
    return 0 if applied or not baseline_of(item) >= OFFSET_SINCE else OFFSET


def is_ambiguous(item: Any) -> bool:  # noqa: ANN401
    """Whether nobody can say if the offset was applied: Element84's older collection says no where it was (same issues)."""
    older = item.collection_id == "sentinel-2-l2a" and item.properties.get("earthsearch:boa_offset_applied") is False
    return older and baseline_of(item) >= OFFSET_SINCE


def asset_of(item: Any, band: Band) -> str | None:  # noqa: ANN401
    """Where a band's raster is; None if the item has none."""
    names = (band.name, band.name.replace("B0", "B"), COMMON_NAMES[band.name])
    return next((href for name in names if (href := href_of(item, name))), None)


def classification_of(item: Any) -> str | None:  # noqa: ANN401
    """Where the scene classification (SCL) is; None if the item has none."""
    return next((href for name in CLASSIFICATION if (href := href_of(item, name))), None)


def href_of(item: Any, asset: str) -> str | None:  # noqa: ANN401
    """What GDAL opens for an asset."""
    if asset not in item.assets:
        return None
    href: str = item.assets[asset].get_absolute_href() or item.assets[asset].href
    if href.startswith("s3://"):
        return "/vsis3/" + href.removeprefix("s3://")
    return f"/vsicurl/{href}" if href.startswith(("http://", "https://")) else href
