"""Loss and accuracy of a run over its steps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def draw_training_curves(metrics: Sequence[dict[str, Any]], path: Path) -> None:
    """Write a PNG with the loss and the accuracy of each sub-space over optimiser steps.

    Args:
        metrics: Lines of a run's ``metrics.jsonl``: ``step``, ``loss`` and ``accuracy`` (sub-space name → share in [0, 1]).
        path: PNG file to write.
    """
    steps = [line["step"] for line in metrics]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(steps, [line["loss"] for line in metrics], color="tab:blue")
    loss.set(title="Loss, summed over sub-spaces", xlabel="optimiser step", ylabel="cross-entropy")
    for name in metrics[0]["accuracy"] if metrics else ():
        accuracy.plot(steps, [line["accuracy"][name] for line in metrics], label=name)
    accuracy.set(title="Positive key ranked first", xlabel="optimiser step", ylabel="share of the batch", ylim=(0, 1))
    if metrics:
        accuracy.legend(title="sub-space")
    for axes in (loss, accuracy):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
