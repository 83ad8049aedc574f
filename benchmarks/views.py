"""Views: seco beside torchvision, kornia and albumentations on the same pixels.

Peers draw their own parameters, so the answers are compared on parameters that all can be given: crop-only views against
torchvision, within the tolerance of the tests. A missing peer is left out.
"""

import importlib.util
import os
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.record import Record, make_record, time_in_turns, time_runs
from seco.ops.augment import augment_views
from seco.ops.random import sample_view_params
from seco.ops.recipe import RECIPES

HEIGHT = WIDTH = 264
SIZE = 224
SEED = 0


def run(*, device: str, quick: bool) -> list[Record]:
    """Records of all implementations that are installed and run on ``device``."""
    return _run_cuda(quick=quick) if device == "cuda" else _run_cpu(quick=quick)


def _run_cpu(*, quick: bool) -> list[Record]:
    locations, runs = (2, 2) if quick else (16, 15)
    pixels = _pixels(locations, channels=3, dtype=np.uint8)
    _check_crops(pixels)
    images = [pixels[n, 0] for n in range(locations)] * 2
    works: dict[tuple[str, str, int], Callable[[], object]] = {}
    params = sample_view_params("moco", np.arange(locations), epoch=0, seed=SEED, height=HEIGHT, width=WIDTH, dates=1)
    for count in sorted({1, os.cpu_count() or 1}):
        works["moco-rgb-uint8", "seco", count] = lambda n=count: _ours(pixels, params, threads=n)  # type: ignore[misc]
    for name, peer in _cpu_peers(images).items():
        works["moco-rgb-uint8", name, 1] = peer
    many = _pixels(locations, channels=12, dtype=np.uint16)
    recipe = RECIPES["moco"].for_bands(["B01"] * 12)
    of_many = sample_view_params(recipe, np.arange(locations), epoch=0, seed=SEED, height=HEIGHT, width=WIDTH, dates=1)
    works["moco-12-bands-uint16", "seco", 1] = lambda: _ours(many, of_many, threads=1)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        seconds = time_in_turns(works, runs=runs)
    finally:
        torch.set_num_threads(before)
    return [_record(case, name, "cpu", threads, params.size, s) for (case, name, threads), s in seconds.items()]


def _run_cuda(*, quick: bool) -> list[Record]:
    """Crop-only views on the card, beside torchvision and a device-to-device copy of the bytes that they must move."""
    locations, runs = (8, 3) if quick else (256, 31)
    pixels = torch.from_numpy(_pixels(locations, channels=3, dtype=np.uint8)).cuda()
    params = _crop_only(locations)
    views = _ours(pixels, params, dtype="bfloat16")
    expected = _ours(pixels.cpu(), params, dtype="float32")
    # bfloat16 keeps 8 significant bits: half an ulp of values up to 1 is 2**-9, and the devices may round a tie apart.
    torch.testing.assert_close(views.float().cpu(), expected, rtol=0, atol=2**-8)

    work: dict[str, Callable[[], object]] = {"seco": lambda: _ours(pixels, params, dtype="bfloat16")}
    moved = pixels.nbytes + views.nbytes
    source = torch.empty(moved // 2, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    work["copy"] = lambda: target.copy_(source)
    work["torchvision"] = lambda: _torchvision_crops(pixels, params)
    records = []
    for name, call in work.items():
        seconds = time_runs(call, runs=runs, synchronise=torch.cuda.synchronize)
        records.append(_record("crop-only-rgb-uint8", name, "cuda", 0, params.size, seconds, bytes_moved=moved))
    return records


def _pixels(locations: int, *, channels: int, dtype: type) -> np.ndarray:
    generator = np.random.default_rng(SEED)
    return generator.integers(0, np.iinfo(dtype).max, (locations, 1, channels, HEIGHT, WIDTH), dtype=dtype)


def _ours(
    pixels: np.ndarray | torch.Tensor, params: np.ndarray, *, dtype: str = "float32", threads: int | None = None
) -> torch.Tensor:
    out = augment_views(
        pixels,
        params,
        size=SIZE,
        scale=1 / np.iinfo(_dtype(pixels)).max,
        offset=0.0,
        mean=0.0,
        std=1.0,
        dtype=dtype,
        threads=threads,
    )
    return torch.as_tensor(out)


def _dtype(pixels: np.ndarray | torch.Tensor) -> str:
    return str(pixels.dtype).removeprefix("torch.")


def _crop_only(locations: int) -> np.ndarray:
    """View parameters with every operation but the crop switched off."""
    ids = np.arange(locations)
    params = sample_view_params("moco", ids, epoch=0, seed=SEED, height=HEIGHT, width=WIDTH, dates=1)
    for name, neutral in {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0, "grey": False}.items():
        params[name] = neutral
    params["blur_sigma"] = 0
    params["flip"] = False
    return params


def _torchvision_crops(pixels: torch.Tensor, params: np.ndarray) -> list[torch.Tensor]:
    from torchvision.transforms.v2 import functional

    crops = []
    for n, v in np.ndindex(params.shape):
        p = params[n, v]
        box = [int(p[name]) for name in ("crop_top", "crop_left", "crop_height", "crop_width")]
        crops.append(functional.resized_crop(pixels[n, 0].float() / 255, *box, size=[SIZE, SIZE], antialias=True))
    return crops


def _check_crops(pixels: np.ndarray) -> None:
    """Our crops are torchvision's, or the timing would compare different work."""
    params = _crop_only(len(pixels))
    ours = torch.as_tensor(_ours(torch.from_numpy(pixels), params))
    theirs = (
        torch.stack(_torchvision_crops(torch.from_numpy(pixels), params))
        .reshape(*params.shape, *ours.shape[2:])
        .swapaxes(0, 1)
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1 / 255)


def _cpu_peers(images: list[np.ndarray]) -> dict[str, Callable[[], object]]:
    """Each installed peer's MoCo-v2 recipe with its probabilities, over all images."""
    factories = {"torchvision": _torchvision_pil, "kornia": _kornia, "albumentations": _albumentations}
    modules = {"torchvision": "torchvision", "kornia": "kornia", "albumentations": "albumentations"}
    return {name: factory(images) for name, factory in factories.items() if importlib.util.find_spec(modules[name])}


def _torchvision_pil(images: list[np.ndarray]) -> Callable[[], object]:
    from PIL import Image
    from torchvision import transforms as t

    chain = t.Compose(
        [
            t.RandomApply([t.ColorJitter(0.4, 0.4, 0.4, 0.1)], p=0.8),
            t.RandomGrayscale(p=0.2),
            t.RandomApply([t.GaussianBlur(23, (0.1, 2.0))], p=0.5),
            t.RandomHorizontalFlip(),
            t.RandomResizedCrop(SIZE, scale=(0.2, 1.0)),
            t.ToTensor(),
        ]
    )
    pictures = [Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))) for image in images]
    return lambda: [chain(picture) for picture in pictures]


def _kornia(images: list[np.ndarray]) -> Callable[[], object]:
    from kornia import augmentation as k

    chain = k.AugmentationSequential(
        k.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
        k.RandomGrayscale(p=0.2),
        k.RandomGaussianBlur((23, 23), (0.1, 2.0), p=0.5),
        k.RandomHorizontalFlip(p=0.5),
        k.RandomResizedCrop((SIZE, SIZE), scale=(0.2, 1.0)),
    )
    batch = torch.from_numpy(np.stack(images))
    return lambda: chain(batch.float() / 255)


def _albumentations(images: list[np.ndarray]) -> Callable[[], object]:
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


def _record(  # noqa: PLR0917 - every call names the same six
    case: str, name: str, device: str, threads: int, items: int, seconds: list[float], **extra: int
) -> Record:
    return make_record(
        benchmark="views",
        case=case,
        implementation=name,
        device=device,
        threads=threads,
        items=items,
        unit="views",
        seconds=seconds,
        **extra,
    )
