"""Charts of the documentation, drawn from the committed records: ``python -m benchmarks.charts``.

A picture holds the SHA-256 of the numbers that it was drawn from, which a test compares with those of the records.
"""

import hashlib
import json
import math
import re

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter
from PIL import Image

from benchmarks import ROOT
from benchmarks.record import Records
from benchmarks.tables import CPU_ROWS, by_machine, read_records

FIGURES = ROOT / "docs" / "figures"
SOURCE = "records-sha256"  # key of the picture's text
DPI = 150
COLOUR = "#1f6f8b"
LINES = (6, -6, 14, -14, 22, -22)  # of names above and below their dots, points
HALF_LETTER = 0.036  # of a name, in powers of e on the axis: neighbours' names must not touch


def main() -> None:
    """Draw all charts."""
    FIGURES.mkdir(exist_ok=True)
    records = drawn_records()
    ratios, panels = speed(records), growth(records)
    draw_speed(ratios).savefig(FIGURES / "speed.png", metadata={SOURCE: digest(ratios)})
    draw_growth(panels).savefig(FIGURES / "growth.png", metadata={SOURCE: digest(panels)})


def digest(numbers: object) -> str:
    """What a picture says of the numbers it was drawn from."""
    return hashlib.sha256(json.dumps(numbers).encode()).hexdigest()


def drawn_from(name: str) -> str:
    """The digest in a committed picture."""
    with Image.open(FIGURES / f"{name}.png") as picture:
        return str(picture.info[SOURCE])


def drawn_records() -> Records:
    """Those of the first machine: ratios and growth are of one."""
    return next(iter(by_machine(read_records(device="cpu")).values()))


def speed(records: Records) -> list[tuple[str, str, float]]:
    """Row, peer, and how many times as fast ours was in the same run."""
    found = []
    for row in CPU_ROWS:
        ours, peers = row.find(records)
        found += [(row.label, label, ours["items_per_s"] / peer["items_per_s"]) for label, peer in peers.items() if ours]
    return found


def draw_speed(ratios: list[tuple[str, str, float]]) -> Figure:
    """A line a task, a dot a peer with its name."""
    rows = list(dict.fromkeys(row for row, _, _ in ratios))
    figure = Figure(figsize=(9, 0.55 * len(rows) + 0.9), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for y, row in enumerate(rows):
        of_row = sorted((ratio, peer) for name, peer, ratio in ratios if name == row)
        taken: dict[float, float] = {}  # height of a line of names → where its last one ends, as a power of e
        for ratio, peer in of_row:
            axes.scatter(ratio, y, s=40, color=COLOUR, zorder=3)
            half = HALF_LETTER * len(peer)
            height = next(h for h in LINES if taken.get(h, -math.inf) < math.log(ratio) - half)
            taken[height] = math.log(ratio) + half
            place = {"xytext": (0, height), "va": "bottom" if height > 0 else "top"}
            axes.annotate(peer, (ratio, y), textcoords="offset points", ha="center", fontsize=7, **place)  # type: ignore[arg-type]
    axes.axvline(1.0, color="#333333", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 100, 200]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}×"))
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    every = [ratio for _, _, ratio in ratios]
    axes.set_xlim(min(0.45, *(0.7 * ratio for ratio in every)), max(90, *(1.4 * ratio for ratio in every)))
    axes.grid(axis="x", color="#e5e5e5")
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_title("How many times as fast as its peers seco is, in the same run (CPU)", fontsize=11, loc="left")
    return figure


def growth(records: Records) -> dict[str, list[tuple[float, float]]]:
    """What is changed → its values and what was measured, in ascending order."""
    panels: dict[str, list[tuple[float, float]]] = {}
    for record in records:
        if record["benchmark"] == "growth":
            what, value = _split(record["case"])
            panels.setdefault(what, []).append((value, record["items_per_s"]))
        elif (record["benchmark"], record["implementation"]) == ("scale", "seco") and record["case"].startswith("open"):
            panels.setdefault("locations", []).append((_split(record["case"])[1], record["median_s"]))
    return {what: sorted(points) for what, points in panels.items()}


def draw_growth(panels: dict[str, list[tuple[float, float]]]) -> Figure:
    """A panel for each thing that grows."""
    titles = {
        "bands": "bands of a view",
        "patch": "size of a patch, px",
        "threads": "threads of the loader",
        "ranks": "processes of training (gloo)",
        "locations": "locations × 5 dates of a store",
    }
    shown = [what for what in titles if what in panels]
    figure = Figure(figsize=(2.6 * len(shown), 2.6), dpi=DPI, layout="constrained")
    for axes, what in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        x, y = zip(*panels[what], strict=True)
        axes.plot(x, y, marker="o", color=COLOUR, markersize=4)
        axes.set_xlabel(titles[what], fontsize=8)
        axes.set_title("seconds to open" if what == "locations" else "locations/s", fontsize=8, loc="left")
        if what == "locations":
            axes.set(xscale="log", yscale="log", ylim=(min(0.01, 0.7 * min(y)), max(5, 1.4 * max(y))))
            axes.set_xticks(x, [f"{value / 1e6:g} M" if value >= 1e6 else f"{value / 1e3:g} k" for value in x])
            axes.set_yticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_minor_locator(NullLocator())
        else:
            axes.set_xticks(x)
            axes.set_ylim(0, 1.1 * max(y))
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.tick_params(labelsize=7)
        axes.grid(color="#eeeeee")
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _split(case: str) -> tuple[str, float]:
    """``patch-264px`` → patch, 264; ``open-200000x5`` → open, 200000."""
    match = re.match(r"([a-z]+)-(\d+)", case)
    if match is None:
        raise ValueError(f"case: expected a name and a number, got {case}")
    return match[1], float(match[2])


if __name__ == "__main__":
    main()
