"""What the encoder makes of the data: nearest neighbours across seasons, and a map of its vectors."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seco.data.description import LABELS_FILE
from seco.data.store import open_store
from seco.errors import DataError, SecoError
from seco.evaluate.datasets import StorePatches
from seco.evaluate.encoders import from_checkpoint
from seco.evaluate.features import extract_features
from seco.evaluate.similarity import unit_vectors
from seco.report.contact_sheet import spread_evenly
from seco.report.embedding_map import MONTHS, YEAR, project
from seco.report.store_summary import months_of

from .blocks import Block, Chart, Gallery, Note, Section, Tile
from .charts import dots_chart, number
from .pictures import patch_pictures
from .run import RecordedRun

MOST_PATCHES = 400  # that are encoded and can be told apart on a map
MOST_DATES = 8  # of a location
SIDE = 64  # pixels of a screen
QUERIES, NEIGHBOURS = 6, 5
_PLACES = 10  # with a colour of their own
_OTHERS = "other places"


@dataclass(frozen=True, eq=False)
class Sample:
    """Some locations of a store with their dates.

    Attributes:
        rows: Of the index, int64 ``(n,)``, location by location.
        places: Number of the location of each in the store, int64 ``(n,)``.
        dates: datetime64[s] ``(n,)``.
        names: Of the locations, ``(n,)``.
        classes: Of the locations, ``(n,)``; empty where there is none.
        pictures: Data URIs.
    """

    rows: NDArray[np.int64]
    places: NDArray[np.int64]
    dates: NDArray[np.datetime64]
    names: NDArray[np.str_]
    classes: NDArray[np.str_]
    pictures: Sequence[str]

    def caption(self, i: int) -> str:
        """Place and date of a patch."""
        return f"{self.names[i]}, {str(self.dates[i])[:10]}"


def similar_sections(runs: Sequence[RecordedRun]) -> list[Section]:
    """Neighbours and map of every run that has a checkpoint."""
    neighbours: list[Block] = []
    maps: list[Block] = []
    images: dict[str, str] = {}
    for run in runs:
        try:
            sample, vectors = _encoded(run)
            neighbours.append(_gallery(run, sample, vectors))
            maps += _charts(run, sample, vectors)
            images |= {_image(run, row): picture for row, picture in zip(sample.rows, sample.pictures, strict=True)}
        except SecoError as error:
            missing = Note(f"{run.name}: its encoder cannot be shown: {error}", warns=True)
            neighbours.append(missing)
            maps.append(missing)
    return [
        Section("neighbours", "Neighbours", neighbours),
        Section("embedding", "Embedding", maps, images),
    ]


def _encoded(run: RecordedRun) -> tuple[Sample, NDArray[np.float64]]:
    """A sample of the run's store, and its vectors of length 1 by the last checkpoint."""
    file = run.checkpoint
    changed = file.stat().st_mtime_ns if file.is_file() else 0
    sample = _sample(run.store.path, run.store.fingerprint)
    return sample, _vectors(file, changed, run.store.path, run.store.fingerprint)


@lru_cache(maxsize=4)  # a changed store has another fingerprint
def _sample(path: Path, fingerprint: str) -> Sample:
    store = open_store(path)
    per_place = np.minimum(store.locations["num_dates"], MOST_DATES)
    places = spread_evenly(len(store), max(2, MOST_PATCHES // int(per_place.max())))
    rows = [
        int(store.locations["first_row"][place]) + date
        for place in places
        for date in spread_evenly(int(store.locations["num_dates"][place]), MOST_DATES)
    ]
    index = np.array(rows, np.int64)
    of_row = np.searchsorted(store.locations["first_row"], index, side="right") - 1
    names, numbers = store.labels() if (store.path / LABELS_FILE).is_file() else ([], np.full(len(store), -1))
    classes = np.array([*names, ""])[numbers[of_row]]
    pictures = patch_pictures(store, index, SIDE)
    return Sample(index, of_row, store.times[index], store.locations["id"][of_row], classes, pictures)


@lru_cache(maxsize=4)  # a new checkpoint has another time
def _vectors(file: Path, changed_ns: int, path: Path, fingerprint: str) -> NDArray[np.float64]:
    images = StorePatches(open_store(path))
    encoder = from_checkpoint(file, images).encoder
    rows = _sample(path, fingerprint).rows
    if len(rows) < 3:
        raise DataError(f"{path}: expected at least 3 patches to compare, got {len(rows)}")
    features = extract_features(encoder, images, rows=rows, batch_size=64, threads=os.cpu_count())
    vectors: NDArray[np.float64] = unit_vectors(features).numpy()
    return vectors


def _gallery(run: RecordedRun, sample: Sample, vectors: NDArray[np.float64]) -> Block:
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    counts = np.bincount(sample.places)[sample.places]
    askable = np.flatnonzero(counts > 1)
    if not len(askable):
        return Note(f"{run.name}: no location of the sample has two dates, so that there is nothing to find again.")
    found, rows = 0, []
    order = np.argsort(-similarity, axis=1, kind="stable")
    same = sample.places[order] == sample.places[:, None]
    found = int(same[askable, 0].sum())
    for i in askable[spread_evenly(len(askable), QUERIES)]:
        tiles = [Tile(sample.pictures[i], f"asked: {sample.caption(i)}")]
        for j in order[i, :NEIGHBOURS]:
            text = f"{similarity[i, j]:.2f}, {sample.caption(j)}"
            tiles.append(Tile(sample.pictures[j], text, good=bool(sample.places[i] == sample.places[j])))
        rank = int(np.argmax(same[i])) + 1
        rows.append((f"same place first at rank {rank}", tiles))
    return Gallery(
        f"{run.name}: the nearest of {len(vectors):,} patches of {len(np.unique(sample.places)):,} locations by cosine "
        f"similarity. A full frame is the same place at another date, a dashed one another place. Of all {len(askable):,} "
        f"patches with another date, {found / len(askable):.1%} have the same place first.",
        rows,
    )


def _charts(run: RecordedRun, sample: Sample, vectors: NDArray[np.float64]) -> list[Block]:
    """The same map coloured by month, place and, where there are labels, class."""
    points, axes = project(vectors.astype(np.float32), "pca")
    months = months_of(sample.dates)
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
        "month": ("month", MONTHS, YEAR),
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
