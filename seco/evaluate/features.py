"""Features of all images of a data set, one whole image at a time through one encoder."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import DTypeLike
from torch import nn

from seco.bands import NAME_BANDS
from seco.errors import ConfigError, DataError
from seco.evaluate.datasets import Images
from seco.ops.augment import augment_views
from seco.ops.random import neutral_views
from seco.pretrain.backbone import eval_mode, input_dtype, try_input
from seco.pretrain.encoder import Encoder
from seco.track import Track, untracked

# An array of more than this goes to a temporary file (TMPDIR says where): 1 million features of 512 numbers.
_IN_MEMORY_BYTES = 2 << 30

Given = TypeVar("Given")
Made = TypeVar("Made")


def extract_features(
    encoder: Encoder,
    images: Images,
    *,
    rows: np.ndarray | None = None,
    batch_size: int = 256,
    threads: int | None = None,
    device: str | torch.device = "cpu",
    track: Track = untracked,
) -> np.ndarray:
    """Run an encoder over whole images: no crop and no augmentation, resized to the encoder's size.

    Batch normalisation uses the running statistics of the encoder, so that a feature does not depend on the
    other images of its batch. The next batch is read while one is encoded. The encoder runs in the floating type of its
    weights.

    Args:
        encoder: The backbone and the normalisation of its input; the bands are those of the normalisation, and its scale is
            that of the images' numbers: :func:`seco.evaluate.encoders.from_checkpoint` sees to that. Any module that
            makes ``[N, d]`` of ``[N, C, size, size]`` will do; its modules are left in the modes that they are in.
        images: Images to encode.
        rows: Which of them, int64 ``(N,)``; by default all.
        batch_size: Images that are encoded at once.
        threads: Threads that decode and resize; by default one a core.
        device: Where the backbone runs; its weights stay there, and in channels-last order.
        track: How progress is shown.

    Returns:
        Pooled features, float32 ``(N, d)``, in the order of ``rows``; beyond 2 GB in a temporary file.

    Raises:
        ConfigError: If ``batch_size`` is not positive, or the backbone takes no such images or gives no ``[N, d]``.
        DataError: If the images lack a band of the encoder, or a feature is not finite.
    """
    rows = np.arange(len(images)) if rows is None else rows
    settings: dict[str, Any] = {"batch_size": batch_size, "threads": threads, "device": device, "track": track}
    found, done = np.empty((0, 0), np.float32), 0
    for features in feature_batches(encoder, images, rows=rows, **settings):
        if not done:
            found = empty_array((len(rows), *features.shape[1:]), np.float32)
        found[done : done + len(features)] = features
        done += len(features)
    return found


def feature_batches(
    encoder: Encoder,
    images: Images,
    *,
    rows: np.ndarray,
    batch_size: int,
    threads: int | None,
    device: str | torch.device,
    track: Track,
) -> Iterator[np.ndarray]:
    """What :func:`extract_features` gives, batch by batch: float32 ``(n, d)`` each; of no rows one of none."""
    if batch_size < 1:
        raise ConfigError(f"batch_size: expected at least 1, got {batch_size}; raise it")
    check_bands(encoder, images.band_names)
    chunks = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    backbone = encoder.backbone.to(device).to(memory_format=torch.channels_last)
    width, dtype = count_outputs(backbone, len(encoder.normalization.bands), encoder.size), input_dtype(backbone)
    if not chunks:
        yield np.empty((0, width), np.float32)
    batches = read_batches(encoder, images, chunks, threads)
    for chunk, batch in zip(track(chunks, "images encoded", size=len), batches, strict=True):
        with torch.inference_mode(), eval_mode(backbone):
            features = backbone(batch.to(device, dtype)).float().cpu().numpy()
        _check_finite(features, chunk)
        yield features


def count_outputs(backbone: nn.Module, bands: int, size: int) -> int:
    """Width d of the features ``[N, d]`` that a backbone makes of images ``[N, bands, size, size]``.

    Raises:
        ConfigError: If it takes no images of that size, or gives something else.
    """
    found = try_input(backbone, bands, size)
    shape = list(found.shape) if isinstance(found, torch.Tensor) else None
    if shape is None or len(shape) != 2 or shape[0] != 1:
        raise ConfigError(
            f"backbone: expected one that gives features [N, d], got {shape or type(found).__name__} of one image from "
            f"{type(backbone).__name__}; wrap it in a module whose forward returns one vector an image"
        )
    return shape[1]


def _check_finite(features: np.ndarray, rows: np.ndarray) -> None:
    broken = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(broken):
        raise DataError(
            f"features: expected finite numbers, got NaN or infinity for {len(broken)} of {len(features)} images at once "
            f"(the first is image {rows[broken[0]]}); check the weights and the normalisation of the encoder"
        )


@dataclass(frozen=True)
class Features:
    """Features of some images of a data set.

    Attributes:
        rows: Which images, int64 ``(N,)``, ascending.
        values: float32 ``(N, d)``.
    """

    rows: np.ndarray
    values: np.ndarray

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Features of ``rows``, all of which must be there: ``(n, d)``, a copy unless all are asked for."""
        if np.array_equal(rows, self.rows):
            return self.values
        found = empty_array((len(rows), self.values.shape[1]), self.values.dtype)
        return np.take(self.values, np.searchsorted(self.rows, rows), axis=0, out=found, mode="clip")


def check_bands(encoder: Encoder, band_names: Sequence[str]) -> None:
    """Raise DataError if the data lacks a band that the encoder takes."""
    missing = [name for name in encoder.normalization.bands if name not in band_names]
    if missing:
        raise DataError(
            f"data: expected the bands that the encoder takes, got none named {', '.join(missing)}; "
            f"there are {', '.join(band_names)}; {NAME_BANDS}"
        )


def empty_array(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """An array of that ``shape`` to fill: in memory, or beyond 2 GB in a temporary file that goes with it."""
    if np.prod(shape, dtype=np.int64) * np.dtype(dtype).itemsize <= _IN_MEMORY_BYTES:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(prefix="seco-features-") as file:  # the map keeps the nameless file
        return np.memmap(file, dtype, "w+", shape=shape)


def read_batches(
    encoder: Encoder, images: Images, chunks: Iterable[np.ndarray], threads: int | None
) -> Iterator[torch.Tensor]:
    """Normalised input of the backbone ``(n, C, size, size)`` for each chunk of rows, read one chunk ahead."""

    def prepare(rows: np.ndarray) -> torch.Tensor:
        return normalized_input(encoder, images.read(rows, encoder.normalization.bands, threads), threads)

    yield from prefetched(prepare, chunks)


def prefetched(work: Callable[[Given], Made], items: Iterable[Given]) -> Iterator[Made]:
    """What ``work`` makes of each item, in order; it works on the next one while one is used."""
    with ThreadPoolExecutor(1) as pool:
        pending = None
        for item in items:
            following = pool.submit(work, item)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()


def normalized_input(encoder: Encoder, pixels: np.ndarray, threads: int | None = None) -> torch.Tensor:
    """Input of the backbone, float32 ``(n, C, size, size)``, from digital numbers ``(n, C, H, W)``."""
    count, _, height, width = pixels.shape
    normalization = encoder.normalization
    views = augment_views(
        np.ascontiguousarray(pixels[:, None]),
        neutral_views(count, 1, height, width),
        size=encoder.size,
        scale=normalization.scale,
        offset=normalization.offset,
        mean=normalization.mean,
        std=normalization.std,
        threads=threads,
    )
    return torch.as_tensor(views[0])
