"""``seco pretrain``: train an encoder on a store."""

import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@click.command(no_args_is_help=True)
@click.option("--data", type=click.Path(), help="Store to train on.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run directory.")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="TOML file of settings; flags win.")
@click.option("--recipe", help="default, or seco2021: the numerics of the 2021 code.  [default]")
@click.option("--method", help="seco, moco or moco_tp.  [seco]")
@click.option("--backbone", help="Any timm model.  [resnet18]")
@click.option("--bands", help="rgb, all, or a list such as B08,B04,B03.  [rgb]")
@click.option("--epochs", type=int, help="Passes over the data.  [200]")
@click.option("--steps", type=int, help="Stop after so many optimiser steps in all.")
@click.option("--batch-size", type=int, help="Locations a step and process.  [256]")
@click.option("--size", type=int, help="Height and width of a view, px.  [224]")
@click.option("--seed", type=int, help="Same seed, same run.  [0]")
@click.option("--lr", type=float, help="Learning rate.  [0.03]")
@click.option("--scale-lr", is_flag=True, default=None, help="--lr is for 256 locations a step; scale it.")
@click.option("--schedule", help="step or cosine.  [step]")
@click.option("--queue", type=int, help="Negative keys a sub-space.  [16384]")
@click.option("--temperature", type=float, help="Of the logits.  [0.07]")
@click.option("--key-momentum", type=float, help="Of the key encoder's moving average.  [0.999]")
@click.option("--batch-negatives", is_flag=True, default=None, help="The batch's other locations are negatives too.")
@click.option("--crop-scale", type=float, help="Least share of a patch that a crop shows.  [0.2]")
@click.option("--band-gain", type=float, help="Strength of random gain, band by band.  [0]")
@click.option("--band-offset", type=float, help="Strength of random offset, band by band.  [0]")
@click.option("--band-drop", type=float, help="Probability of blacking out a band.  [0]")
@click.option("--loader", help="native or dali: who reads and augments.  [native]")
@click.option("--device", help="auto, cpu or cuda.  [auto]")
@click.option("--precision", help="fp32 or bf16, faster where the processor has it.  [fp32]")
@click.option("--compile", is_flag=True, default=None, help="Run the encoders through torch.compile.")
@click.option("--threads", type=int, help="Threads of the loader.  [one a core]")
@click.option("--log-every", type=int, help="Steps between lines of metrics.  [10]")
@click.option("--save-every", type=int, help="Epochs between checkpoints.  [1]")
@click.option("--save-steps", type=int, help="Steps between checkpoints inside an epoch.  [0: none]")
@click.option("--max-bad-fraction", type=float, help="Share of patches that may be unreadable.  [0.01]")
@click.option("--verify", is_flag=True, default=None, help="Compare every patch with its checksum.")
@click.option("--probe", help="retrieval or knn: measure the momentum encoder meanwhile.  [none]")
@click.option("--probe-data", type=click.Path(), help="Store or folder of classes to probe on.  [--data]")
@click.option("--probe-every", type=int, help="Epochs between probes.  [1]")
@click.option("--profile", is_flag=True, default=None, help="Record some steps; say which part limits.")
@click.option("--resume", is_flag=True, help="Go on with the run at --out.")
@click.option("--overwrite", is_flag=True, help="Replace the run at --out.")
def command(out: Path, config_file: Path | None, resume: bool, overwrite: bool, **flags: Any) -> None:  # noqa: ANN401 - one value a setting
    """Pretrain an encoder on the seasons of a store.

    \b
    $ seco pretrain --data STORE --out RUN --backbone resnet18 --epochs 100
    $ seco pretrain --data STORE --out RUN --backbone resnet18 --epochs 100 --resume
    """
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other.")
    from seco.pretrain.checkpoint import find_checkpoint
    from seco.pretrain.config import resolve_config
    from seco.pretrain.loop import pretrain

    given = {name: value for name, value in flags.items() if value is not None}
    config = resolve_config(given, config_file)
    with TrainingProgress() as progress:
        stopped_by = pretrain(config, out, watcher=progress, resume=resume, overwrite=overwrite)
    if stopped_by is not None:
        progress.say("Interrupted; the last step is saved. Go on with the same command and --resume.")
        raise click.exceptions.Exit(128 + stopped_by)
    if progress.chief:
        if config.probe != "none":
            _draw_curves(out)
        if config.profile:
            _show_profile(out)
        click.echo(find_checkpoint(out))


def _draw_curves(run: Path) -> None:
    from seco.pretrain.run_directory import METRICS_FILE, PROBE_FILE, read_lines
    from seco.report.training_curves import draw_training_curves

    draw_training_curves(read_lines(run / METRICS_FILE), run / "training.png", probes=read_lines(run / PROBE_FILE))
    click.echo(f"Wrote {run / 'training.png'}", err=True)


def _show_profile(run: Path) -> None:
    from seco.profiling.training import FOLDER, SUMMARY_FILE, TRACE_FILE

    folder = run / FOLDER
    click.echo(
        f"\n{(folder / SUMMARY_FILE).read_text(encoding='utf-8')}\nWrote {folder / SUMMARY_FILE} and {TRACE_FILE}", err=True
    )


class TrainingProgress:
    """A progress bar on a terminal, plain lines elsewhere; on stderr."""

    PLAIN_INTERVAL_S = 10.0

    def __init__(self) -> None:
        self.console = Console(stderr=True, soft_wrap=True, highlight=False)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[metrics]}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.chief = False  # of several processes one is told of progress
        self.total = 0
        self.printed = float("-inf")
        self.first = (0.0, 0)

    def __enter__(self) -> "TrainingProgress":
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def started(self, *, done: int, total: int, excluded: int, device: str) -> None:
        """Say what begins."""
        self.chief, self.total = True, total
        self.first = (time.monotonic(), done)
        if excluded:
            self.console.print(f"Warning: {excluded} locations have too few dates for this method and are left out.")
        self.console.print(f"Training on {device}: step {done} of {total}")
        self.task = self.bar.add_task("steps", total=total, completed=done, metrics="")

    def advanced(self, line: dict[str, Any]) -> None:
        """Show a line of metrics."""
        accuracy = " ".join(f"{name} {100 * value:.0f}%" for name, value in line["accuracy"].items())
        metrics = f"loss {line['loss']:.3f}  {accuracy}  {line['locations_per_s']:.0f} locations/s"
        self.bar.update(self.task, completed=line["step"], metrics=metrics)
        last = line["step"] == self.total
        if not self.console.is_terminal and (last or time.monotonic() - self.printed >= self.PLAIN_INTERVAL_S):
            self.printed = time.monotonic()
            left = (self.total - line["step"]) * self._seconds_a_step(line)
            self.console.print(f"step {line['step']}/{self.total}  {metrics}  ETA {left:.0f} s")

    def probed(self, line: dict[str, Any]) -> None:
        """Show what a probe found."""
        numbers = []
        for name, value in line["metrics"].items():
            chance = line["chance"].get(name)
            numbers.append(f"{name} {value:.3f}" + ("" if chance is None else f" (chance {chance:.3f})"))
        self.console.print(f"probe of step {line['step']}, momentum encoder  {', '.join(numbers)}")

    def said(self, text: str) -> None:
        """Say what takes a while."""
        self.console.print(text, markup=False)

    def warned(self, text: str) -> None:
        """Show a warning."""
        self.console.print(f"Warning: {text}", markup=False)

    def say(self, text: str) -> None:
        """Show a last word, of one process only."""
        if self.chief:
            self.console.print(text, markup=False)

    def _seconds_a_step(self, line: dict[str, Any]) -> float:
        """From this process's own progress, so that a pause of the machine evens out."""
        start, step = self.first
        return (time.monotonic() - start) / max(1, int(line["step"]) - step)
