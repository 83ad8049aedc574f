"""Views: seco beside torchvision, kornia, albumentations and DALI on the same pixels.

On a GPU the kernels alone are `seco`, beside a copy of the bytes that they must move; `seco-call` is augment_views as it is
called from Python, with its checks and the upload of parameters.

Peers draw their own parameters, so the answers are compared on parameters that all can be given: crop-only views against
torchvision, within the tolerance of the tests. A missing peer is left out.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch

from benchmarks import view_peers
from benchmarks.record import Record, make_record, on_cores, time_in_turns, time_runs
from benchmarks.view_peers import SIZE
from seco.device import cores
from seco.ops.augment import augment_views
from seco.ops.augment_torch import augment_views_op, coefficients_tensor, params_tensor, view_extremes
from seco.ops.random import sample_view_params
from seco.ops.recipe import RECIPES

HEIGHT = WIDTH = 264
SEED = 0
CALLS = 8  # of seco in a run: one alone is so short that waking a thread would show


def run(*, device: str, quick: bool) -> Iterable[Record]:
    """Records of all implementations that are installed and run on ``device``."""
    return _run_cuda(quick=quick) if device == "cuda" else _run_cpu(quick=quick)


def _run_cpu(*, quick: bool) -> list[Record]:
    locations, runs = (2, 2) if quick else (16, 15)
    pixels = _pixels(locations, channels=3, dtype=np.uint8)
    _check_crops(pixels)
    images = [pixels[n, 0] for n in range(locations)] * 2
    works: dict[tuple[str, str, int], Callable[[], object]] = {}
    params = _drawn("moco", locations)
    for count in sorted({1, cores()}):
        works["moco-rgb-uint8", "seco", count] = _repeated(lambda n=count: _ours(pixels, params, threads=n))  # type: ignore[misc]
    for name, peer in view_peers.on_cpu(images).items():
        view_peers.check(name, peer(), len(images))
        works["moco-rgb-uint8", name, 1] = peer
    seconds = time_in_turns({key: on_cores(key[2], work) for key, work in works.items()}, runs=runs)
    many = _pixels(locations, channels=12, dtype=np.uint16)
    of_many = _drawn("moco", locations, bands=12)
    # By itself: memory of another size would be given up and taken again in every turn.
    alone = on_cores(1, _repeated(lambda: _ours(many, of_many, threads=1)))
    seconds["moco-12-bands-uint16", "seco", 1] = time_runs(alone, runs=runs)
    return [
        _record(case, name, "cpu", threads, params.size * (CALLS if name == "seco" else 1), of_runs)
        for (case, name, threads), of_runs in seconds.items()
    ]


def _run_cuda(*, quick: bool) -> Iterator[Record]:
    """On the card: the four views of SeCo beside a copy of the bytes that they must move; one view beside the peers'."""
    locations, runs = (8, 3) if quick else (256, 31)
    pixels = torch.from_numpy(_pixels(locations, channels=3, dtype=np.uint8, dates=3)).cuda()
    many = torch.from_numpy(_pixels(locations // 4, channels=12, dtype=np.uint16, dates=3)).cuda()
    params, of_many = _drawn("seco", locations), _drawn("seco", locations // 4, bands=12)
    moco = _drawn("moco", locations)
    images = pixels[:, 0].repeat(2, 1, 1, 1)
    # The devices make the same bits, or the timing would be of something else.
    assert torch.equal(_ours(pixels[:4], params[:4]).cpu(), _ours(pixels[:4].cpu(), params[:4]))

    def beside_a_copy(case: str, source: torch.Tensor, drawn: np.ndarray, dtype: str) -> Iterator[Record]:
        kernels = _kernels(source, drawn, dtype)
        assert torch.equal(kernels(), _ours(source, drawn, dtype=dtype))
        moved = source.nbytes + kernels().nbytes
        half = torch.empty(2, moved // 2, dtype=torch.uint8, device="cuda").random_()
        works: dict[str, Callable[[], object]] = {
            "seco": kernels,
            "seco-call": lambda: _ours(source, drawn, dtype=dtype),
            "copy": lambda: half[1].copy_(half[0]),
        }
        for name, work in works.items():
            seconds = _time_queued(work, runs=runs)
            yield _record(case, name, "cuda", 0, drawn.size, seconds, bytes_moved=moved)

    yield from beside_a_copy("seco-rgb-uint8-bfloat16", pixels, params, "bfloat16")
    yield from beside_a_copy("seco-12-bands-uint16-bfloat16", many, of_many, "bfloat16")
    yield from beside_a_copy("moco-rgb-uint8-float32", pixels[:, :1].contiguous(), moco, "float32")
    for name, prepare in view_peers.on_cuda().items():
        try:
            peer = prepare(images)
            view_peers.check(name, peer(), len(images))
            if name == "torchvision":  # one image after the other: seconds a run
                seconds = time_runs(peer, runs=min(runs, 10), synchronise=torch.cuda.synchronize)
            else:
                seconds = _time_queued(peer, runs=runs)
        except Exception as error:  # of its own: no reason to lose what others take
            print(f"{name}: left out, it fails with {type(error).__name__}: {error}")
        else:
            yield _record("moco-rgb-uint8-float32", name, "cuda", 0, moco.size, seconds)


def make_once() -> None:
    """The four views of SeCo of 256 locations on the GPU, and of 64 of twelve bands, once, under the eyes of a profiler."""
    for locations, bands, dtype in ((256, 3, np.uint8), (64, 12, np.uint16)):
        pixels = torch.from_numpy(_pixels(locations, channels=bands, dtype=dtype, dates=3)).cuda()
        _kernels(pixels, _drawn("seco", locations, bands=bands), "bfloat16")()
    torch.cuda.synchronize()


def _time_queued(work: Callable[[], object], *, runs: int) -> list[float]:
    """Seconds of a call that follows others on the GPU, whose queue never runs empty, as in training."""
    runs_of_several = time_runs(_repeated(work), runs=runs, synchronise=torch.cuda.synchronize)
    return [seconds / CALLS for seconds in runs_of_several]


def _repeated(work: Callable[[], object]) -> Callable[[], None]:
    def several() -> None:
        for _ in range(CALLS):
            work()

    return several


def _kernels(pixels: torch.Tensor, params: np.ndarray, dtype: str) -> Callable[[], torch.Tensor]:
    """The operator on tensors that lie on the GPU already, told what the parameters ask for."""
    numbers = {"scale": 1 / np.iinfo(_dtype(pixels)).max, "offset": 0.0, "mean": 0.0, "inverse_std": 1.0}
    values = {name: np.full(pixels.shape[2], number, np.float32) for name, number in numbers.items()}
    tensors = pixels, params_tensor(params, pixels.device), coefficients_tensor(values, pixels.device)
    settings = {"size": SIZE, "dtype": getattr(torch, dtype), "rgb": pixels.shape[2] == 3} | view_extremes(params)
    return lambda: augment_views_op(*tensors, **settings)


def _pixels(locations: int, *, channels: int, dtype: type, dates: int = 1) -> np.ndarray:
    generator = np.random.default_rng(SEED)
    return generator.integers(0, np.iinfo(dtype).max, (locations, dates, channels, HEIGHT, WIDTH), dtype=dtype)


def _drawn(method: str, locations: int, *, bands: int = 3) -> np.ndarray:
    recipe = RECIPES[method] if bands == 3 else RECIPES[method].for_bands(["B01"] * bands)
    return sample_view_params(
        recipe, np.arange(locations), epoch=0, seed=SEED, height=HEIGHT, width=WIDTH, dates=recipe.num_dates
    )


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
    params = _drawn("moco", locations)
    for name, neutral in {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0, "grey": False}.items():
        params[name] = neutral
    params["blur_sigma"] = 0
    params["flip"] = False
    return params


def _torchvision_crops(pixels: torch.Tensor, params: np.ndarray) -> list[torch.Tensor]:
    views = np.ndindex(params.shape)
    return [view_peers.torchvision_crop(pixels[n, 0].float() / 255, params[n, v], SIZE) for n, v in views]


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
