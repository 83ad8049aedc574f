"""Images to evaluate on: the patches of a store, or files sorted into one folder a class."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from seco.bands import RGB, SENTINEL2_L1C
from seco.data.description import DATASET_FILE
from seco.data.statistics import BandStatistics, DigitalNumberHistogram
from seco.data.store import Store, open_store
from seco.errors import DataError

_PICTURES = {".jpg", ".jpeg", ".png"}
_RASTERS = {".tif", ".tiff"}
# The 13-band files of EuroSAT hold the bands of level 1C in numerical order with B8A last, not after B08.
EUROSAT_BANDS = (*(band.name for band in SENTINEL2_L1C if band.name != "B8A"), "B8A")
_STATISTICS_BATCH = 256


class Images(Protocol):
    """Images of one size and one list of bands, read in batches."""

    @property
    def path(self) -> Path:
        """Where they are."""

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the bands that can be read."""

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels: uint8 or uint16."""

    @property
    def patch_size(self) -> int:
        """Height and width, pixels."""

    @property
    def statistics(self) -> dict[str, BandStatistics]:
        """Statistics of each band in digital numbers; of a class folder, those of its training half."""

    def __len__(self) -> int: ...

    def read(self, rows: slice, bands: Sequence[str], threads: int | None = None) -> np.ndarray:
        """Pixels ``(n, C, H, W)`` of a run of images, with ``bands`` in the order given."""

    def describe(self) -> dict[str, Any]:
        """What identifies the data, for a result that can be repeated."""


class StorePatches:
    """All patches of a store: location by location, each in the order of its dates.

    Attributes:
        store: The store.
        locations: Number of the location of each patch, int64 ``(N,)``.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.locations = np.repeat(np.arange(len(store)), store.locations["num_dates"])

    def __len__(self) -> int:
        return len(self.locations)

    @property
    def path(self) -> Path:
        """Folder of the store."""
        return self.store.path

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the store's bands."""
        return self.store.band_names

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""
        return self.store.dtype

    @property
    def patch_size(self) -> int:
        """Height and width, pixels."""
        return self.store.patch_size

    @property
    def statistics(self) -> dict[str, BandStatistics]:
        """Statistics of the store's bands."""
        return self.store.statistics

    def read(self, rows: slice, bands: Sequence[str], threads: int | None = None) -> np.ndarray:
        """Pixels ``(n, C, H, W)`` of a run of patches."""
        indices = [self.band_names.index(name) for name in bands]
        return self.store.read(np.arange(rows.start, rows.stop), bands=indices, threads=threads)

    def describe(self) -> dict[str, Any]:
        """Path, size and fingerprint of the store."""
        return {
            "kind": "store",
            "path": str(self.store.path),
            "fingerprint": self.store.fingerprint,
            "locations": len(self.store),
            "patches": len(self),
        }


class ClassFolder:
    """Files sorted by class: ``FOLDER/<class>/<image>``, all JPEG or PNG (RGB), or all GeoTIFF.

    Half of each class is for training: its files in the order of the SHA-256 of ``class/name``, the first
    half, rounded up. The split depends on names only. Digital number 0 is nodata, as in a store.

    Args:
        path: The folder.

    Attributes:
        class_names: Sorted.
        labels: Class of each image, int64 ``(N,)``.
        training: Whether each image is in the training half, bool ``(N,)``.

    Raises:
        DataError: If there are no images, fewer than two classes, or two kinds of files.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._files, self.class_names = _list_classes(self.path)
        number = {name: i for i, name in enumerate(self.class_names)}
        self.labels = np.array([number[file.parent.name] for file in self._files], dtype=np.int64)
        self.training = _training_half(self._files, self.labels)
        self._pictures = self._files[0].suffix.lower() in _PICTURES
        first = self._decode(self._files[:1], None, None)
        self._shape, self._dtype = first.shape[1:], first.dtype
        by_count = {3: RGB, len(EUROSAT_BANDS): EUROSAT_BANDS}
        if self._shape[0] not in by_count:
            raise DataError(
                f"{self._files[0]}: expected 3 bands (RGB) or 13 (EuroSAT), got {self._shape[0]}; "
                "import such data into a store, which names its bands"
            )
        self._band_names = by_count[self._shape[0]]

    def __len__(self) -> int:
        return len(self._files)

    @property
    def path(self) -> Path:
        """The folder."""
        return self._path

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the bands, in the order of the files."""
        return self._band_names

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""
        return self._dtype

    @property
    def patch_size(self) -> int:
        """Height of the images, pixels."""
        return int(self._shape[1])

    @cached_property
    def statistics(self) -> dict[str, BandStatistics]:
        """Statistics of each band over the training half, in digital numbers."""
        histogram = DigitalNumberHistogram(len(self.band_names), self.dtype, nodata=0)
        files = [file for file, train in zip(self._files, self.training, strict=True) if train]
        for start in range(0, len(files), _STATISTICS_BATCH):
            for pixels in self._decode(files[start : start + _STATISTICS_BATCH], None, None):
                histogram.add(pixels)
        return {name: histogram.statistics(i) for i, name in enumerate(self.band_names)}

    def read(self, rows: slice, bands: Sequence[str], threads: int | None = None) -> np.ndarray:
        """Pixels ``(n, C, H, W)`` of a run of images.

        Raises:
            DataError: If an image is damaged, or of another size or mode than the first.
        """
        return self._decode(self._files[rows], [self.band_names.index(name) for name in bands], threads)

    def describe(self) -> dict[str, Any]:
        """Path, content and split of the folder."""
        digest = hashlib.sha256()
        for file in self._files:
            digest.update(f"{file.parent.name}/{file.name}\0".encode())
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        return {
            "kind": "class folder",
            "path": str(self.path),
            "fingerprint": digest.hexdigest(),
            "images": len(self),
            "split": "half of each class for training, by SHA-256 of class/name",
            "training_images": int(self.training.sum()),
        }

    def _decode(self, files: Sequence[Path], bands: list[int] | None, threads: int | None) -> np.ndarray:
        if not self._pictures:
            from seco.ops.geotiff import decode_geotiff

            decoded: np.ndarray = decode_geotiff(files, bands=bands, threads=threads)
            return decoded
        with ThreadPoolExecutor(threads) as pool:
            pixels = list(pool.map(_read_picture, files))
        expected = getattr(self, "_shape", pixels[0].shape)
        for file, image in zip(files, pixels, strict=True):
            if image.shape != expected:
                height, width = image.shape[1:]
                raise DataError(
                    f"{file}: expected the size of {self._files[0].name}, got {width}x{height} px; "
                    "bring all images to one size"
                )
        return np.stack(pixels)[:, bands if bands is not None else slice(None)]


def open_images(path: str | Path) -> StorePatches | ClassFolder:
    """Open a patch store, or a folder with one folder of images a class.

    Raises:
        DataError: If the folder is neither.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"{folder}: expected a store or a folder of classes, got no such folder; check the path")
    from seco.data.scene_folders import is_archive

    is_store = (folder / DATASET_FILE).is_file() or (folder.is_dir() and is_archive(folder))
    return StorePatches(open_store(folder)) if is_store else ClassFolder(folder)


def _list_classes(folder: Path) -> tuple[list[Path], list[str]]:
    """All images, sorted by class and name, and the names of the classes."""
    found = [file for file in folder.glob("*/*") if file.suffix.lower() in _PICTURES | _RASTERS]
    files = sorted(found, key=lambda file: (file.parent.name, file.name))
    names = sorted({file.parent.name for file in files})
    if len(names) < 2:
        raise DataError(
            f"{folder}: expected a store (dataset.json) or images as <class>/<name>.jpg, .png or .tif of at "
            f"least two classes, got {len(files)} images of {len(names)} classes; check the path"
        )
    kinds = {file.suffix.lower() in _PICTURES for file in files}
    if len(kinds) > 1:
        raise DataError(f"{folder}: expected one kind of files, got pictures and GeoTIFFs; separate them")
    return files, names


def _training_half(files: Sequence[Path], labels: np.ndarray) -> np.ndarray:
    keys = [hashlib.sha256(f"{file.parent.name}/{file.name}".encode()).hexdigest() for file in files]
    training = np.zeros(len(files), dtype=bool)
    for label in np.unique(labels):
        members = sorted(np.flatnonzero(labels == label), key=keys.__getitem__)
        training[members[: (len(members) + 1) // 2]] = True
    return training


def _read_picture(file: Path) -> np.ndarray:
    """Pixels uint8 ``(3, H, W)`` of an RGB picture."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            if image.mode != "RGB":
                raise DataError(f"{file}: expected an RGB picture of 8 bits, got mode {image.mode}; convert or drop it")
            return np.asarray(image).transpose(2, 0, 1)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{file}: expected a readable picture, got {reason}; fetch it again") from error
