"""Files sorted into one folder a class as images to evaluate on."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from seco.bands import SENTINEL2_L1C
from seco.data.reflectance import SENTINEL2
from seco.data.statistics import BandStatistics
from seco.errors import DataError
from seco.evaluate.datasets.class_files import Kind, check_kinds, kind_of, list_classes, read_images
from seco.evaluate.datasets.published import fingerprint
from seco.evaluate.datasets.raster_header import centres_of, given_band_names
from seco.evaluate.datasets.split import AUTO, SplitChoice, make_split
from seco.evaluate.datasets.statistics import statistics_of

# The 13-band files of EuroSAT hold the bands of level 1C in numerical order with B8A last, not after B08.
EUROSAT_BANDS = (*(band.name for band in SENTINEL2_L1C if band.name != "B8A"), "B8A")
EUROSAT_CLASSES = {
    *("AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial"),
    *("Pasture", "PermanentCrop", "Residential", "River", "SeaLake"),
}


class ClassFolder:
    """Files sorted by class: ``FOLDER/<class>/<image>``, all JPEG or PNG (RGB), or all GeoTIFF of any bands.

    By default the folders split the images where they are ``FOLDER/train/<class>/<image>`` and so on, else lists that lie in
    or beside the folder; where there are neither, half of each class is for training: its files in the order of the SHA-256
    of ``class/name``, the first half, rounded up. Digital number 0 is nodata, as in a store.

    Args:
        path: The folder, or one above it with nothing else in it.
        split: Another split.
        band_names: Names of the bands of GeoTIFFs in their order; None: their descriptions, or those of EuroSAT, or
            ``band1``, ``band2`` and so on.

    Attributes:
        path: The folder.
        band_names: Names of the bands, in the order of the files.
        dtype: Type of the pixels.
        patch_size: Height of the images, pixels.
        reflectance: What scale and offset of GeoTIFFs say, of EuroSAT without them those of level 1C; of pictures None.
        names: ``class/file`` of each image, perhaps with ``train/`` and the like before.
        class_names: Sorted.
        labels: Class of each image, int64 ``(N,)``.
        splits: Rows of ``train``, ``test`` and, where it is listed, ``validation``.
        split_source: How the split was made.
        groups: Every image is a place of its own.

    Raises:
        DataError: If there are no images, fewer than two classes, two kinds of files, or lists of other images.
        ConfigError: If there are no such lists, or the names of bands are not as many as the bands.
    """

    def __init__(self, path: str | Path, *, split: SplitChoice = AUTO, band_names: str | None = None) -> None:
        self.path = Path(path)
        root, parts = list_classes(self.path)
        self._files = [file for files in parts.values() for file in files]
        self.class_names = sorted({file.parent.name for file in self._files})
        number = {name: i for i, name in enumerate(self.class_names)}
        self.labels = np.array([number[file.parent.name] for file in self._files], dtype=np.int64)
        self.names = [file.relative_to(root).as_posix() for file in self._files]
        self.groups = np.arange(len(self._files))
        self._kind = self._first_readable()
        self.dtype, self.patch_size = self._kind.header.dtype, self._kind.shape[1]
        self._is_eurosat = self._kind.shape[0] == len(EUROSAT_BANDS) and set(self.class_names) <= EUROSAT_CLASSES
        self.band_names = self._name_bands(band_names)
        said = self._kind.header.reflectance
        self.reflectance = SENTINEL2 if said is None and self._is_eurosat else said
        if not self._kind.pictures:
            check_kinds(self._files, self._kind, names=band_names is None, units=not self._is_eurosat)
        made = make_split(
            split,
            names=self.names,
            labels=self.labels,
            parts=_rows_of_parts(parts),
            folders=_with_those_above(root, self.path),
            positions=lambda: centres_of(self._files),
            halves="half of each class for training, by SHA-256 of class/name",
        )
        self.splits, self.split_source = made.rows, made.source

    def __len__(self) -> int:
        return len(self._files)

    @cached_property
    def statistics(self) -> dict[str, BandStatistics]:
        """Statistics of each band over the training images, in digital numbers."""
        return statistics_of(self, self.splits["train"])

    def read(self, rows: np.ndarray, bands: Sequence[str], threads: int | None = None) -> np.ndarray:
        """Pixels ``(n, C, H, W)`` of some images.

        Raises:
            DataError: If an image is damaged, or of another size, mode or number of bands than the first.
        """
        files = [self._files[row] for row in rows]
        return read_images(files, self._kind, [self.band_names.index(name) for name in bands], threads)

    def describe(self) -> dict[str, Any]:
        """Path, content and split of the folder."""
        return {
            "kind": "class folder",
            "path": str(self.path),
            "fingerprint": fingerprint(zip(self.names, self._files, strict=True)),
            "fingerprint_of": "names and bytes",
            "images": len(self),
            "bands": list(self.band_names),
            "split": self.split_source,
            "training_images": len(self.splits["train"]),
        }

    def _first_readable(self) -> Kind:
        """Of the first file that can be read: what the others are compared with."""
        for file in self._files:
            with suppress(DataError):  # reading the images names it
                return kind_of(file)
        return kind_of(self._files[0])

    def _name_bands(self, given: str | None) -> tuple[str, ...]:
        found = self._kind.header.band_names
        if given is not None:
            return given_band_names(given, len(found), self._kind.header.file)
        return EUROSAT_BANDS if self._is_eurosat and found[0] == "band1" else found


def _rows_of_parts(parts: Mapping[str, Sequence[Path]]) -> dict[str, np.ndarray]:
    """Rows of the images of each part of a split, which follow one another; none where they are not split."""
    if "all" in parts:
        return {}
    ends = np.cumsum([len(files) for files in parts.values()])
    return {name: np.arange(end - len(parts[name]), end) for name, end in zip(parts, ends, strict=True)}


def _with_those_above(root: Path, path: Path) -> list[Path]:
    """The folder of the classes, those above it up to ``path``, and the one that holds that."""
    folders = [root]
    while folders[-1] != path:
        folders.append(folders[-1].parent)
    return [*folders, path.absolute().parent]
