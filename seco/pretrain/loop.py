"""The training loop: loader → views → momentum contrast → SGD, with metrics and checkpoints."""

import math
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from seco.data.loader import Loader, loader_class
from seco.data.store import Store, open_store
from seco.device import cores
from seco.errors import RunError, reason_of
from seco.pretrain import ranks, recipe2021
from seco.pretrain.backbone import try_input
from seco.pretrain.checkpoint import BEST, LAST
from seco.pretrain.config import PRECISIONS, PretrainConfig
from seco.pretrain.encoder import ENCODER
from seco.pretrain.events import tensorboard, write_events
from seco.pretrain.input import ModelInput
from seco.pretrain.method import ContrastOutput, MomentumContrast, no_lap
from seco.pretrain.probe import Probe, Snapshot, check_probe
from seco.pretrain.run_directory import RunDirectory
from seco.pretrain.schedule import learning_rate
from seco.pretrain.signals import interruptible
from seco.pretrain.step import train_step
from seco.profiling.training import FOLDER as PROFILE_FOLDER
from seco.profiling.training import LAST as REST
from seco.profiling.training import WAIT, TrainingProfile, check_steps


class Watcher(Protocol):
    """Who is told how training goes."""

    def started(self, *, done: int, total: int, excluded: int, device: str) -> None:
        """Training begins at step ``done`` of ``total``; ``excluded`` locations have too few dates."""

    def advanced(self, line: dict[str, Any]) -> None:
        """A line of metrics was written."""

    def probed(self, line: dict[str, Any]) -> None:
        """A line of probe.jsonl was written."""

    def said(self, text: str) -> None:
        """Something takes a while."""

    def warned(self, text: str) -> None:
        """Something is wrong, but training goes on."""


@dataclass
class _Interval:
    """Sums since the last line of metrics; on the device, for asking what they are would wait for it."""

    steps: int = 0
    sums: torch.Tensor | None = None  # of loss and each accuracy, float64
    wait_s: float = 0.0
    start: float = field(default_factory=time.perf_counter)

    def add(self, output: ContrastOutput, wait_s: float) -> None:
        values = torch.cat([output.loss.detach()[None], output.accuracy]).double()
        self.sums = values if self.sums is None else self.sums + values
        self.wait_s += wait_s
        self.steps += 1


def pretrain(
    config: PretrainConfig, out: str | Path, *, watcher: Watcher, resume: bool = False, overwrite: bool = False
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
        SecoError: For what a user can cause: a store, band, device or run that is not there or does not fit, too many
            patches that cannot be read, a store that changes meanwhile, a full disk, a loss that is no number.
    """
    fabric = ranks.launch(config.device, config.precision)
    try:
        run = RunDirectory(Path(out), config, resume=resume, overwrite=overwrite)
        trainer = _Trainer(config, run, fabric)
        fabric.barrier()  # every rank has seen what is there before one changes it
        with run.opened() if fabric.is_global_zero else nullcontext():
            ended_by = trainer.fit(watcher)
            ranks.leave()
        return ended_by
    except OSError as error:
        raise RunError(
            f"{error.filename or out}: expected a place to read and write, got: {reason_of(error)}; free some space "
            "or mend it, then go on with --resume"
        ) from error


def _make_loader(config: PretrainConfig, store: Store, model_input: ModelInput, fabric: Any) -> Loader:  # noqa: ANN401
    return loader_class(config.loader)(
        store,
        recipe=model_input.recipe,
        normalization=model_input.of_loader,
        table=model_input.table,
        size=config.size,
        batch_size=config.batch_size,
        seed=config.seed,
        threads=config.threads or _own_cores(),
        rank=fabric.global_rank,
        world_size=fabric.world_size,
        max_bad_fraction=config.max_bad_fraction,
        verify=config.verify,
        device=fabric.device,
        dtype=PRECISIONS[config.precision].views,
    )


def _make_model(config: PretrainConfig, model_input: ModelInput) -> MomentumContrast:
    bands = len(model_input.normalization.bands)
    model = MomentumContrast(
        backbone=config.backbone,
        in_channels=bands,
        sub_spaces=model_input.recipe.num_views - 1,
        dim=config.dim,
        queue_length=config.queue,
        momentum=config.key_momentum,
        temperature=config.temperature,
        seed=config.seed,
        batch_negatives=config.batch_negatives,
    )
    try_input(model.query.backbone, bands, config.size)
    if config.follows_2021:
        for encoder in (model.query, model.key):
            recipe2021.open_residuals(encoder.backbone)
    return model.to(memory_format=torch.channels_last)


class _Trainer:
    """Model, optimiser, data and position of one run."""

    def __init__(self, config: PretrainConfig, run: RunDirectory, fabric: Any) -> None:  # noqa: ANN401 - a Fabric
        self.config, self.run, self.fabric = config, run, fabric
        store = open_store(config.data)
        model_input = ModelInput.of(config, store)
        self.normalization = model_input.normalization
        self.loader = _make_loader(config, store, model_input, fabric)
        if config.probe != "none":
            check_probe(config.probe, config.probe_folder, self.normalization)
        self.probe: Probe | None = None
        self.lap: Callable[[str], None] = no_lap
        self.warned: set[str] = set()
        self.total_steps = config.epochs * self.loader.steps_per_epoch
        self.last_step = min(self.total_steps, config.steps or self.total_steps)
        self.model = _make_model(config, model_input)
        self.optimizer = torch.optim.SGD(
            self.model.query.parameters(),
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            fused=True,  # on a CPU, too: a third of the time
        )
        self.step, self.epoch_loss, self.best_loss = 0, 0.0, math.inf
        if config.compile:
            self.model.query.compile()
            self.model.key.compile()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch 2.14 renames an option that 2.11 knows by its old name only
            self.forward, self.wrapped_optimizer = self.fabric.setup(self.model, self.optimizer)
        if run.state is not None:  # now that the parameters are where their momentum belongs
            self._restore(run.state)
        if config.profile:
            check_steps(self.last_step - self.step)
        self.model.train()
        self.interval = _Interval()

    def fit(self, watcher: Watcher) -> int | None:
        """Train to the last step, or return the number of the signal that came first."""
        config, chief = self.config, self.fabric.is_global_zero
        if chief:
            device = str(self.fabric.device)
            watcher.started(done=self.step, total=self.last_step, excluded=self.loader.excluded, device=device)
        stopped_by = None
        with interruptible() as signals, ExitStack() as stack:
            events = stack.enter_context(tensorboard(self.run.path, self.step)) if chief else None
            if chief and config.probe != "none":
                threads = max(1, _own_cores() // 4)
                self.probe = Probe(config.probe, config.probe_folder, folder=self.run.path, threads=threads)
                stack.callback(self.probe.close)
                if self.step and not self.run.was_probed(self.step):
                    self._probe_if_due(watcher)
            if chief and config.profile:
                self.lap = stack.enter_context(closing(self._open_profile())).lap
            while self.step < self.last_step and stopped_by is None:
                self.loader.store.check_unchanged()
                epoch, start = divmod(self.step, self.loader.steps_per_epoch)
                for batch in self.loader.epoch(epoch, start):
                    self.lap(WAIT)
                    self._train(batch.views, batch.wait_s)
                    if ranks.any_of(bool(signals)):
                        stopped_by = signals[0] if signals else signal.SIGTERM
                    stops = stopped_by is not None or self.step == self.last_step
                    self._record(epoch, watcher, events, stops=stops)
                    self._warn(watcher)
                    self._report_probes(watcher, events)
                    self.lap(REST)
                    if stops:
                        break
            self.fabric.barrier()  # a rank that ends before the last checkpoint is written may have the others killed
            if self.probe is not None and self.probe.busy:
                if stopped_by is None:
                    watcher.said("Waiting for the last probe; Ctrl-C leaves without it")
                while stopped_by is None and self.probe.busy and not signals:
                    self._report_probes(watcher, events, wait_s=0.2)
                if self.probe.busy:
                    watcher.warned("the last probe was not done when the run was interrupted, and is lost")
        return stopped_by if self.step < self.last_step else None

    def _record(self, epoch: int, watcher: Watcher, events: Any, *, stops: bool) -> None:  # noqa: ANN401 - a SummaryWriter
        """Write what is due after a step: a line of metrics, checkpoints."""
        config, in_epoch = self.config, self.step % self.loader.steps_per_epoch
        ends_epoch = in_epoch == 0
        saves = stops or (ends_epoch and (epoch + 1) % config.save_every == 0)
        saves = saves or (config.save_steps > 0 and self.step % config.save_steps == 0)
        # A line before every checkpoint, so that none is made of steps on both sides of it.
        if saves or ends_epoch or in_epoch % config.log_every == 0:
            line = self._make_line(epoch)
            if self.fabric.is_global_zero:
                self.run.log(line)
                write_events(events, line)
                watcher.advanced(line)
        if ends_epoch or saves:
            self._check_weights()
        if ends_epoch:
            self._end_epoch()
        if saves and self.fabric.is_global_zero:
            self.run.save(LAST, self._state())
        self._probe_if_due(watcher)

    def _open_profile(self) -> TrainingProfile:
        config, locations = self.config, self.config.batch_size * self.fabric.world_size
        return TrainingProfile(
            self.run.path / PROFILE_FOLDER,
            steps=self.last_step - self.step,
            device=self.fabric.device.type,
            precision=config.precision,
            loader=config.loader,
            threads=self.loader.threads,
            locations=locations,
            caption=f"{config.method}, {config.backbone}, {locations} locations a step, views of {config.size} px, "
            f"{self.fabric.device.type}, {config.precision}, {config.loader} loader",
        )

    def _probe_if_due(self, watcher: Watcher) -> None:
        """Have the momentum encoder measured: after every so many epochs, and at the end."""
        epochs, in_epoch = divmod(self.step, self.loader.steps_per_epoch)
        due = in_epoch == 0 and epochs % self.config.probe_every == 0
        if self.probe is None or not (due or self.step == self.last_step):
            return
        weights = {ENCODER + name: tensor.detach().clone() for name, tensor in self.model.key.backbone.state_dict().items()}
        epoch = (self.step - 1) // self.loader.steps_per_epoch
        left_out = self.probe.submit(Snapshot(self.step, epoch, self._header() | {"model": weights}))
        if left_out is not None:
            watcher.warned(f"the probe of step {left_out.step} is left out: the one before it is not done yet")

    def _report_probes(self, watcher: Watcher, events: Any, *, wait_s: float = 0.0) -> None:  # noqa: ANN401
        """Log what probes have found."""
        for line in self.probe.answers(wait_s) if self.probe is not None else ():
            if "error" in line:
                watcher.warned(f"the probe of step {line['step']} failed: {line['error']}")
                continue
            self.run.log_probe(line)
            write_events(events, {"step": line["step"], "probe": line["metrics"]})
            watcher.probed(line)

    def _warn(self, watcher: Watcher) -> None:
        """Name patches that turned out to be unreadable, each once, and from one process only."""
        if not self.fabric.is_global_zero:
            return
        for name, reason in self.loader.bad_patches.items():
            if name not in self.warned:
                self.warned.add(name)
                watcher.warned(f"{reason}; another location takes its place")

    def _train(self, views: torch.Tensor, wait_s: float) -> None:
        config = self.config
        rate = learning_rate(
            self.step,
            base=config.base_lr(self.fabric.world_size),
            schedule=config.schedule,
            epochs=config.epochs,
            steps_per_epoch=self.loader.steps_per_epoch,
            milestones=config.milestones,
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        ranks.seed_step(config.seed, self.step)
        output = train_step(
            self.model,
            views,
            forward=self.forward,
            backward=self.fabric.backward,
            optimizer=self.wrapped_optimizer,
            step=self.step,
            lap=self.lap,
        )
        self.interval.add(output, wait_s)
        self.step += 1

    def _make_line(self, epoch: int) -> dict[str, Any]:
        """One line of metrics of all ranks over the steps since the last; what time decides comes last."""
        interval, self.interval = self.interval, _Interval()
        seconds = time.perf_counter() - interval.start
        gradients = [p.grad for p in self.model.query.parameters() if p.grad is not None]
        assert interval.sums is not None
        loss, *accuracy = (self._mean(interval.sums) / interval.steps).tolist()
        if not math.isfinite(loss):
            raise RunError(f"loss: expected a number, got {loss} by step {self.step}; try a smaller --lr")
        batch, world_size = self.config.batch_size, self.fabric.world_size
        self.epoch_loss += loss * interval.steps
        self.loader.note_bad(ranks.union(self.loader.bad_patches))
        return {
            "step": self.step,
            "epoch": epoch,
            "loss": loss,
            "accuracy": {f"Z{i}": share for i, share in enumerate(accuracy)},
            "lr": self.optimizer.param_groups[0]["lr"],
            "gradient_norm": torch.nn.utils.get_total_norm(gradients).item(),
            "queue_age": min(self.step, math.ceil(self.config.queue / (batch * world_size))),
            "bad_patches": len(self.loader.bad_patches),
            "locations_per_s": interval.steps * batch * world_size / seconds,
            "wait_share": interval.wait_s / seconds,
        }

    def _check_weights(self) -> None:
        """The loss is of the weights before the step; what is saved are those after it."""
        if not torch.nn.utils.get_total_norm(list(self.model.query.parameters())).isfinite():
            raise RunError(f"weights: expected numbers, got others after step {self.step}; try a smaller --lr")

    def _mean(self, values: torch.Tensor) -> torch.Tensor:
        """Over the ranks."""
        return self.fabric.all_reduce(values.to(self.fabric.device), reduce_op="mean")

    def _end_epoch(self) -> None:
        steps = self.loader.steps_per_epoch
        mean, self.epoch_loss = self.epoch_loss / steps, 0.0
        # A queue of random keys is easy: losses compare from the epoch on that began with one filled by the run.
        was_easy = (self.step - 2 * steps) * self.config.batch_size * self.fabric.world_size < self.config.queue
        if was_easy or mean < self.best_loss:
            self.best_loss = mean
            if self.fabric.is_global_zero:
                self.run.save(BEST, self._state())

    def _header(self) -> dict[str, Any]:
        """What a checkpoint says of its weights."""
        return {
            "config": self.config.to_dict(),
            "normalization": self.normalization.to_dict(),
            "store": self.loader.store.fingerprint,
            "ranks": self.fabric.world_size,
            "step": self.step,
        }

    def _state(self) -> dict[str, Any]:
        return self._header() | {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch_loss": self.epoch_loss,
            "best_loss": self.best_loss,
        }

    def _restore(self, state: dict[str, Any]) -> None:
        if state["store"] != self.loader.store.fingerprint:
            raise RunError(
                f"{self.run.path}: expected the store that the run began with, got another at {self.config.data}; "
                "give that store, or another --out"
            )
        if (ranks_then := state.get("ranks", 1)) != self.fabric.world_size:
            raise RunError(
                f"{self.run.path}: expected {ranks_then} processes as in the run to resume, got "
                f"{self.fabric.world_size}: another number sees other batches; start as many, or give another --out"
            )
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise RunError(
                f"{self.run.path}: expected a run of this version of seco, got one with other weights; begin a new one"
            ) from error
        fused = [group["fused"] for group in self.optimizer.param_groups]  # of this device, not of the one then
        self.optimizer.load_state_dict(state["optimizer"])
        for group, value in zip(self.optimizer.param_groups, fused, strict=True):
            group["fused"] = value
        self.step, self.epoch_loss, self.best_loss = state["step"], state["epoch_loss"], state["best_loss"]


def _own_cores() -> int:
    """Cores for one of the processes of this machine."""
    processes, nodes = ranks.started_with()
    return max(1, cores() // max(1, processes // nodes))
