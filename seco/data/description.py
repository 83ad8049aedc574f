"""``dataset.json``: what a patch store says of itself, and the names of the files beside it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import seco
from seco.bands import Band
from seco.data.reflectance import Reflectance
from seco.data.statistics import BandStatistics
from seco.errors import StoreError

FORMAT_VERSION = 1
DATASET_FILE = "dataset.json"
INDEX_FILE = "index.parquet"
LABELS_FILE = "labels.parquet"
LABEL_COLUMNS = ("location_id", "label")
HISTOGRAM_FILE = "histogram.npz"  # counts of every digital number: stores with it are merged without reading pixels
SETTINGS_FILE = "collection.json"  # what `seco collect` was asked for
JOURNAL_FILE = "journal.sqlite"  # of a collection that is not finished
REJECTED_FILE = "rejected.parquet"
REJECTED_COLUMNS = ("location_id", "attempt", "longitude", "latitude", "reason")
PATCH_FOLDER = "patches"
LABEL_FOLDER = "labels"  # class of every pixel, a raster a location, of synthetic stores
SHARD_FOLDER = "shards"
SHARD_COLUMNS = ("shard", "offset", "length")  # of the index of a packed store


@dataclass(frozen=True)
class StoreDescription:
    """Everything in ``dataset.json`` but the versions.

    Attributes:
        sensor: Satellite or constellation, such as ``"Sentinel-2"``.
        product_level: Processing level, such as ``"L2A"``.
        bands: Bands in the order of the files.
        dtype: Name of the pixels' type, ``"uint8"`` or ``"uint16"``.
        quantification: Digital numbers per unit reflectance.
        offset: Added to digital numbers first: ``reflectance = (dn + offset) / quantification``.
        patch_size: Height and width of every patch, pixels.
        resolution_m: Side of a pixel of the files, metres: of collected patches that of the finest band.
        statistics: Statistics of each band, by name.
        seed: Seed of whatever was drawn, or None.
        source: Where the pixels come from, in words.
        licence: Licence of the pixels, in words.
    """

    sensor: str
    product_level: str
    bands: tuple[Band, ...]
    dtype: str
    quantification: float
    offset: float
    patch_size: int
    resolution_m: float
    statistics: dict[str, BandStatistics]
    seed: int | None
    source: str
    licence: str

    @property
    def reflectance(self) -> Reflectance:
        """What the digital numbers mean."""
        return Reflectance(self.quantification, self.offset)

    def to_json(self) -> str:
        """Text of ``dataset.json``."""
        versions = {"format_version": FORMAT_VERSION, "tool_version": f"seco {seco.__version__}"}
        return json.dumps(versions | asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str, *, origin: str) -> "StoreDescription":
        """Read the text of ``dataset.json``; ``origin`` names the store in errors.

        Raises:
            StoreError: If the text is damaged or of a newer format.
        """
        try:
            content = json.loads(text)
            version = int(content["format_version"])
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(origin, error) from error
        if version > FORMAT_VERSION:
            raise StoreError(
                f"{origin}: written by a newer seco (format {version}, this one reads up to {FORMAT_VERSION}): update seco"
            )
        try:
            return cls._from_content(content)
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(origin, error) from error

    @classmethod
    def _from_content(cls, content: dict[str, Any]) -> "StoreDescription":
        bands = tuple(Band(**band) for band in content["bands"])
        statistics = {band.name: BandStatistics(**content["statistics"][band.name]) for band in bands}
        seed = content["seed"]
        return cls(
            sensor=str(content["sensor"]),
            product_level=str(content["product_level"]),
            bands=bands,
            dtype=np.dtype(content["dtype"]).name,
            quantification=float(content["quantification"]),
            offset=float(content["offset"]),
            patch_size=int(content["patch_size"]),
            resolution_m=metres if isinstance(metres := content["resolution_m"], int) else float(metres),
            statistics=statistics,
            seed=None if seed is None else int(seed),
            source=str(content["source"]),
            licence=str(content["licence"]),
        )


def read_settings(folder: Path) -> dict[str, Any]:
    """Settings of the collection that a store comes from; empty if it comes from none.

    Raises:
        StoreError: If the file is damaged.
    """
    try:
        settings: dict[str, Any] = json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except ValueError as error:
        raise StoreError(f"{folder / SETTINGS_FILE}: expected JSON, got {error}; collect to another folder") from error
    return settings


def _damaged(origin: str, error: Exception) -> StoreError:
    reason = f"{type(error).__name__}: {error}".replace("\n", " ")
    return StoreError(f"{origin}: expected a valid dataset.json, got {reason}; write the store again")
