"""BigEarthNet v1: a folder a patch, a file a band, several labels an image (Sumbul et al., IGARSS 2019; RSM 2021)."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from seco.bands import SENTINEL2_L2A
from seco.data.reflectance import SENTINEL2
from seco.data.statistics import BandStatistics
from seco.errors import DataError, reason_of
from seco.evaluate.datasets.raster_header import centres_of
from seco.evaluate.datasets.split import AUTO, Split, SplitChoice, make_split
from seco.evaluate.datasets.statistics import statistics_of
from seco.ops.geotiff import decode_geotiff

SIDE = 120  # pixels of 10 m
LABELS_FILE = "_labels_metadata.json"
BANDS = {band.name: band.resolution_m // 10 for band in SENTINEL2_L2A}  # and how often a pixel is repeated
# The 19 classes that can be told apart in one image, and the CORINE classes they are made of; eleven of 43 are left out.
NOMENCLATURE: Mapping[str, tuple[str, ...]] = {
    "Urban fabric": ("Continuous urban fabric", "Discontinuous urban fabric"),
    "Industrial or commercial units": ("Industrial or commercial units",),
    "Arable land": ("Non-irrigated arable land", "Permanently irrigated land", "Rice fields"),
    "Permanent crops": (
        *("Vineyards", "Fruit trees and berry plantations", "Olive groves"),
        "Annual crops associated with permanent crops",
    ),
    "Pastures": ("Pastures",),
    "Complex cultivation patterns": ("Complex cultivation patterns",),
    "Land principally occupied by agriculture, with significant areas of natural vegetation": (
        "Land principally occupied by agriculture, with significant areas of natural vegetation",
    ),
    "Agro-forestry areas": ("Agro-forestry areas",),
    "Broad-leaved forest": ("Broad-leaved forest",),
    "Coniferous forest": ("Coniferous forest",),
    "Mixed forest": ("Mixed forest",),
    "Natural grassland and sparsely vegetated areas": ("Natural grassland", "Sparsely vegetated areas"),
    "Moors, heathland and sclerophyllous vegetation": ("Moors and heathland", "Sclerophyllous vegetation"),
    "Transitional woodland, shrub": ("Transitional woodland/shrub",),
    "Beaches, dunes, sands": ("Beaches, dunes, sands",),
    "Inland wetlands": ("Inland marshes", "Peatbogs"),
    "Coastal wetlands": ("Salt marshes", "Salines"),
    "Inland waters": ("Water courses", "Water bodies"),
    "Marine waters": ("Coastal lagoons", "Estuaries", "Sea and ocean"),
}
LEFT_OUT = (
    *("Road and rail networks and associated land", "Port areas", "Airports", "Mineral extraction sites", "Dump sites"),
    *("Construction sites", "Green urban areas", "Sport and leisure facilities", "Bare rock", "Burnt areas"),
    "Intertidal flats",
)
_REMOVED = ("patches_with_seasonal_snow.csv", "patches_with_cloud_and_shadow.csv")


class BigEarthNet:
    """Patches of 120 x 120 px and 12 bands, those of 20 m and 60 m repeated, with several of 19 labels each.

    Args:
        path: The data set.
        folders: Folder of each patch, whose files have its name; sorted.
        labels: Labels of each, bool ``(N, 19)``.
        split: Rows of ``train``, ``test`` and perhaps ``validation``.
        removed: How many patches were left out, by reason.
    """

    band_names = tuple(BANDS)
    class_names = tuple(NOMENCLATURE)
    dtype = np.dtype(np.uint16)
    patch_size = SIDE
    reflectance = SENTINEL2

    def __init__(
        self,
        path: Path,
        folders: Sequence[Path],
        labels: np.ndarray,
        *,
        split: Split,
        removed: Mapping[str, int],
    ) -> None:
        self.path, self.labels = path, labels
        self.splits, self.split_source = split.rows, split.source
        self._folders, self._removed = folders, removed
        self.names = [folder.name for folder in folders]
        self.groups = np.arange(len(folders))

    def __len__(self) -> int:
        return len(self._folders)

    @cached_property
    def statistics(self) -> dict[str, BandStatistics]:
        """Statistics of each band over the training images, in digital numbers."""
        return statistics_of(self, self.splits["train"])

    def read(self, rows: np.ndarray, bands: Sequence[str], threads: int | None = None) -> np.ndarray:
        """Pixels ``(n, C, 120, 120)`` of some patches.

        Raises:
            DataError: If a file is missing or damaged; the text names it.
        """
        folders = [self._folders[row] for row in rows]
        out = np.empty((len(folders), len(bands), SIDE, SIDE), self.dtype)
        for k, band in enumerate(bands):
            files = [folder / f"{folder.name}_{band}.tif" for folder in folders]
            pixels, step = decode_geotiff(files, bands=[0], threads=threads)[:, 0], BANDS[band]
            if pixels.shape[1:] != (SIDE // step, SIDE // step):
                side = SIDE // step
                raise DataError(
                    f"{files[0]}: expected {side}x{side} px, got {pixels.shape[2]}x{pixels.shape[1]}; fetch it again"
                )
            out[:, k] = pixels.repeat(step, axis=1).repeat(step, axis=2)
        return out

    def describe(self) -> dict[str, Any]:
        """Path, names, labels and what was left out."""
        digest = hashlib.sha256()
        for name, labels in zip(self.names, self.labels, strict=True):
            digest.update(name.encode() + np.packbits(labels).tobytes())
        counts = dict(zip(self.class_names, self.labels.sum(axis=0).tolist(), strict=True))
        return {
            "kind": "BigEarthNet",
            "path": str(self.path),
            "fingerprint": digest.hexdigest(),
            "fingerprint_of": "names and labels",
            "images": len(self),
            "left_out": dict(self._removed),
            "labels": counts,
            "split": self.split_source,
            "training_images": len(self.splits["train"]),
        }


def find_bigearthnet(path: Path, choice: SplitChoice = AUTO) -> BigEarthNet | None:
    """Open a folder of patches, or None if the first folder in it is none.

    Patches without any of the 19 labels are left out, and those in the lists of snow and of clouds, which are looked for in
    the folder and beside it, as are the lists of the split.

    Raises:
        DataError: If labels cannot be read, are of another nomenclature, or lists of the split are of other patches.
    """
    path = Path(os.path.abspath(path))  # noqa: PTH100 - "." has to have a folder beside it, and a link stays one
    names = sorted(entry.name for entry in os.scandir(path) if entry.is_dir() and entry.name[0] != ".")
    if not names or not (path / names[0] / f"{names[0]}{LABELS_FILE}").is_file():
        return None
    with ThreadPoolExecutor(8) as pool:
        labels = np.array(list(pool.map(lambda name: _read_labels(path / name), names)))
    removed: dict[str, int] = {}
    kept = np.asarray(labels.any(axis=1))
    removed["without any of the 19 labels"] = int((~kept).sum())
    for file in _REMOVED:
        if listed := _read_list(path, file):
            bad = np.isin(names, listed)
            removed[file] = int((bad & kept).sum())
            kept &= ~bad
    folders = [path / name for name, keep in zip(names, kept, strict=True) if keep]
    left_out = [name for name, keep in zip(names, kept, strict=True) if not keep]
    split = split_patches(choice, folders, (path, path.parent), left_out)
    return BigEarthNet(path, folders, labels[kept], split=split, removed=removed)


def split_patches(choice: SplitChoice, folders: Sequence[Path], lists: Sequence[Path], left_out: Sequence[str]) -> Split:
    """Split patches, each in a folder of its name, by lists, by their names or by place."""
    return make_split(
        choice,
        names=[folder.name for folder in folders],
        labels=np.zeros(len(folders), np.int64),
        folders=lists,
        positions=lambda: centres_of([folder / f"{folder.name}_B02.tif" for folder in folders]),
        halves="half of the patches for training, by SHA-256 of their names",
        left_out=left_out,
    )


def encode_labels(names: Sequence[str], origin: object) -> np.ndarray:
    """Labels of one patch, of 43 or of 19 classes, as bool ``(19,)``.

    Raises:
        DataError: If one is of neither nomenclature; ``origin`` is named.
    """
    found = np.zeros(len(NOMENCLATURE), dtype=bool)
    for name in names:
        if name in _NUMBER:
            found[_NUMBER[name]] = True
        elif name not in LEFT_OUT:
            raise DataError(f"{origin}: expected labels of BigEarthNet, got {name!r}; fetch the labels again")
    return found


_NUMBER = {part: i for i, (name, parts) in enumerate(NOMENCLATURE.items()) for part in (name, *parts)}


def _read_labels(folder: Path) -> np.ndarray:
    file = folder / f"{folder.name}{LABELS_FILE}"
    try:
        return encode_labels(json.loads(file.read_text(encoding="utf-8"))["labels"], file)
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file}: expected the labels of a patch, got: {reason_of(error)}; fetch it again") from error


def _read_list(path: Path, name: str) -> list[str]:
    """Names of patches, the first of each line; empty if there is no such list in the folder or beside it."""
    for file in (path / name, path.parent / name):
        if file.is_file():
            lines = file.read_text(encoding="utf-8").splitlines()
            return [line.split(",")[0].strip() for line in lines if line.strip()]
    return []
