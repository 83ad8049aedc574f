"""SAFE products of level 1C and 2A: what their metadata say, and where their images are.

Source: ESA, Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD), user product metadata of levels 1C and 2A.
"""

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from shapely.errors import ShapelyError
from shapely.geometry import Polygon

from seco.bands import LEVELS, Band
from seco.collect.geography import cut_at_date_line
from seco.collect.local.found import FoundScene
from seco.collect.scene_files import SceneFiles
from seco.collect.source import Scene
from seco.data.reflectance import SENTINEL2
from seco.errors import DataError

METADATA = "MTD_MSIL*.xml"
# T31TDG_20210621T103631_B02.jp2, and …_B02_10m.jp2 in level 2A.
IMAGE = re.compile(r"_(B\d[\dA]|SCL)(?:_(\d\d)m)?\.jp2")
TILE = re.compile(r"_T(\d{2}[C-HJ-NP-X][A-Z]{2})_")


def read_product(metadata: Path) -> FoundScene:
    """The scene of a product, from its ``MTD_MSIL1C.xml`` or ``MTD_MSIL2A.xml``.

    Raises:
        DataError: If the metadata cannot be read, or images are missing.
    """
    try:
        root = ElementTree.parse(metadata).getroot()
        texts = {element.tag: element.text or "" for element in root.iter()}
        level = metadata.stem[-3:]
        product = texts["PRODUCT_URI"].removesuffix(".SAFE")
        scene = Scene(
            id=product,
            time=np.datetime64(texts["PRODUCT_START_TIME"].removesuffix("Z"), "s"),
            tile=match[1] if (match := TILE.search(product)) else "",
            cloud_percent=float(texts.get("Cloud_Coverage_Assessment", math.nan)),
            baseline=float(texts["PROCESSING_BASELINE"]),
            handle=_files(metadata.parent, LEVELS[level], _offset(root, texts)),
        )
        numbers = [float(word) for word in texts["EXT_POS_LIST"].split()]
        footprint = cut_at_date_line(Polygon(zip(numbers[1::2], numbers[0::2], strict=True)))  # latitude comes first
    except DataError as error:
        raise DataError(f"{metadata.parent.name}: {error}") from None
    except (ElementTree.ParseError, OSError, KeyError, ValueError, ShapelyError) as error:
        reason = f"no {error.args[0]}" if isinstance(error, KeyError) else error
        raise DataError(
            f"{metadata}: expected the metadata of a SAFE product, got {reason}; fetch the product again"
        ) from None
    return FoundScene(scene, level, LEVELS[level], footprint)


def _offset(root: ElementTree.Element, texts: dict[str, str]) -> float:
    """Of all bands; products before baseline 04.00 name none."""
    quantification = float(texts.get("BOA_QUANTIFICATION_VALUE") or texts["QUANTIFICATION_VALUE"])
    offsets = {float(e.text or 0) for e in root.iter() if e.tag in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET")} or {0.0}
    if quantification != SENTINEL2.quantification or len(offsets) > 1:
        raise DataError(
            f"expected quantification {SENTINEL2.quantification:.0f} and one offset, got {quantification:g} and "
            f"{sorted(offsets)}; move the product away"
        )
    return offsets.pop()


def _files(product: Path, bands: tuple[Band, ...], offset: float) -> SceneFiles:
    """Each band at its native resolution, and the classification of level 2A."""
    found: dict[tuple[str, str | None], str] = {}
    for file in sorted(product.glob("GRANULE/*/IMG_DATA/**/*.jp2")):
        match = IMAGE.search(file.name)
        if match:
            found[match[1], match[2]] = str(file)
    images = {band.name: found.get((band.name, str(band.resolution_m))) or found.get((band.name, None)) for band in bands}
    missing = [name for name, file in images.items() if file is None]
    if missing:
        raise DataError(f"expected an image of each band, got none of {', '.join(missing)}; fetch the product again")
    return SceneFiles({name: (str(file), 1) for name, file in images.items()}, offset, found.get(("SCL", "20")))
