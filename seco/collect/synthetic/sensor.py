"""From light to digital numbers: blur, native resolution, noise, quantisation."""

import numpy as np
from numpy.typing import NDArray

from seco.bands import SENTINEL2_L2A
from seco.collect.stream import Array, Stream
from seco.data.reflectance import SENTINEL2

# Native pixel over the 10 m pixel, B01 to B12.
NATIVE_FACTOR = tuple(band.resolution_m // 10 for band in SENTINEL2_L2A)
LATTICE_PX = 6  # 60 m: the coarsest band
QUANTIFICATION = SENTINEL2.quantification  # digital numbers per unit reflectance
LOWEST_DN = 1  # 0 is nodata


def digitise(reflectance: Array, stream: Stream) -> NDArray[np.uint16]:
    """Digital numbers of a scene.

    Bands of 20 m and 60 m are block means at that size, repeated exactly on the 10 m grid. Noise is drawn per
    native pixel, 0.0006 plus 0.6 % of the reflectance: near the instrument's signal-to-noise ratios.

    Args:
        reflectance: Shape [12, size, size]; size a multiple of 6 px.
        stream: Source of the noise.

    Returns:
        DN = 10000 reflectance + 0, in [1, 65535], uint16, the same shape.
    """
    blurred = _blur(reflectance)
    bands = []
    for band, factor in zip(blurred, NATIVE_FACTOR, strict=True):
        native = block_mean(band, factor)
        noisy = native + (0.0006 + 0.006 * native) * stream.bells(native.shape)
        dn = np.clip(np.rint(noisy * QUANTIFICATION), LOWEST_DN, np.iinfo(np.uint16).max).astype(np.uint16)
        bands.append(dn.repeat(factor, axis=0).repeat(factor, axis=1))
    return np.stack(bands)


def block_mean(band: Array, factor: int) -> Array:
    """Mean of factor x factor blocks; sums in a fixed order, so that every machine rounds alike."""
    if factor == 1:
        return band
    rows = sum((band[k::factor] for k in range(1, factor)), start=band[::factor])
    blocks = sum((rows[:, k::factor] for k in range(1, factor)), start=rows[:, ::factor])
    return blocks / (factor * factor)


def _blur(image: Array) -> Array:
    """The optics' point spread: weights 1/8, 3/4, 1/8 along both axes, shape kept."""
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = 0.75 * padded[:, 1:-1] + 0.125 * (padded[:, :-2] + padded[:, 2:])
    return 0.75 * rows[:, :, 1:-1] + 0.125 * (rows[:, :, :-2] + rows[:, :, 2:])
