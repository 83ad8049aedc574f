"""The training loop: loader → views → momentum contrast → SGD, with metrics and checkpoints."""

import logging
import math
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning.fabric import Fabric

from seco.bands import select_bands
from seco.data.loader import Loader
from seco.data.normalization import Normalization
from seco.data.store import open_store
from seco.errors import DeviceError, RunError

from .checkpoint import BEST, LAST
from .config import PretrainConfig
from .method import ContrastOutput, MomentumContrast
from .run_directory import RunDirectory
from .schedule import learning_rate


class Watcher(Protocol):
    """Who is told how training goes."""

    def started(self, *, done: int, total: int, excluded: int, device: str) -> None:
        """Training begins at step ``done`` of ``total``; ``excluded`` locations have too few dates."""

    def advanced(self, line: dict[str, Any]) -> None:
        """A line of metrics was written."""


@dataclass
class _Interval:
    """Sums since the last line of metrics."""

    steps: int = 0
    loss: float = 0.0
    accuracy: list[float] = field(default_factory=list)
    wait_s: float = 0.0
    start: float = field(default_factory=time.perf_counter)

    def add(self, output: ContrastOutput, wait_s: float) -> None:
        accuracy = output.accuracy.tolist()
        self.accuracy = [a + b for a, b in zip(self.accuracy or [0.0] * len(accuracy), accuracy, strict=True)]
        self.loss += output.loss.item()
        self.wait_s += wait_s
        self.steps += 1


def pretrain(
    config: PretrainConfig, out: Path, *, watcher: Watcher, resume: bool = False, overwrite: bool = False
) -> int | None:
    """Train an encoder and leave a run directory.

    Args:
        config: Settings.
        out: Run directory.
        watcher: Told of progress.
        resume: Go on with the run at ``out``.
        overwrite: Replace the run at ``out``.

    Returns:
        None when training came to its end, else the signal that ended it early: SIGINT (Ctrl-C) or SIGTERM. Both leave a
        checkpoint of the last step.

    Raises:
        SecoError: For what a user can cause: a store, band, device or run that is not there or does not fit, a patch
            that cannot be read, a loss that is no number.
    """
    run = RunDirectory(out, config, resume=resume, overwrite=overwrite)
    trainer = _Trainer(config, run)
    run.open()
    return trainer.fit(watcher)


class _Trainer:
    """Model, optimiser, data and position of one run."""

    def __init__(self, config: PretrainConfig, run: RunDirectory) -> None:
        self.config, self.run = config, run
        self.fabric = _make_fabric(config)
        store = open_store(config.data)
        bands = select_bands(store.band_names, config.bands)
        recipe = config.recipe.for_bands(bands)
        self.loader = Loader(
            store,
            recipe=recipe,
            normalization=Normalization.from_store(store, bands),
            size=config.size,
            batch_size=config.batch_size,
            seed=config.seed,
            threads=config.threads or None,
        )
        self.total_steps = config.epochs * self.loader.steps_per_epoch
        self.last_step = min(self.total_steps, config.steps or self.total_steps)
        self.model = MomentumContrast(
            backbone=config.backbone,
            in_channels=len(bands),
            sub_spaces=recipe.num_views - 1,
            dim=config.dim,
            queue_length=config.queue,
            momentum=config.key_momentum,
            temperature=config.temperature,
            seed=config.seed,
            batch_negatives=config.batch_negatives,
        ).to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(
            self.model.query.parameters(),
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        )
        self.step, self.epoch_loss, self.best_loss = 0, 0.0, math.inf
        if run.state is not None:
            self._restore(run.state)
        if config.compile:
            self.model.query.compile()
            self.model.key.compile()
        self.forward, self.wrapped_optimizer = self.fabric.setup(self.model, self.optimizer)
        self.interval = _Interval()

    def fit(self, watcher: Watcher) -> int | None:
        """Train to the last step, or return the number of the signal that came first."""
        device = str(self.fabric.device)
        watcher.started(done=self.step, total=self.last_step, excluded=self.loader.excluded, device=device)
        with _interruptible() as signals, _tensorboard(self.run.path, self.step) as events:
            while self.step < self.last_step and not signals:
                epoch, start = divmod(self.step, self.loader.steps_per_epoch)
                for batch in self.loader.epoch(epoch, start):
                    self._train(batch.views, batch.wait_s)
                    in_epoch = self.step % self.loader.steps_per_epoch
                    ends_epoch = in_epoch == 0
                    stops = bool(signals) or self.step == self.last_step
                    if ends_epoch or stops or in_epoch % self.config.log_every == 0:
                        line = self._write_line(epoch)
                        _write_events(events, line)
                        watcher.advanced(line)
                    if ends_epoch:
                        self._end_epoch(epoch)
                    if stops or (ends_epoch and (epoch + 1) % self.config.save_every == 0):
                        self.run.save(LAST, self._state())
                    if stops:
                        break
        return signals[0] if signals and self.step < self.last_step else None

    def _train(self, views: torch.Tensor, wait_s: float) -> None:
        config = self.config
        rate = learning_rate(
            self.step,
            base=config.base_lr,
            schedule=config.schedule,
            epochs=config.epochs,
            steps_per_epoch=self.loader.steps_per_epoch,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.fabric.device.type == "cuda":
            views = views.pin_memory()
        self.model.train()
        self.model.update_key_encoder()
        output: ContrastOutput = self.forward(views.to(self.fabric.device, non_blocking=True))
        self.optimizer.zero_grad()
        self.fabric.backward(output.loss)
        self.wrapped_optimizer.step()
        self.model.push_keys(output.keys)
        self.interval.add(output, wait_s)
        self.step += 1
        if not math.isfinite(self.interval.loss):
            raise RunError(f"loss: expected a number, got {output.loss.item()} at step {self.step}; try a smaller --lr")

    def _write_line(self, epoch: int) -> dict[str, Any]:
        """One line of metrics over the steps since the last; what time decides comes last."""
        interval, self.interval = self.interval, _Interval()
        seconds = time.perf_counter() - interval.start
        gradients = [p.grad for p in self.model.query.parameters() if p.grad is not None]
        line = {
            "step": self.step,
            "epoch": epoch,
            "loss": interval.loss / interval.steps,
            "accuracy": {f"Z{i}": a / interval.steps for i, a in enumerate(interval.accuracy)},
            "lr": self.optimizer.param_groups[0]["lr"],
            "gradient_norm": torch.nn.utils.get_total_norm(gradients).item(),
            "queue_age": min(self.step, math.ceil(self.config.queue / self.config.batch_size)),
            "locations_per_s": interval.steps * self.config.batch_size / seconds,
            "wait_share": interval.wait_s / seconds,
        }
        self.epoch_loss += interval.loss
        self.run.log(line)
        return line

    def _end_epoch(self, epoch: int) -> None:
        mean, self.epoch_loss = self.epoch_loss / self.loader.steps_per_epoch, 0.0
        if mean < self.best_loss:
            self.best_loss = mean
            self.run.save(BEST, self._state())

    def _state(self) -> dict[str, Any]:
        return {
            "config": self.config.to_dict(),
            "normalization": self.loader.normalization.to_dict(),
            "store": self.loader.store.fingerprint,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "epoch_loss": self.epoch_loss,
            "best_loss": self.best_loss,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        if state["store"] != self.loader.store.fingerprint:
            raise RunError(
                f"{self.run.path}: expected the store that the run began with, got another at {self.config.data}; "
                "give that store, or another --out"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.epoch_loss, self.best_loss = state["step"], state["epoch_loss"], state["best_loss"]


def _make_fabric(config: PretrainConfig) -> Any:  # noqa: ANN401 - lightning publishes types that strict mypy refuses
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    if config.device == "cuda" and not torch.cuda.is_available():
        raise DeviceError("device: expected an NVIDIA GPU, got none that torch can use; `seco doctor` says why")
    device = config.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    precision = {"fp32": "32-true", "bf16": "bf16-mixed"}[config.precision]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fabric = Fabric(accelerator=device, devices=1, precision=precision)
        fabric.launch()
    return fabric


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """The first SIGINT or SIGTERM asks to stop after the step, so that what is saved is whole; the next acts at once.

    Yields the signals that came.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: object) -> None:
        came.append(number)
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in before:
        signal.signal(number, ask)
    try:
        yield came
    finally:
        restore()


@contextmanager
def _tensorboard(path: Path, step: int) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.utils.tensorboard import SummaryWriter
    # Steps after the checkpoint are done again: their old events are to be forgotten.
    writer = SummaryWriter(str(path / "tensorboard"), purge_step=step + 1)
    try:
        yield writer
    finally:
        writer.close()


def _write_events(events: Any, line: dict[str, Any]) -> None:  # noqa: ANN401 - a SummaryWriter
    for name, value in line.items():
        if isinstance(value, dict):
            for key, part in value.items():
                events.add_scalar(f"{name}/{key}", part, line["step"])
        elif name not in {"step", "epoch"}:
            events.add_scalar(name, value, line["step"])
