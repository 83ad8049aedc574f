"""Evaluates the expression graphs that ``ee`` sends; what it does not know is refused as the real server does."""

import inspect
import json
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import ee
from earthengine_catalogue import BANDS, CLOUD_SCORE

DOCUMENTS = Path(ee.__file__).parent / "tests"
ALGORITHMS = json.loads((DOCUMENTS / "algorithms.json").read_text())
# Names and arguments of every function of the real server, as of the client's own tests.
SIGNATURES = {
    function["name"].removeprefix("algorithms/"): {
        argument["argumentName"]: argument.get("optional", False) for argument in function.get("arguments", [])
    }
    for function in ALGORITHMS["algorithms"]
}
MOST_ELEMENTS = 5000


class BadRequestError(Exception):
    """HTTP 400, with the text."""


@dataclass(frozen=True)
class Element:
    """A feature or an image: its properties, footprint as a ring in degrees, and what its pixels are."""

    properties: dict
    ring: tuple | None = None
    bands: tuple = ()  # (asset id, band of it, name)
    linked: float | None = None  # share of the patch under cloud
    dtype: str | None = None


@dataclass(frozen=True)
class Images:
    """A collection, not yet listed: the server needs to know where and when."""

    name: str
    filters: tuple = ()


class Evaluator:
    """Evaluates one request's expression against a catalogue."""

    def __init__(self, catalogue):
        self.catalogue = catalogue

    def evaluate(self, expression):
        self.values = expression["values"]
        return self.value(self.values[expression["result"]], {})

    def value(self, node, names):  # noqa: PLR0911 - a table
        """Value of a node; ``names`` holds the arguments of the functions around it."""
        ((kind, content),) = node.items()
        match kind:
            case "constantValue":
                return content
            case "valueReference":
                return self.value(self.values[content], names)
            case "argumentReference":
                return names[content]
            case "arrayValue":
                return [self.value(item, names) for item in content["values"]]
            case "dictionaryValue":
                return {key: self.value(item, names) for key, item in content["values"].items()}
            case "functionDefinitionValue":
                (argument,) = content["argumentNames"]
                return lambda item: self.value(self.values[content["body"]], names | {argument: item})
            case "functionInvocationValue":
                return self.call(content["functionName"], content.get("arguments", {}), names)
        raise BadRequestError(f"Unknown node {kind}.")

    def call(self, name, arguments, names):
        if name not in SIGNATURES:
            raise BadRequestError(f"Unknown function '{name}'.")
        signature = SIGNATURES[name]
        if wrong := set(arguments) - set(signature):
            raise BadRequestError(f"{name}: unrecognized argument '{min(wrong)}'.")
        if missing := {key for key, optional in signature.items() if not optional} - set(arguments):
            raise BadRequestError(f"{name}: required argument ({min(missing)}) missing.")
        method = getattr(self, "do_" + name.replace(".", "_"), None)
        given = {key: self.value(node, names) for key, node in arguments.items()}
        if method is None or set(given) - parameters(type(self), method.__name__):
            raise BadRequestError(f"{name}({', '.join(given)}): not known to this stub.")
        return method(**given)

    # Collections.

    def do_ImageCollection_load(self, id):
        if id not in BANDS and id != CLOUD_SCORE:
            raise BadRequestError(
                f"ImageCollection.load: ImageCollection asset '{id}' not found (does not exist or caller "
                "does not have access)."
            )
        return Images(id)

    def do_Collection(self, features):
        return features

    def do_Collection_filter(self, collection, filter):
        return replace(collection, filters=(*collection.filters, filter))

    def do_Collection_map(self, collection, baseAlgorithm):
        return [baseAlgorithm(element) for element in self.listed(collection)]

    def do_Collection_reduceColumns(self, collection, reducer, selectors):
        size, optional = reducer
        if size != len(selectors):
            raise BadRequestError(f"Collection.reduceColumns: need {size} selectors, got {len(selectors)}.")
        rows = [[element.properties.get(key) for key in selectors] for element in self.listed(collection)]
        return {"list": [row for row in rows if None not in row[: size - optional]]}

    def listed(self, collection):
        """Elements of a collection."""
        if isinstance(collection, list):
            return collection
        rings = [f.ring for f in collection.filters if isinstance(f, Place)]
        spans = [span for f in collection.filters for span in f.spans]
        if not rings or not spans:
            raise BadRequestError(f"Collection query aborted after accumulating over {MOST_ELEMENTS} elements.")
        elements = (
            Element(asset.properties, bands=bands_of(collection.name, asset.index), linked=asset.patch_cloud)
            for tile in self.catalogue.tiles_over(rings[0])
            for first, end in spans
            for asset in self.catalogue.assets(tile, first, end)
        )
        return [element for element in elements if all(f.passes(element) for f in collection.filters)]

    # Filters.

    def do_Filter_intersects(self, leftField, rightValue):
        return self.place(".all", leftField, rightValue.ring)

    def do_Filter_contains(self, leftField, rightValue):
        return self.place(".geo", leftField, rightValue)

    def place(self, wanted, field, ring):
        if field != wanted:
            raise BadRequestError(f"Filter: no geometry in '{field}'.")
        return Place(ring)

    def do_Filter_greaterThan(self, leftField, rightValue):
        return Above(leftField, rightValue)

    def do_Filter_not(self, filter):
        return Not(filter)

    def do_Filter_or(self, filters):
        return Either(tuple(filters))

    def do_Filter_dateRangeContains(self, leftValue, rightField):
        if rightField != "system:time_start":
            raise BadRequestError(f"Filter.dateRangeContains: '{rightField}' is no date.")
        return Dates(*leftValue)

    def do_Date(self, value):
        if not isinstance(value, int):
            raise BadRequestError("Date: milliseconds expected.")
        return value

    def do_DateRange(self, start, end):
        return (start, end)

    # Features, lists and numbers.

    def do_GeometryConstructors_Polygon(self, coordinates, evenOdd=True):
        (ring,) = coordinates
        if ring[0] != ring[-1] or len(ring) < 4:
            raise BadRequestError("GeometryConstructors.Polygon: open ring.")
        return ring

    def do_Feature(self, geometry, metadata=None):
        return Element(metadata or {}, ring=geometry)

    def do_Feature_geometry(self, feature):
        return feature.ring

    do_Element_geometry = do_Feature_geometry

    def do_Element_get(self, object, property):
        return object.properties[property]

    def do_Element_set(self, object, key, value):
        return replace(object, properties=object.properties | {key: value})

    def do_Dictionary_get(self, dictionary, key):
        if key not in dictionary:
            raise BadRequestError(f"Dictionary.get: Dictionary does not contain key: '{key}'.")
        return dictionary[key]

    def do_List_get(self, list, index):
        return list[index]

    def do_Reducer_toList(self, tupleSize, numOptional=0):
        return (tupleSize, numOptional)

    def do_Reducer_mean(self):
        return "mean"

    # Images.

    def do_Image_load(self, id):
        collection, _, index = id.rpartition("/")
        asset = self.catalogue.find(index) if collection in BANDS and index.count("_") == 2 else None
        if asset is None:
            raise BadRequestError(
                f"Image.load: Image asset '{id}' not found (does not exist or caller does not have access)."
            )
        return Element(asset.properties, bands=bands_of(collection, index))

    def do_Image_constant(self, value):
        return value

    def do_Image_select(self, input, bandSelectors, newNames=None):
        there = {name: (asset, band) for asset, band, name in input.bands}
        if wrong := [name for name in bandSelectors if name not in there]:
            raise BadRequestError(f"Image.select: Band pattern '{wrong[0]}' did not match any bands.")
        names = newNames or bandSelectors
        return replace(input, bands=tuple((*there[b], name) for b, name in zip(bandSelectors, names, strict=True)))

    def do_Image_addBands(self, dstImg, srcImg):
        names = {name for _, _, name in dstImg.bands} & {name for _, _, name in srcImg.bands}
        if names:
            raise BadRequestError(f"Image.addBands: band '{min(names)}' is there twice.")
        return replace(dstImg, bands=dstImg.bands + srcImg.bands)

    def do_Image_unmask(self, input, value, sameFootprint):
        return input

    def do_Image_toUint16(self, value):
        return replace(value, dtype="<u2")

    def do_Image_linkCollection(self, input, imageCollection, linkedBands):
        if imageCollection.name != CLOUD_SCORE or linkedBands != ["cs_cdf"]:
            raise BadRequestError(f"Image.linkCollection: no {linkedBands} in {imageCollection.name}.")
        return replace(input, bands=(*input.bands, (CLOUD_SCORE, "cs_cdf", "cs_cdf")))

    def do_Image_lt(self, image1, image2):
        return image1

    def do_Image_reduceRegion(self, image, reducer, geometry, scale):
        return {name: image.linked for _, _, name in image.bands}


@lru_cache(maxsize=10_000)
def bands_of(collection, index):
    return tuple((f"{collection}/{index}", band, band) for band in BANDS[collection])


@lru_cache
def parameters(owner, name):
    return frozenset(inspect.signature(getattr(owner, name)).parameters)


@dataclass(frozen=True)
class Place:
    """Footprints hold the ring: the catalogue answers for it, as it lists no others."""

    ring: list
    spans = ()

    def passes(self, element):
        return True


@dataclass(frozen=True)
class Dates:
    first: int
    end: int

    @property
    def spans(self):
        return ((self.first, self.end),)

    def passes(self, element):
        return self.first <= element.properties["system:time_start"] < self.end


@dataclass(frozen=True)
class Above:
    key: str
    limit: float
    spans = ()

    def passes(self, element):
        return element.properties[self.key] > self.limit


@dataclass(frozen=True)
class Not:
    filter: object
    spans = ()

    def passes(self, element):
        return not self.filter.passes(element)


@dataclass(frozen=True)
class Either:
    filters: tuple

    @property
    def spans(self):
        return tuple(span for f in self.filters for span in f.spans)

    def passes(self, element):
        return any(f.passes(element) for f in self.filters)
