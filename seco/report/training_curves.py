"""Loss and accuracy of a run over its steps, and what probes found."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from seco.report.figure_file import save_figure


def draw_training_curves(metrics: Sequence[dict[str, Any]], path: Path, *, probes: Sequence[dict[str, Any]] = ()) -> None:
    """Write a PNG with the loss, the accuracy of each sub-space and the results of probes over optimiser steps.

    Args:
        metrics: Lines of a run's ``metrics.jsonl``: ``step``, ``loss`` and ``accuracy`` (sub-space name → share in [0, 1]).
        path: PNG file to write.
        probes: Lines of its ``probe.jsonl``: ``step``, ``protocol``, ``metrics`` and ``chance`` (name → share in [0, 1]).
    """
    steps = [line["step"] for line in metrics]
    marker = "o" if len(steps) == 1 else None  # a line of one point is not seen
    panels = 3 if probes else 2
    figure = Figure(figsize=(4.5 * panels, 3.6), layout="constrained")
    loss, accuracy, *rest = figure.subplots(1, panels)
    loss.plot(steps, [line["loss"] for line in metrics], color="tab:blue", marker=marker)
    loss.set(title="Loss, summed over sub-spaces", xlabel="optimiser step", ylabel="cross-entropy")
    for name in metrics[0]["accuracy"] if metrics else ():
        accuracy.plot(steps, [line["accuracy"][name] for line in metrics], label=name, marker=marker)
    accuracy.set(title="Positive key ranked first", xlabel="optimiser step", ylabel="share of the batch", ylim=(0, 1))
    if metrics:
        accuracy.legend(title="sub-space")
    for axes in rest:
        _draw_probes(axes, probes)
        axes.set_xlim(loss.get_xlim())
    for axes in (loss, accuracy, *rest):
        axes.grid(alpha=0.3)
    save_figure(figure, path, dpi=120)


def _draw_probes(axes: Axes, probes: Sequence[dict[str, Any]]) -> None:
    """One line a metric, and dashed in its colour what chance reaches."""
    steps, last = [line["step"] for line in probes], probes[-1]
    for name in last["metrics"]:
        (drawn,) = axes.plot(steps, [line["metrics"].get(name) for line in probes], marker="o", markersize=4, label=name)
        if (chance := last["chance"].get(name)) is not None:
            axes.axhline(chance, color=drawn.get_color(), linestyle="--", linewidth=1, label=f"{name} by chance")
    axes.set(title=f"Probe of the momentum encoder: {last['protocol']}", xlabel="optimiser step", ylim=(0, 1))
    axes.legend()
