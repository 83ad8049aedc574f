"""GeoTIFF files of every layout, written by GDAL."""

import warnings

import numpy as np
from rasterio.io import MemoryFile

HEIGHT, WIDTH = 37, 53  # no multiple of a tile or strip


def pixels_of(bands, dtype, seed=0):
    steps = np.random.default_rng(seed).integers(-3, 4, (bands, HEIGHT, WIDTH))
    return (np.cumsum(steps, axis=2) + 100).astype(dtype)


def encode(pixels, *, tiled=False, interleave="band", compress="deflate", predictor=1, big="NO", **more):
    layout = {"tiled": True, "blockxsize": 16, "blockysize": 16} if tiled else {"blockysize": 10}
    coding = {} if compress == "none" else {"compress": compress, "predictor": predictor}
    count, height, width = pixels.shape
    with warnings.catch_warnings(), MemoryFile() as memory:
        warnings.simplefilter("ignore")
        shape = {"count": count, "height": height, "width": width, "dtype": pixels.dtype}
        settings = shape | layout | coding | more
        with memory.open(driver="GTiff", interleave=interleave, BIGTIFF=big, **settings) as dataset:
            dataset.write(pixels)
        return memory.read()
