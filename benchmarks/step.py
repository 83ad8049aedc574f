"""Training steps: seco beside the step of the 2021 code made again, and where the time of ours goes.

Both are given the same weights and views first, and must agree on the loss. On a CPU both are timed on views that are there;
on a GPU ours begins with pixels that lie on the card. The times of the parts of ours include the making of views.
``--data STORE`` adds steps fed by each loader that is there, one after the other; ``--compile`` times ours with compiled
encoders.
"""

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.record import Record, make_record, time_in_turns, time_runs
from seco import _core
from seco.bands import select_bands
from seco.data.loader import loader_class
from seco.data.normalization import Normalization
from seco.data.store import open_store
from seco.ops.augment_torch import augment_views_op, coefficients_tensor, params_tensor, view_extremes
from seco.ops.random import sample_view_params
from seco.ops.recipe import RECIPES
from seco.pretrain.method import ContrastOutput, MomentumContrast, no_lap
from seco.pretrain.step import train_step
from seco.profiling.clock import Mark, seconds_of_parts

PATCH = 264
_STEPS_PER_EPOCH = 1000
TEMPERATURE = 0.07
_LOADERS = {"end-to-end": "native", "end-to-end-dali": "dali"}  # by the end of the case's name
Lap = Callable[[str], None]


def run(*, device: str, quick: bool, data: Path | None = None, compiled: bool = False) -> Iterator[Record]:
    """Records of a step on ``device``: on a GPU with the sizes of the paper, on a CPU with small ones.

    ``data`` is a store to feed steps from; ``compiled`` says to time steps with compiled encoders instead.
    """
    size, queue, runs, cases = 64, 1024, 15, [("resnet18", 16), ("resnet18", 64)]
    if device == "cuda":
        size, queue, runs, cases = 224, 16384, 20, [("resnet18", 256), ("resnet50", 256)]
    if quick:
        size, queue, runs, cases = 32, 64, 2, [("test_resnet", 4)]
    torch.backends.cudnn.benchmark = True  # as in training

    def make_work(backbone: str, batch: int) -> tuple[Work, str]:
        work = Work(backbone, device, batch=batch, size=size, queue=queue)
        work.check()
        return work, f"{backbone}-{size}px-batch-{batch}"

    for backbone, batch in cases:
        yield from _measure(*make_work(backbone, batch), runs=runs, compiled=compiled)
    if data is None or compiled:
        return
    # After the others: what a loader does ahead would be work beside theirs, and one that fails ends these only.
    for end, loader in _LOADERS.items():
        if loader != "dali" or _core.dali_version:
            for backbone, batch in cases:
                work, case = make_work(backbone, batch)
                with _fed(work, data, loader) as step:
                    works = {(f"{case}-{end}", "seco"): step}
                    yield from _time(work, works, parts=works, runs=runs)


def _measure(work: "Work", case: str, *, runs: int, compiled: bool) -> Iterator[Record]:
    """Records of our step, and of the one of 2021 or, if ``compiled``, of ours alone."""
    ours = case, "seco-compiled" if compiled else "seco"
    views = None if work.device.type == "cuda" else work.views
    works: dict[tuple[str, str], Callable[[], object]] = {ours: lambda: work.step(views=views)}
    if compiled:
        work.compile()
    else:
        works[case, "seco-2021"] = work.step_2021
        if work.device.type == "cpu":  # fp32 is what a CPU trains in unless it is told otherwise, a GPU's step above is bf16
            halves = work.make_views(torch.bfloat16)
            works[f"{case}-bf16", "seco"] = lambda: work.step(views=halves, dtype=torch.bfloat16)
    yield from _time(work, works, parts={ours: work.step}, runs=runs)


def _time(
    work: "Work",
    works: Mapping[tuple[str, str], Callable[[], object]],
    *,
    parts: Mapping[tuple[str, str], Callable[[Lap], None]],
    runs: int,
) -> Iterator[Record]:
    """Records of ``works`` by case and implementation, timed in turns; those in ``parts`` with the times of their parts."""
    device = work.device.type
    wait = torch.cuda.synchronize if device == "cuda" else None
    for step in works.values():
        time_runs(step, runs=2, synchronise=wait)  # clocks and the choice of convolutions settle
    common = {"benchmark": "step", "device": device, "items": work.batch, "unit": "locations"}
    common["threads"] = 0 if device == "cuda" else torch.get_num_threads()
    for (case, name), seconds in time_in_turns(works, runs=runs, synchronise=wait).items():
        extra = {"parts_s": work.time_parts(parts[case, name], runs=runs)} if (case, name) in parts else {}
        yield make_record(case=case, implementation=name, seconds=seconds, **common, **extra)  # type: ignore[arg-type]


class Work:
    """A batch on the device and both models."""

    def __init__(self, backbone: str, device: str, *, batch: int, size: int, queue: int) -> None:
        self.device, self.batch, self.size = torch.device(device), batch, size
        self.dtype = torch.bfloat16 if device == "cuda" else torch.float32
        settings = {"backbone": backbone, "in_channels": 3, "sub_spaces": 3, "dim": 128, "queue_length": queue}
        model = MomentumContrast(**settings, momentum=0.999, temperature=TEMPERATURE, seed=0)  # type: ignore[arg-type]
        self.model = model.to(memory_format=torch.channels_last).to(self.device).train()
        self.optimizer = self._sgd(self.model.query, fused=True)
        self.other = Step2021(self.model)
        self.other_optimizer = self._sgd(self.other.query, fused=False)
        generator = torch.Generator().manual_seed(0)
        pixels = torch.randint(0, 256, (batch, 3, 3, PATCH, PATCH), dtype=torch.uint8, generator=generator)
        params = sample_view_params("seco", np.arange(batch), epoch=0, seed=0, height=PATCH, width=PATCH, dates=3)
        values = {"scale": 1 / 255, "offset": 0, "mean": 0.5, "inverse_std": 4}
        per_band = {name: np.full(3, value, np.float32) for name, value in values.items()}
        self.tensors = (
            pixels.to(self.device),
            params_tensor(params, self.device),
            coefficients_tensor(per_band, self.device),
        )
        self.extremes = view_extremes(params)
        self.given_views = self.make_views(torch.float32)
        self.views = self.make_views(self.dtype)
        self.plain_views = self.given_views.contiguous()

    @staticmethod
    def _sgd(module: nn.Module, *, fused: bool) -> torch.optim.Optimizer:
        return torch.optim.SGD(module.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4, fused=fused)

    def make_views(self, dtype: torch.dtype) -> Tensor:
        """The batch's views ``[4, N, 3, size, size]``."""
        return augment_views_op(*self.tensors, size=self.size, dtype=dtype, rgb=True, **self.extremes)

    def check(self) -> None:
        """Both steps see the same loss, or the timing would compare different work."""
        ours = self.model(self.given_views).loss.item()
        theirs = self.other.loss(self.given_views).item()
        # Sums of the same float32 numbers in another order, on a GPU through other convolutions.
        np.testing.assert_allclose(ours, theirs, rtol=2e-3 if self.device.type == "cuda" else 1e-4)

    def compile(self) -> None:
        """As ``seco pretrain --compile`` does."""
        self.model.query.compile()
        self.model.key.compile()

    def step(self, lap: Lap = no_lap, views: Tensor | None = None, dtype: torch.dtype | None = None) -> None:
        """The trainer's step; ``lap`` is told when each part ends, the making of views too where none are given."""
        dtype = dtype or self.dtype
        if views is None:
            views = self.make_views(dtype)
            lap("views")
        forward = partial(self._forward, dtype)
        train_step(self.model, views, forward=forward, backward=Tensor.backward, optimizer=self.optimizer, lap=lap)

    def _forward(self, dtype: torch.dtype, views: Tensor, step: int, lap: Lap) -> ContrastOutput:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            return self.model(views, step, lap)

    def step_2021(self) -> None:
        """The step of the 2021 code, its views given; it trained in fp32."""
        self.other.follow()
        loss = self.other.loss(self.plain_views, push=True)
        self.other_optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.other_optimizer.step()

    def time_parts(self, step: Callable[[Lap], None], *, runs: int) -> dict[str, float]:
        """Median seconds of each part of our step; on a GPU by its own clock."""
        seconds: dict[str, list[float]] = {}
        for _ in range(runs):
            marks = [("", self._mark())]
            step(lambda part, marks=marks: marks.append((part, self._mark())))  # type: ignore[misc]
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            for part, value in seconds_of_parts(marks).items():
                seconds.setdefault(part, []).append(value)
        return {part: float(np.median(values)) for part, values in seconds.items()}

    def _mark(self) -> Mark:
        return Mark(self.device.type == "cuda")


class Step2021(nn.Module):
    """As the released code trains: float32, rows of pixels by band, a queue and a loop for each sub-space.

    Source: Mañas et al., ICCV 2021, and its released code; written anew.
    """

    def __init__(self, model: MomentumContrast) -> None:
        super().__init__()
        self.query, self.key = (
            copy.deepcopy(encoder).to(memory_format=torch.contiguous_format) for encoder in (model.query, model.key)
        )
        self.queues = [keys.T.clone() for keys in model.queue.keys]  # [D, K] each
        self.pointer = 0

    @torch.no_grad()
    def follow(self) -> None:
        """Move the key encoder, parameter by parameter."""
        for key, query in zip(self.key.parameters(), self.query.parameters(), strict=True):
            key.data = key.data * 0.999 + query.data * (1 - 0.999)

    def loss(self, views: Tensor, *, push: bool = False) -> Tensor:
        """Loss of one batch of views ``[4, N, C, H, W]``."""
        query = self.query(views[0].contiguous())
        with torch.no_grad():
            keys = [self.key(view.contiguous()) for view in views[1:]]  # [V][M, N, D]
        total: Tensor = query.new_zeros(())
        for i, queue in enumerate(self.queues):
            positive = torch.einsum("nc,nc->n", query[i], keys[i][i])[:, None]
            negatives = [torch.einsum("nc,ck->nk", query[i], queue.clone())]
            if i > 0:
                negatives += [torch.einsum("nc,ck->nk", query[i], keys[j][i].T) for j in range(len(keys)) if j != i]
            logits = torch.cat([positive, *negatives], dim=1) / TEMPERATURE
            total = total + F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))
        if push:
            for i, queue in enumerate(self.queues):
                queue[:, self.pointer : self.pointer + query.shape[1]] = keys[i][i].T
            self.pointer = (self.pointer + query.shape[1]) % self.queues[0].shape[1]
        return total


@contextmanager
def _fed(work: Work, data: Path, loader_name: str) -> Iterator[Callable[..., None]]:
    """A step with views of a loader, from patches in the page cache on; the loader works until the end of the block."""
    store = open_store(data)
    bands = select_bands(store.band_names, "rgb")
    loader = loader_class(loader_name)(
        store,
        recipe=RECIPES["seco"],
        normalization=Normalization.from_store(store, bands),
        size=work.size,
        batch_size=work.batch,
        seed=0,
        device=work.device,
        dtype=str(work.dtype).removeprefix("torch."),
    )
    # A small store is gone through so often in an epoch that beginnings of epochs, which wait, do not count.
    loader._usable = np.resize(loader._usable, _STEPS_PER_EPOCH * work.batch)
    loader.steps_per_epoch = _STEPS_PER_EPOCH
    batches = (batch for epoch in itertools.count() for batch in loader.epoch(epoch))

    def step(lap: Lap = no_lap) -> None:
        views = next(batches).views
        lap("data")
        work.step(lap, views)

    with closing(batches):
        yield step
