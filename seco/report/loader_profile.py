"""Profiles of loaders as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from seco.profiling.loader import LoaderProfile
from seco.report.figure_file import save_figure


def draw_profiles(profiles: Sequence[LoaderProfile], path: Path) -> None:
    """Write a PNG: throughput of each profile, and milliseconds that threads spend in each stage for a location."""
    names = [f"{p.loader}, {p.threads} thread{'s' if p.threads > 1 else ''}, batch {p.batch_size}" for p in profiles]
    figure = Figure(figsize=(10, 1.6 + 0.45 * len(profiles)), layout="constrained")
    rate, cost = figure.subplots(1, 2, sharey=True)
    rows = np.arange(len(profiles))
    bars = rate.barh(rows, [p.locations_per_s for p in profiles], color="tab:blue")
    rate.bar_label(bars, fmt="%.0f", padding=3)
    rate.set_xlim(0, 1.2 * max(p.locations_per_s for p in profiles))  # room for the labels
    rate.set(title="Throughput", xlabel="locations/s", yticks=rows, yticklabels=names)
    rate.invert_yaxis()
    left = np.zeros(len(profiles))
    for stage in profiles[0].stages_s:
        width = np.array([1e3 * p.stages_s[stage] / (p.batches * p.batch_size) for p in profiles])
        cost.barh(rows, width, left=left, label=stage)
        left += width
    cost.set(title="Time of threads", xlabel="ms for a location", xlim=(0, 1.05 * left.max()))
    figure.legend(loc="outside right upper", title="stage")
    save_figure(figure, path, dpi=120)
