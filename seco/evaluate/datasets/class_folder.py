"""Files sorted into one folder a class as images to evaluate on."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from seco.bands import RGB, SENTINEL2_L1C
from seco.data.reflectance import Reflectance
from seco.data.statistics import BandStatistics
from seco.errors import DataError

from .images import Rows
from .split import half_of_each_class
from .statistics import statistics_of

_PICTURES = {".jpg", ".jpeg", ".png"}
_RASTERS = {".tif", ".tiff"}
# The 13-band files of EuroSAT hold the bands of level 1C in numerical order with B8A last, not after B08.
EUROSAT_BANDS = (*(band.name for band in SENTINEL2_L1C if band.name != "B8A"), "B8A")


class ClassFolder:
    """Files sorted by class: ``FOLDER/<class>/<image>``, all JPEG or PNG (RGB), or all GeoTIFF.

    Half of each class is for training: its files in the order of the SHA-256 of ``class/name``, the first
    half, rounded up. The split depends on names only. Digital number 0 is nodata, as in a store.

    Args:
        path: The folder.

    Attributes:
        names: ``class/file`` of each image.
        class_names: Sorted.
        labels: Class of each image, int64 ``(N,)``.
        splits: Rows of ``train`` and ``test``.
        groups: Every image is a place of its own.

    Raises:
        DataError: If there are no images, fewer than two classes, or two kinds of files.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._files, self.class_names = _list_classes(self.path)
        number = {name: i for i, name in enumerate(self.class_names)}
        self.labels = np.array([number[file.parent.name] for file in self._files], dtype=np.int64)
        self.names = [f"{file.parent.name}/{file.name}" for file in self._files]
        training = half_of_each_class(self.names, self.labels)
        self.splits = {"train": np.flatnonzero(training), "test": np.flatnonzero(~training)}
        self.groups = np.arange(len(self._files))
        self._pictures = self._files[0].suffix.lower() in _PICTURES
        first = self._first_readable()
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

    @property
    def reflectance(self) -> Reflectance | None:
        """That of level 1C for rasters; pictures have none."""
        return None if self._pictures else Reflectance(10_000.0, 0.0)

    @cached_property
    def statistics(self) -> dict[str, BandStatistics]:
        """Statistics of each band over the training half, in digital numbers."""
        return statistics_of(self, self.splits["train"])

    @property
    def split_source(self) -> str:
        """How the split was made."""
        return "half of each class for training, by SHA-256 of class/name"

    def read(self, rows: Rows, bands: Sequence[str], threads: int | None = None) -> np.ndarray:
        """Pixels ``(n, C, H, W)`` of some images.

        Raises:
            DataError: If an image is damaged, or of another size or mode than the first.
        """
        files = [self._files[row] for row in np.arange(len(self))[rows]]
        return self._decode(files, [self.band_names.index(name) for name in bands], threads)

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
            "split": self.split_source,
            "training_images": len(self.splits["train"]),
        }

    def _first_readable(self) -> np.ndarray:
        """Pixels of the first file that can be read: what the others are compared with."""
        for file in self._files:
            with suppress(DataError):  # reading the images names it
                return self._decode([file], None, None)
        return self._decode(self._files[:1], None, None)

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
