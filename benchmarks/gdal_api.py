"""GDAL by its own interface: the library that rasterio bundles, called without rasterio.

Its Python bindings (`osgeo`) are published as source only and are compiled against an installed libgdal of the same
version, which would be another GDAL than rasterio's. Reading takes a few functions of its C interface, which leaves the cost
of bindings out.
"""

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

READ = 0  # GA_ReadOnly and GF_Read
UINT16 = 2  # GDT_UInt16


def decoder(bands: Sequence[int]) -> Callable[[Sequence[Path]], list[NDArray[np.uint16]]]:
    """What reads those bands, from 0, of uint16 files, one after the other: ``[len(bands), height, width]`` each."""
    gdal = _library()
    wanted = (ctypes.c_int * len(bands))(*(band + 1 for band in bands))

    def read(file: Path) -> NDArray[np.uint16]:
        dataset = gdal.GDALOpen(str(file).encode(), READ)
        if not dataset:
            raise RuntimeError(f"gdal: expected to open {file}, got nothing")
        width, height = gdal.GDALGetRasterXSize(dataset), gdal.GDALGetRasterYSize(dataset)
        pixels = np.empty((len(bands), height, width), np.uint16)
        window = (0, 0, width, height, pixels.ctypes.data, width, height, UINT16, len(bands), wanted, 0, 0, 0)
        failed = gdal.GDALDatasetRasterIO(dataset, READ, *window)
        gdal.GDALClose(dataset)
        if failed:
            raise RuntimeError(f"gdal: expected to read {file}, got error {failed}")
        return pixels

    return lambda files: [read(file) for file in files]


def _library() -> ctypes.CDLL:
    """The libgdal of rasterio, found as what its extension modules are linked with: pyogrio brings another one."""
    gdal = ctypes.CDLL(rasterio._base.__file__)
    gdal.GDALAllRegister()
    gdal.GDALOpen.restype = ctypes.c_void_p
    gdal.GDALOpen.argtypes = [ctypes.c_char_p, ctypes.c_int]
    integer, pointer = ctypes.c_int, ctypes.c_void_p
    gdal.GDALGetRasterXSize.argtypes = gdal.GDALGetRasterYSize.argtypes = gdal.GDALClose.argtypes = [pointer]
    gdal.GDALDatasetRasterIO.argtypes = [
        *(pointer, integer, integer, integer, integer, integer, pointer, integer, integer, integer, integer),
        *(pointer, integer, integer, integer),
    ]
    return gdal
