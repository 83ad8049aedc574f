"""Types of the native module; `make lint` compares them with what it holds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__version__: str
built_with_cuda: bool
codecs: list[str]
cuda_architectures: str
dali_version: str
geotiff_max_bytes: int
view_dtype: np.dtype[np.void]

def stage_totals() -> list[int]: ...
def philox(counters: NDArray[np.uint32], key: int) -> NDArray[np.uint32]: ...
def check_view_params(params: NDArray[np.void], dates: int, bands: int, height: int, width: int, rgb: bool) -> None: ...
def augment_views(
    pixels: NDArray[Any],
    params: NDArray[np.void],
    scale: NDArray[np.float32],
    offset: NDArray[np.float32],
    mean: NDArray[np.float32],
    inverse_std: NDArray[np.float32],
    rgb: bool,
    out: NDArray[Any],
    dtype: str,
    channels_last: bool,
    size: int,
    threads: int,
) -> None: ...
def augment_views_cuda(
    pixels: object,
    params: object,
    coefficients: object,
    grey_sums: object,
    out: object,
    dtype: str,
    channels_last: bool,
    rgb: bool,
    any_contrast: bool,
    any_sharp: bool,
    max_sigma: float,
    size: int,
    stream: int,
) -> None: ...
def geotiff_info(source: bytes | tuple[bytes, bytes, int, int]) -> dict[str, Any]: ...
def decode_geotiff(
    sources: list[bytes | tuple[bytes, bytes, int, int]], bands: list[int], total_bands: int, out: NDArray[Any], threads: int
) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]: ...
