"""TIFFs outside the fast profile, read by GDAL without its chatter."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seco import _core
from seco.errors import GeoTiffError, reason_of
from seco.ops.fork_safe import fork_safe_lock

if TYPE_CHECKING:
    from seco.ops.geotiff import FileSlice, Source


logging.getLogger("rasterio").addHandler(logging.NullHandler())
_FILTERS = fork_safe_lock()  # the filters of warnings are the process's: threads that open files would swap them


def read_header(source: "Source", reason: str) -> tuple[int, int, int, str]:
    """Bands, height, width and dtype name of a file; ``reason`` is why the native decoder does not read it."""
    with _open(source, reason) as dataset:
        _check_size(dataset, source)
        return dataset.count, dataset.height, dataset.width, str(dataset.dtypes[0])


def read_pixels(source: "Source", reason: str) -> NDArray[Any]:
    """All pixels ``[C, H, W]`` of a file.

    Raises:
        GeoTiffError: If rasterio is not installed or GDAL cannot read the file.
    """
    with _open(source, reason) as dataset:
        _check_size(dataset, source)
        return dataset.read()


def open_quietly(open_raster: Callable[..., Any], *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - rasterio's
    """What ``open`` of rasterio, or of a file in memory, gives; no warning that it lies nowhere: who asks finds out."""
    from rasterio.errors import NotGeoreferencedWarning

    with _FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return open_raster(*arguments, **options)


def _check_size(dataset: Any, source: "Source") -> None:  # noqa: ANN401 - rasterio publishes no types
    """Refuses by the declared size, as the native decoder does: what a sparse file leaves out, GDAL makes zeros."""
    try:
        sample = np.dtype(dataset.dtypes[0])
    except TypeError as error:  # GDAL's complex integers
        got = dataset.dtypes[0]
        raise GeoTiffError(f"{_name(source)}: expected samples of a NumPy type, got {got}; convert it") from error
    if dataset.count * dataset.height * dataset.width * sample.itemsize > _core.geotiff_max_bytes:
        got = f"{dataset.width} x {dataset.height} px of {dataset.count} bands"
        raise GeoTiffError(f"{_name(source)}: expected an image of at most 1 GiB, got one that declares {got}; cut it up")


def _name(source: "Source") -> str:
    return "<bytes>" if isinstance(source, bytes) else str(source)


@contextmanager
def _open(source: "Source", reason: str) -> Iterator[Any]:
    name = _name(source)
    try:
        import rasterio
        from rasterio.errors import RasterioError
        from rasterio.io import MemoryFile
    except ImportError as error:
        raise GeoTiffError(f"{name}: expected rasterio to read it ({reason}), got none; pip install rasterio") from error
    try:
        # As a TIFF and nothing else: a VRT from a stranger names other files and addresses, and GDAL opens them.
        with rasterio.Env(CPL_DEBUG=False):
            if isinstance(source, bytes):
                with MemoryFile(source) as memory, open_quietly(memory.open, driver="GTiff") as dataset:
                    yield dataset
            else:
                with open_quietly(rasterio.open, _gdal_name(source), driver="GTiff") as dataset:
                    yield dataset
    except RasterioError as error:
        raise GeoTiffError(f"{name}: expected a readable raster ({reason}), got: {reason_of(error)}") from error


def _gdal_name(source: "str | Path | FileSlice") -> str | Path:
    if isinstance(source, tuple):
        return f"/vsisubfile/{source.offset}_{source.length},{source.path}"
    return source
