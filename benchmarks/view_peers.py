"""What others make views with: each one's recipe of MoCo-v2 with its probabilities, over all images.

Peers draw their own parameters, and resize as they do: torchvision and DALI against aliasing like ours, kornia and
albumentations without, which is less work.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.installed import is_installed

SIZE = 224
Views = Callable[[], object]


def on_cpu(images: list[np.ndarray]) -> dict[str, Views]:
    """Name of each installed peer → what makes a view of each of ``images``, uint8 ``[3, H, W]``."""
    tensors = torch.from_numpy(np.stack(images))
    peers: dict[str, tuple[str, Callable[[], Views]]] = {
        "torchvision": ("torchvision", lambda: torchvision_pil(images)),
        "torchvision-v2": ("torchvision", lambda: torchvision_v2(tensors)),
        "kornia": ("kornia", lambda: kornia(tensors)),
        "albumentations": ("albumentations", lambda: albumentations(images)),
        "nvidia.dali": ("nvidia.dali", lambda: dali(tensors)),
    }
    return {name: make() for name, (module, make) in peers.items() if is_installed(module)}


def on_cuda() -> dict[str, Callable[[torch.Tensor], Views]]:
    """Name of each installed peer → what prepares it for images ``[N, 3, H, W]`` that lie on the GPU."""
    peers = {"torchvision": torchvision_v2, "kornia": kornia, "nvidia.dali": dali}
    return {name: prepare for name, prepare in peers.items() if is_installed(name)}


def check(name: str, views: object, count: int) -> None:
    """A peer makes as many views of that size with numbers within [0, 1], or the timing would compare different work.

    Raises:
        RuntimeError: If it does not.
    """
    for view in views if isinstance(views, list | torch.Tensor) else np.asarray(views[0].as_cpu().as_tensor()):  # type: ignore[index]
        values = view.numpy(force=True) if isinstance(view, torch.Tensor) else np.asarray(view)
        count -= 1
        if sorted(values.shape) != [3, SIZE, SIZE] or values.dtype != np.float32:
            raise RuntimeError(f"{name}: expected float32 views of {SIZE} px, got {values.dtype} {list(values.shape)}")
        # Rounding of a resampling with float32 weights.
        if values.min() < -1e-5 or values.max() > 1 + 1e-5 or np.ptp(values) == 0:
            raise RuntimeError(f"{name}: expected numbers within [0, 1], got {values.min()} … {values.max()}")
    if count:
        raise RuntimeError(f"{name}: expected a view of each image, got {abs(count)} too {'few' if count > 0 else 'many'}")


def colour_and_flip(t: Any) -> list[Any]:  # noqa: ANN401 - either module
    """What comes before the crop, of torchvision's first or second transforms."""
    return [
        t.RandomApply([t.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
        t.RandomGrayscale(p=0.2),
        t.RandomApply([t.GaussianBlur(23, (0.1, 2.0))], p=0.5),
        t.RandomHorizontalFlip(),
    ]


def torchvision_crop(pixels: torch.Tensor, view: Any, size: int) -> torch.Tensor:  # noqa: ANN401 - a row of VIEW_DTYPE
    """The crop of one view's parameters, resized as torchvision does."""
    from torchvision.transforms.v2 import functional

    box = [int(view[f"crop_{name}"]) for name in ("top", "left", "height", "width")]
    return functional.resized_crop(pixels, *box, size=[size, size], antialias=True)


def torchvision_pil(images: list[np.ndarray]) -> Views:
    """Torchvision's first transforms on PIL's pictures, as the 2021 code used them."""
    from PIL import Image
    from torchvision import transforms as t

    chain = t.Compose([*colour_and_flip(t), t.RandomResizedCrop(SIZE, scale=(0.2, 1.0)), t.ToTensor()])
    pictures = [Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))) for image in images]
    return lambda: [chain(picture) for picture in pictures]


def torchvision_v2(images: torch.Tensor) -> Views:
    """Torchvision's second transforms on tensors of either device."""
    from torchvision.transforms import v2

    crop = v2.RandomResizedCrop(SIZE, scale=(0.2, 1.0), antialias=True)
    chain = v2.Compose([*colour_and_flip(v2), crop, v2.ToDtype(torch.float32, scale=True)])
    # A transform draws once a call, so each image has a call of its own.
    return lambda: [chain(image) for image in images]


def kornia(images: torch.Tensor) -> Views:
    """Kornia's transforms, batched, on tensors of either device."""
    from kornia import augmentation as k

    chain = k.AugmentationSequential(
        k.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
        k.RandomGrayscale(p=0.2),
        k.RandomGaussianBlur((23, 23), (0.1, 2.0), p=0.5),
        k.RandomHorizontalFlip(p=0.5),
        k.RandomResizedCrop((SIZE, SIZE), scale=(0.2, 1.0)),
    )
    return lambda: chain(images.float() / 255)


def albumentations(images: list[np.ndarray]) -> Views:
    """albumentations, which is OpenCV on arrays with bands last."""
    import albumentations as a

    chain = a.Compose(
        [
            a.ColorJitter((0.6, 1.4), (0.6, 1.4), (0.6, 1.4), (-0.1, 0.1), p=0.8),
            a.ToGray(p=0.2),
            a.GaussianBlur(blur_limit=(23, 23), sigma_limit=(0.1, 2.0), p=0.5),
            a.HorizontalFlip(p=0.5),
            a.RandomResizedCrop((SIZE, SIZE), scale=(0.2, 1.0)),
            a.ToFloat(255),
        ]
    )
    pictures = [np.ascontiguousarray(image.transpose(1, 2, 0)) for image in images]
    return lambda: [chain(image=picture)["image"] for picture in pictures]


def dali(images: torch.Tensor) -> Views:
    """DALI's operators on one image format only: bands last, which is what they take."""
    from nvidia.dali import fn, pipeline_def

    batch = images.permute(0, 2, 3, 1).contiguous()
    on_gpu = batch.is_cuda
    # On a GPU the next batch is in the making while one is waited for, as everywhere.
    settings = {"device_id": 0, "prefetch_queue_depth": 2} if on_gpu else {"device_id": None, "prefetch_queue_depth": 1}

    @pipeline_def(batch_size=len(batch), num_threads=1, **settings)  # type: ignore[untyped-decorator]
    def chain() -> object:
        source, device = (batch, "gpu") if on_gpu else (batch.numpy(), "cpu")
        x = fn.external_source(source=lambda: [source], num_outputs=1, device=device, batch=True)[0]
        jitter = fn.random.coin_flip(probability=0.8)

        def factor(strength: float) -> object:
            return 1 + jitter * fn.random.uniform(range=(-strength, strength))

        x = fn.color_twist(
            x,
            brightness=factor(0.4),
            contrast=factor(0.4),
            saturation=factor(0.4) * (1 - fn.random.coin_flip(probability=0.2)),
            hue=36 * jitter * fn.random.uniform(range=(-1, 1)),
        )
        sigma = fn.random.uniform(range=(0.1, 2.0)) * fn.random.coin_flip(probability=0.5) + 0.01
        x = fn.gaussian_blur(x, sigma=sigma, window_size=23)
        x = fn.random_resized_crop(x, size=(SIZE, SIZE), random_area=(0.2, 1.0), antialias=True)
        return fn.crop_mirror_normalize(x, mirror=fn.random.coin_flip(), std=[255.0], output_layout="CHW")

    pipeline = chain()
    pipeline.build()
    # Without a stream it would wait for the GPU.
    return lambda: pipeline.run(torch.cuda.current_stream() if on_gpu else None)
