"""What is asked of Earth Engine: the scenes of many locations in one value, and the pixels of many dates in one image."""

import json
import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import ee
import numpy as np
from ee.encodable import Encodable

from seco.collect.locations import PIXEL_M, Location
from seco.collect.source import Scene, Window

CLOUD_SCORE = "GOOGLE/CLOUD_SCORE_PLUS/V1/S2_HARMONIZED"
CLEAR_BAND = "cs_cdf"
# Pixels below are clouds or shadows. Source: Pasquarella et al., 2023 (CVPRW), and the data set's page: 0.50 to 0.65.
CLEAR = 0.60
CLOUD_SCALE_M = 60  # of the mean over a patch: 44 x 44 px decide about 264 x 264
PATCH_CLOUD = "seco_patch_cloud"
# The first three are always there; a scene without one of the others is listed too.
PROPERTIES = (
    "system:index", "system:time_start", "MGRS_TILE",
    "CLOUDY_PIXEL_PERCENTAGE", "PROCESSING_BASELINE", "PRODUCT_ID", PATCH_CLOUD,
)  # fmt: skip
NUM_REQUIRED = 3
DAY_MS = 86_400_000


def listing(
    collection: str,
    locations: Sequence[Location],
    windows: Sequence[Sequence[Window]],
    *,
    patch_size: int,
    cloud_percent: float,
) -> ee.ComputedObject:
    """A value ``[[i, scenes], …]``: for location ``i``, the PROPERTIES of each scene that covers its patch in a window."""
    features = [_feature(i, *place, patch_size) for i, place in enumerate(zip(locations, windows, strict=True))]
    images = ee.ImageCollection(collection).filter(ee.Filter.lte("CLOUDY_PIXEL_PERCENTAGE", cloud_percent))

    def describe(feature: ee.Feature) -> ee.Feature:
        patch = feature.geometry()
        found = images.filterBounds(patch).filter(ee.Filter.contains(leftField=".geo", rightValue=patch))
        found = found.filter(ee.Filter.Or(*(_within(feature, n) for n in range(len(windows[0])))))
        found = found.linkCollection(ee.ImageCollection(CLOUD_SCORE), [CLEAR_BAND]).map(lambda image: _measure(image, patch))
        reducer = ee.Reducer.toList(len(PROPERTIES), len(PROPERTIES) - NUM_REQUIRED)
        return feature.set("scenes", found.reduceColumns(reducer, list(PROPERTIES)).get("list"))

    described = ee.FeatureCollection(features).map(describe)
    return described.reduceColumns(ee.Reducer.toList(2), ["number", "scenes"]).get("list")


def scenes_of(answer: Sequence[tuple[int, Sequence[Sequence[Any]]]], count: int) -> list[list[Scene]]:
    """Scenes of each of ``count`` locations, from the answer to :func:`listing`."""
    scenes: list[list[Scene]] = [[] for _ in range(count)]
    for number, records in answer:
        scenes[int(number)] = [_scene(record) for record in records]
    return scenes


class Stack(Encodable):  # type: ignore[misc]  # the client has no types
    """An image with the bands of all scenes, those of the first scene first; digital numbers, 0 where there are none.

    Encoded already: for each location the client would take longer over it than over the request.

    Args:
        collection: Of the scenes.
        scenes: One or more.
        bands: Names by Earth Engine.
    """

    def __init__(self, collection: str, scenes: Sequence[Scene], bands: Sequence[str]) -> None:
        text = _encoded_stack(len(scenes), tuple(bands))
        for number, scene in enumerate(scenes):
            text = text.replace(_stand_in(number), json.dumps(f"{collection}/{scene.handle}"))
        self._encoded: dict[str, Any] = json.loads(text)

    def encode_cloud_value(self, encoder: Any) -> dict[str, Any]:  # noqa: ANN401 - the client's
        """As the client asks for it."""
        return self._encoded


@cache
def _encoded_stack(scenes: int, bands: tuple[str, ...]) -> str:
    """JSON of a :class:`Stack` with stand-ins for the names of scenes."""
    images = [
        ee.Image(json.loads(_stand_in(number))).select(list(bands), [f"t{number}_{band}" for band in bands])
        for number in range(scenes)
    ]
    image = ee.Image.cat(*images).unmask(0, False).toUint16()
    return json.dumps(ee.serializer.encode(image, is_compound=False))


def _stand_in(number: int) -> str:
    return f'"scene {number}"'


def grid(location: Location, patch_size: int) -> dict[str, Any]:
    """The pixel grid of a patch, as requests for pixels take it."""
    x, dx, shear_x, y, shear_y, dy = location.transform
    return {
        "dimensions": {"width": patch_size, "height": patch_size},
        "affineTransform": {
            "scaleX": dx, "shearX": shear_x, "translateX": x,
            "shearY": shear_y, "scaleY": dy, "translateY": y,
        },
        "crsCode": f"EPSG:{location.epsg}",
    }  # fmt: skip


def _feature(number: int, location: Location, windows: Sequence[Window], patch_size: int) -> ee.Feature:
    from rasterio.warp import transform

    x, y = location.transform[0], location.transform[3]
    far_x, far_y = x + patch_size * PIXEL_M, y - patch_size * PIXEL_M
    corners = transform(f"EPSG:{location.epsg}", "EPSG:4326", [x, x, far_x, far_x, x], [y, far_y, far_y, y, y])
    days = [[int(day.astype(np.int64)) for day in window] for window in windows]
    return ee.Feature(
        ee.Geometry.Polygon([list(map(list, zip(*corners, strict=True)))]),
        {
            "number": number,
            "starts": [DAY_MS * first for first, _ in days],
            "ends": [DAY_MS * (last + 1) for _, last in days],
        },
    )


def _within(feature: ee.Feature, window: int) -> ee.Filter:
    first, end = (ee.Date(ee.List(feature.get(name)).get(window)) for name in ("starts", "ends"))
    return ee.Filter.date(first, end)


def _measure(image: ee.Image, patch: ee.Geometry) -> ee.Image:
    cloudy = image.select(CLEAR_BAND).lt(CLEAR).reduceRegion(ee.Reducer.mean(), patch, CLOUD_SCALE_M)
    return image.set(PATCH_CLOUD, cloudy.get(CLEAR_BAND))


def _scene(record: Sequence[Any]) -> Scene:
    index, time_ms, tile, *others = record
    cloud, baseline, product, patch_cloud = others
    return Scene(
        id=product or index,
        time=np.datetime64(round(time_ms), "ms").astype("datetime64[s]"),
        tile=tile,
        cloud_percent=_number(cloud),
        baseline=_number(baseline),
        patch_cloud=_number(patch_cloud),
        handle=index,
    )


def _number(value: float | str | None) -> float:
    return math.nan if value is None else float(value)
