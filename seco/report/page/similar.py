"""What the encoder makes of the data: nearest neighbours across seasons, and a map of its vectors."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seco.data.spread import spread_evenly
from seco.errors import SecoError
from seco.evaluate.retrieval import evaluate_retrieval
from seco.report.embedding_map import YEAR, project
from seco.report.page.blocks import Block, Chart, Gallery, Note, Section, Tile
from seco.report.page.charts import dots_chart
from seco.report.page.numbers import number
from seco.report.page.run import RecordedRun
from seco.report.page.sample import Sample, encode_sample
from seco.report.store_summary import MONTHS, months_of

QUERIES, NEIGHBOURS = 6, 5
_PLACES = 10  # with a colour of their own
_OTHERS = "other places"


def similar_sections(runs: Sequence[RecordedRun]) -> list[Section]:
    """Neighbours and map of every run that has a checkpoint."""
    neighbours: list[Block] = []
    maps: list[Block] = []
    images: dict[str, str] = {}

    def note(text: str, *, warns: bool = False) -> None:
        for section in (neighbours, maps):
            section.append(Note(text, warns=warns))

    for run in runs:
        if not run.names_data:
            note(f"{run.name}: an imported encoder has no data set of its own; --data STORE shows it one")
            continue
        try:
            sample, vectors = encode_sample(run)
            if sample.unreadable:
                note(f"{run.name}: patches of the sample left out, for they cannot be read: {sample.unreadable}", warns=True)
            neighbours.append(_gallery(run, sample, vectors))
            maps += _charts(run, sample, vectors)
            images |= {_image(run, row): picture for row, picture in zip(sample.rows, sample.pictures, strict=True)}
        except SecoError as error:
            note(f"{run.name}: its encoder cannot be shown: {error}", warns=True)
    return sections_of(neighbours, maps, images)


def sections_of(neighbours: Sequence[Block], maps: Sequence[Block], images: dict[str, str] | None = None) -> list[Section]:
    """The two tabs that need an encoder."""
    return [
        Section("neighbours", "Neighbours", neighbours),
        Section("embedding", "Embedding", maps, images or {}),
    ]


def _gallery(run: RecordedRun, sample: Sample, vectors: NDArray[np.float64]) -> Block:
    counts = np.bincount(sample.places)[sample.places]
    askable = np.flatnonzero(counts > 1)
    if not len(askable) or len(np.unique(sample.places)) < 2:
        return Note(f"{run.name}: there are not two locations, or none has two dates: there is nothing to find again.")
    found = evaluate_retrieval(vectors, sample.places)
    ranks = dict(zip(askable.tolist(), found.best_ranks.astype(int).tolist(), strict=True))
    rows = []
    for i in _queries(sample.places, askable):
        similarity = vectors @ vectors[i]
        similarity[i] = -np.inf
        tiles = [Tile(sample.pictures[i], f"asked: {sample.caption(i)}")]
        for j in np.argsort(-similarity, kind="stable")[: min(NEIGHBOURS, len(vectors) - 1)]:
            text = f"{similarity[j]:.2f}, {sample.caption(j)}"
            tiles.append(Tile(sample.pictures[j], text, good=bool(sample.places[i] == sample.places[j])))
        rows.append((f"same place first at rank {ranks[i]}", tiles))
    return Gallery(
        f"{run.name}: the nearest of {len(vectors):,} patches of {len(np.unique(sample.places)):,} locations by cosine "
        f"similarity. A full frame is the same place at another date, a dashed one another place. Of all {len(askable):,} "
        f"patches with another date, {found.metrics()['recall@1']:.1%} have the same place first.",
        rows,
    )


def _queries(places: NDArray[np.int64], askable: NDArray[np.int64]) -> list[int]:
    """Patches of places spread over the sample: of the first its first date, of the second its second, and so on."""
    asked = np.unique(places[askable])
    of_places = [np.flatnonzero(places == place) for place in asked[spread_evenly(len(asked), QUERIES)]]
    return [int(rows[k % len(rows)]) for k, rows in enumerate(of_places)]


def _charts(run: RecordedRun, sample: Sample, vectors: NDArray[np.float64]) -> list[Block]:
    """The same map coloured by month, place and, where there are labels, class."""
    points, axes = project(vectors.astype(np.float32), "pca")
    months = months_of(sample.dates)
    seen = np.unique(months).tolist()
    chosen = np.unique(sample.places)[spread_evenly(len(np.unique(sample.places)), _PLACES)]
    rows: list[dict[str, Any]] = [
        {
            "x": number(float(points[i, 0])),
            "y": number(float(points[i, 1])),
            "image": _image(run, sample.rows[i]),
            "place": str(sample.names[i]),
            "date": str(sample.dates[i])[:10],
            "month": MONTHS[months[i]],
            "class": str(sample.classes[i]) or "no label",
            "of": str(sample.names[i]) if sample.places[i] in chosen else _OTHERS,
        }
        for i in range(len(points))
    ]
    colours: dict[str, tuple[str, Sequence[str], Sequence[str]]] = {
        "month": ("month", [MONTHS[month] for month in seen], [YEAR[month] for month in seen]),
        "of": ("place", [*dict.fromkeys(row["of"] for row in rows if row["of"] != _OTHERS), _OTHERS], []),
    }
    hover = ["image", "place", "date"]
    if (sample.classes != "").any():
        colours["class"] = ("class", sorted({row["class"] for row in rows}), [])
        hover.append("class")
    blocks: list[Block] = []
    for field, (what, domain, palette) in colours.items():
        drawn = dots_chart(rows, colour=field, title=what, axes=axes, domain=domain, palette=palette, hover=hover)
        said = f"{len(rows)} patches in the two directions of most variance, coloured by {what}."
        blocks.append(Chart(f"{run.name}, coloured by {what}", drawn, said))
    return blocks


def _image(run: RecordedRun, row: np.integer[Any]) -> str:
    return f"{run.store.fingerprint[:8]}-{row}"
