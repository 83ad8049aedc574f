"""Features of all images of a data set, one whole image at a time through one encoder."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from seco.errors import DataError
from seco.evaluate.datasets import Images
from seco.ops.augment import augment_views
from seco.ops.random import VIEW_DTYPE
from seco.pretrain.checkpoint import Encoder


def extract_features(
    encoder: Encoder,
    images: Images,
    *,
    batch_size: int = 256,
    threads: int | None = None,
    device: str | torch.device = "cpu",
    progress: bool = False,
) -> np.ndarray:
    """Run an encoder over whole images: no crop and no augmentation, resized to the encoder's size.

    Batch normalisation uses the running statistics of the encoder, so that a feature does not depend on the
    other images of its batch. The next batch is read while one is encoded.

    Args:
        encoder: The backbone and the normalisation of its input; the bands are those of the normalisation.
        images: Images to encode.
        batch_size: Images that are encoded at once.
        threads: Threads that decode and resize; by default one a core.
        device: Where the backbone runs; it stays there.
        progress: Show a progress bar on stderr.

    Returns:
        Pooled features, float32 ``(N, d)``, in the order of ``images``.

    Raises:
        DataError: If the images lack a band of the encoder, or a feature is not finite.
    """
    batches = feature_batches(encoder, images, batch_size=batch_size, threads=threads, device=device, progress=progress)
    found = np.concatenate(list(batches))
    check_finite(found)
    return found


def feature_batches(
    encoder: Encoder,
    images: Images,
    *,
    batch_size: int = 256,
    threads: int | None = None,
    device: str | torch.device = "cpu",
    progress: bool = False,
) -> Iterator[np.ndarray]:
    """What :func:`extract_features` gives, batch by batch and not looked at: float32 ``(n, d)`` each."""
    missing = [name for name in encoder.normalization.bands if name not in images.band_names]
    if missing:
        raise DataError(
            f"data: expected the bands that the encoder takes, got none named {', '.join(missing)}; "
            f"there are {', '.join(images.band_names)}"
        )
    backbone = encoder.backbone.to(device).to(memory_format=torch.channels_last).eval()
    for batch in _shown(_batches(encoder, images, batch_size, threads), len(images), progress):
        with torch.inference_mode():
            features = backbone(batch.to(device)).float().cpu().numpy()
        yield features


def check_finite(found: np.ndarray, *, first: int = 0) -> None:
    """Raise DataError if a feature of images ``first`` on is not finite."""
    broken = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(broken):
        raise DataError(
            f"features: expected finite numbers, got NaN or infinity for {len(broken)} of {len(found)} "
            f"images (the first is image {first + broken[0]}); check the weights and the normalisation of the encoder"
        )


def whole_patches(count: int, height: int, width: int) -> np.ndarray:
    """Parameters of one view a patch that shows all of it unchanged: structured ``(count, 1)``."""
    params = np.zeros((count, 1), dtype=VIEW_DTYPE)
    params["crop_height"], params["crop_width"] = height, width
    params["order"] = np.arange(4)
    for factor in ("brightness", "contrast", "saturation"):
        params[factor] = 1.0
    return params


def _batches(encoder: Encoder, images: Images, batch_size: int, threads: int | None) -> Iterator[torch.Tensor]:
    """Normalised input of the backbone ``(n, C, size, size)``, read one batch ahead."""

    def prepare(start: int) -> torch.Tensor:
        rows = slice(start, min(start + batch_size, len(images)))
        pixels = images.read(rows, encoder.normalization.bands, threads)
        return normalized_input(encoder, pixels, threads)

    starts = range(0, len(images), batch_size)
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(prepare, starts[0])
        for start in starts[1:]:
            batch, following = following.result(), pool.submit(prepare, start)
            yield batch
        yield following.result()


def normalized_input(encoder: Encoder, pixels: np.ndarray, threads: int | None = None) -> torch.Tensor:
    """Input of the backbone, float32 ``(n, C, size, size)``, from digital numbers ``(n, C, H, W)``."""
    count, _, height, width = pixels.shape
    normalization = encoder.normalization
    views = augment_views(
        np.ascontiguousarray(pixels[:, None]),
        whole_patches(count, height, width),
        size=encoder.size,
        scale=normalization.scale,
        offset=normalization.offset,
        mean=normalization.mean,
        std=normalization.std,
        threads=threads,
    )
    return torch.as_tensor(views[0])


def _shown(batches: Iterator[torch.Tensor], total: int, progress: bool) -> Iterator[torch.Tensor]:
    """The batches, with a bar on stderr that counts images."""
    if not progress:
        yield from batches
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("features"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("features", total=total)
        for batch in batches:
            yield batch
            bar.advance(task, len(batch))
