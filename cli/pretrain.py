"""``seco pretrain``: train an encoder on a store."""

from pathlib import Path
from typing import Any

import click

from .progress import Counted


@click.command(no_args_is_help=True)
@click.option("--data", type=click.Path(), help="Store to train on.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Run directory.")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Settings: TOML, or config.json of a run; flags win.",
)
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
@click.option("--resume", is_flag=True, help="Go on with the run at --out, with its settings.")
@click.option("--overwrite", is_flag=True, help="Replace the run at --out.")
def command(out: Path, config_file: Path | None, resume: bool, overwrite: bool, **flags: Any) -> None:  # noqa: ANN401 - one value a setting
    """Pretrain an encoder on the seasons of a store.

    \b
    $ seco pretrain --data STORE --out RUN --backbone resnet18 --epochs 100
    $ seco pretrain --out RUN --resume
    """
    if resume and overwrite:
        raise click.UsageError("--resume and --overwrite exclude each other.")
    from seco.pretrain.checkpoint import find_checkpoint
    from seco.pretrain.config import resolve_config
    from seco.pretrain.loop import pretrain
    from seco.pretrain.run_directory import settings_to_resume

    given = {name: value for name, value in flags.items() if value is not None}
    config = resolve_config(given, config_file, resumed=settings_to_resume(out) if resume else None)
    if "probe_data" in given and config.probe == "none":
        raise click.UsageError("--probe-data: expected with --probe retrieval or knn, got none; say which.")
    with TrainingProgress(config.steps) as progress:
        stopped_by = pretrain(config, out, watcher=progress, resume=resume, overwrite=overwrite)
    if stopped_by is not None:
        if progress.chief:
            progress.said("Interrupted; the last step is saved. Go on with the same command and --resume.")
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


class TrainingProgress(Counted):
    """Steps done, and whatever else is worth a line meanwhile."""

    def __init__(self, steps: int) -> None:
        """``steps``: after which training was to stop before its last epoch, or 0."""
        super().__init__("steps")
        self._steps = steps
        self.chief = False  # of several processes one is told of progress
        self._total = 0

    def started(self, *, done: int, total: int, excluded: int, device: str) -> None:
        """Say what begins."""
        self.chief, self._total = True, total
        if excluded:
            self.warned(f"{excluded} locations have too few dates for this method and are left out.")
        if done >= total:
            more = "; --steps 0 goes on to the last epoch" if total == self._steps else ""
            self.said(f"Step {done} of {total}: nothing is left to train{more}.")
            return
        self.said(f"Training on {device}: step {done} of {total}")
        self(done, total)

    def advanced(self, line: dict[str, Any]) -> None:
        """Show a line of metrics."""
        accuracy = " ".join(f"{name} {100 * value:.0f}%" for name, value in line["accuracy"].items())
        figures = f"loss {line['loss']:.3f}, {accuracy}, {line['locations_per_s']:.0f} locations/s"
        self(line["step"], self._total, figures)

    def probed(self, line: dict[str, Any]) -> None:
        """Show what a probe found."""
        numbers = []
        for name, value in line["metrics"].items():
            chance = line["chance"].get(name)
            numbers.append(f"{name} {value:.3f}" + ("" if chance is None else f" (chance {chance:.3f})"))
        self.said(f"probe of step {line['step']}, momentum encoder  {', '.join(numbers)}")

    def said(self, text: str) -> None:
        """Say what takes a while."""
        self.console.print(text, markup=False)

    def warned(self, text: str) -> None:
        """Show a warning."""
        self.said(f"Warning: {text}")
