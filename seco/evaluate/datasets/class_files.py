"""Image files sorted into one folder a class: which there are, and their pixels."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seco.bands import RGB
from seco.data.reflectance import NODATA
from seco.data.spread import spread_evenly
from seco.errors import DataError, UnreadableError, reason_of
from seco.evaluate.datasets.raster_header import RasterHeader, open_raster
from seco.evaluate.datasets.split_lists import PARTS
from seco.ops.geotiff import decode_geotiff, decode_readable

_COMPARED = 64  # files whose headers are compared when a folder is opened
_PICTURES = {".jpg", ".jpeg", ".png"}
_RASTERS = {".tif", ".tiff"}
_DTYPES = (np.dtype(np.uint8), np.dtype(np.uint16))


@dataclass(frozen=True)
class Kind:
    """What all images of a folder are like.

    Attributes:
        header: What the file says of itself that the others are compared with.
        pictures: They are JPEG or PNG, else GeoTIFF.
        shape: Bands, height and width.
    """

    header: RasterHeader
    pictures: bool
    shape: tuple[int, int, int]


def list_classes(folder: Path) -> tuple[Path, dict[str, list[Path]]]:
    """The folder that holds the classes, which may lie deeper as long as there is no choice, and all images by class.

    Where it holds folders of classes for training and test instead, images are listed by part of the split; else as ``all``.

    Raises:
        DataError: If there are fewer than two classes, two kinds of files, or two folders for one part.
    """
    root, parts = folder, _images_of_parts(folder)
    while not any(parts.values()) and len(inner := [entry for entry in root.iterdir() if entry.is_dir()]) == 1:
        root = inner[0]
        parts = _images_of_parts(root)
    files = [file for of_part in parts.values() for file in of_part]
    names = {file.parent.name for file in files}
    if len(names) < 2:
        deeper = sorted({str(file.parents[1].relative_to(folder)) for file in root.glob("*/*/*") if _is_image(file)})
        remedy = f"give one of its folders {', '.join(deeper[:5])}" if deeper else "check the path"
        raise DataError(
            f"{folder}: expected a store (dataset.json) or images as <class>/<name>.jpg, .png or .tif of at "
            f"least two classes, got {len(files)} images of {len(names)} classes; {remedy}"
        )
    if len({_is_picture(file) for file in files}) > 1:
        raise DataError(f"{folder}: expected one kind of files, got pictures and GeoTIFFs; separate them")
    return root, parts


def _images_of_parts(root: Path) -> dict[str, list[Path]]:
    """Images of the folders that are named after parts of a split, if there are some to train and to test; else all."""
    folders = {part: [root / name for name in names if (root / name).is_dir()] for part, names in PARTS.items()}
    images = {part: [file for folder in found for file in _images(folder)] for part, found in folders.items()}
    if not images["train"] or not images["test"]:
        return {"all": _images(root)}
    for part, found in folders.items():
        if len(found) > 1:
            names = " and ".join(folder.name for folder in found)
            raise DataError(f"{root}: expected one folder for {part}, got {names}; move one away")
    return {part: files for part, files in images.items() if files}


def kind_of(file: Path) -> Kind:
    """What one image is like.

    Raises:
        DataError: If it cannot be read, or is of neither uint8 nor uint16.
    """
    if _is_picture(file):
        pixels = _read_picture(file)
        return Kind(RasterHeader(file, pixels.dtype, RGB, None), True, pixels.shape)
    pixels = decode_geotiff([file])[0]
    if pixels.dtype not in _DTYPES:
        raise DataError(f"{file}: expected uint8 or uint16, got {pixels.dtype}; convert the rasters")
    with open_raster(file) as raster:
        return Kind(RasterHeader.of(file, raster), False, pixels.shape)


def check_kinds(files: Sequence[Path], kind: Kind, *, names: bool, units: bool) -> None:
    """Compare what some GeoTIFFs, evenly spread, say of bands and numbers with ``kind``; to open all takes long.

    Args:
        files: Of the images.
        kind: What they have to be like.
        names: Compare the names of the bands.
        units: Compare what the numbers mean.

    Raises:
        DataError: If one is of another kind; the text names it.
    """
    first = kind.header
    for i in spread_evenly(len(files), _COMPARED):
        with suppress(UnreadableError), open_raster(files[i]) as raster:  # reading the images names it
            header = RasterHeader.of(files[i], raster)
            if (header.dtype, len(header.band_names)) == (first.dtype, len(first.band_names)):  # else reading says so
                header.check_like(first, names=names, units=units)


def read_images(files: Sequence[Path], kind: Kind, bands: list[int], threads: int | None) -> np.ndarray:
    """Pixels ``(n, C, H, W)`` of images of one kind.

    Raises:
        DataError: If one cannot be read, or is of another size, number of bands or type; the text names it.
    """
    if kind.pictures:
        with ThreadPoolExecutor(threads) as pool:
            pixels = list(pool.map(_read_picture, files))
        for file, image in zip(files, pixels, strict=True):
            if image.shape != kind.shape:
                height, width = image.shape[1:]
                like = kind.header.file.name
                raise DataError(
                    f"{file}: expected the size of {like}, got {width}x{height} px; bring all images to one size"
                )
        return np.stack(pixels)[:, bands]
    out = np.empty((len(files), len(bands), *kind.shape[1:]), kind.header.dtype)
    damaged = decode_readable(files, bands=bands, total_bands=kind.shape[0], threads=threads, out=out)
    if damaged:
        raise damaged[min(damaged)]
    if kind.header.nodata:
        out[out == kind.header.nodata] = NODATA
    return out


def _images(folder: Path) -> list[Path]:
    found = [file for file in folder.glob("*/*") if _is_image(file)]
    return sorted(found, key=lambda file: (file.parent.name, file.name))


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in _PICTURES | _RASTERS and file.name[0] != "."  # nor what macOS keeps beside them


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in _PICTURES


def _read_picture(file: Path) -> np.ndarray:
    """Pixels uint8 ``(3, H, W)`` of an RGB picture."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as image:
            if image.mode != "RGB":
                raise DataError(f"{file}: expected an RGB picture of 8 bits, got mode {image.mode}; convert or drop it")
            return np.asarray(image).transpose(2, 0, 1)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise UnreadableError(f"{file}: expected a readable picture, got {reason_of(error)}; fetch it again") from error
