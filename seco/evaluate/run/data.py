"""The images of an evaluation: which are learned from, which are judged."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seco.errors import DataError
from seco.evaluate.datasets import LabelledImages, SplitChoice, StorePatches, open_images
from seco.evaluate.datasets.draw import draw_fraction
from seco.evaluate.datasets.published import verify
from seco.evaluate.metrics import (
    Metrics,
    chance_class_metrics,
    chance_label_metrics,
    class_metrics,
    count_confusion,
    label_metrics,
    rank_scores,
)
from seco.evaluate.run.evaluation import Evaluation
from seco.evaluate.run.result import Trial, summarise
from seco.evaluate.unreadable import find_unreadable, leave_out


@dataclass(frozen=True)
class Data:
    """Images without those that cannot be read.

    Attributes:
        images: The data set; unreadable images are in no split.
        in_store: It is a patch store, with several dates of a place.
        unreadable: Why some cannot be read, by row.
        verified: What was compared with checksums; None: nobody asked.
    """

    images: LabelledImages
    in_store: bool
    unreadable: Mapping[int, str]
    verified: Mapping[str, Any] | None

    @classmethod
    def open(cls, evaluation: Evaluation) -> "Data":
        """Open the data of an evaluation; with ``skip_bad`` all images are read once.

        Raises:
            DataError: If there is no data set.
        """
        verified = verify(evaluation.data) if evaluation.verify else None
        choice = SplitChoice(how=evaluation.split, skip_missing=evaluation.skip_bad)
        images = open_images(evaluation.data, split=choice, band_names=evaluation.band_names)
        bad = {}
        if evaluation.skip_bad:
            bad = find_unreadable(images, threads=evaluation.threads, track=evaluation.track)
        return cls(leave_out(images, list(bad)), isinstance(images, StorePatches), bad, verified)

    @property
    def rows(self) -> np.ndarray:
        """All images that can be read, int64 ``(N,)``, ascending."""
        return np.setdiff1d(np.arange(len(self.images)), np.array(list(self.unreadable), np.int64))

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return len(self.images.class_names)

    @property
    def tested_2021(self) -> str:
        """The split that protocols of 2021 are judged on: that of validation, where one is published."""
        return "validation" if "validation" in self.images.splits else "test"

    def split(self, name: str) -> np.ndarray:
        """Rows of a split, int64 ``(N,)``.

        Raises:
            DataError: If there is none of that name, or it holds fewer than two classes.
        """
        rows = self.images.splits.get(name, np.empty(0, np.int64))
        labels = self.images.labels[rows]
        told_apart = (labels.any(axis=0) & ~labels.all(axis=0)).any() if labels.ndim == 2 else len(np.unique(labels)) > 1
        if not told_apart:
            raise DataError(
                f"{self.images.path}: expected at least two classes in the {name} split, got fewer in its "
                f"{len(rows)} images; label more, or choose other data"
            )
        return rows

    def draw(self, rows: np.ndarray, fraction: float, seed: int) -> np.ndarray:
        """A share of ``rows`` of each class: whole places, so that none is on both sides of what is drawn."""
        if fraction == 1:
            return rows
        groups = self.images.groups[rows]
        places, first = np.unique(groups, return_index=True)
        drawn = draw_fraction(np.arange(len(places)), self.images.labels[rows[first]], fraction, seed)
        return rows[np.isin(groups, places[drawn])]

    def trial_of(self, scores: np.ndarray, tested: np.ndarray, **other: Any) -> Trial:  # noqa: ANN401 - Trial's own
        """Judge scores of the classes, ``(n, classes)``, of the images ``tested``."""
        truth = self.images.labels[tested]
        place = np.unique(self.images.groups[tested], return_inverse=True)[1]
        if truth.ndim == 2:
            ranks, rows = rank_scores(scores), np.arange(len(tested))

            def of_labels(counts: np.ndarray) -> Metrics:
                sample = np.repeat(rows, counts[place])
                return label_metrics(truth[sample], ranks[sample])

            return Trial(statistic=of_labels, **other)
        predicted = scores.argmax(axis=1)

        def of_classes(counts: np.ndarray) -> Metrics:
            return class_metrics(count_confusion(truth, predicted, self.num_classes, counts[place]))

        return Trial(statistic=of_classes, confusion=count_confusion(truth, predicted, self.num_classes), **other)

    def summarise(
        self, evaluation: Evaluation, trials: Sequence[Trial], tested: np.ndarray, *, tested_on: str, seeded: list[str]
    ) -> dict[str, Any]:
        """What every classification of the images ``tested`` tells: :func:`summarise`, data, classes and split.

        Chance is naming the largest class, or equal scores for several labels an image.
        """
        truth = self.images.labels[tested]
        chance = chance_label_metrics(truth) if truth.ndim == 2 else chance_class_metrics(truth, self.num_classes)
        num_places = len(np.unique(self.images.groups[tested]))
        return {
            **summarise(evaluation, trials, num_groups=num_places, chance=chance, seeded=seeded),
            "queries": len(tested),
            "classes": list(self.images.class_names),
            **self.describe(),
            "split": describe_split(self.images.splits, self.images.split_source, tested_on),
        }

    @staticmethod
    def describe_drawn(drawn: np.ndarray, candidates: np.ndarray) -> dict[str, Any]:
        """How many training images were used and, if that is not all of them, which."""
        rows = {} if len(drawn) == len(candidates) else {"training_rows": drawn.tolist()}
        return {"training_images": len(drawn), **rows}

    def describe(self) -> dict[str, Any]:
        """Data and what was left out, for a result that can be repeated."""
        described: dict[str, Any] = {"data": self.images.describe()}
        if self.unreadable:
            described["skipped"] = skipped(self.unreadable.items())
        if self.verified is not None:
            described["verified"] = self.verified
        return described


def describe_split(splits: Mapping[str, Any], source: str, tested_on: str) -> dict[str, Any]:
    """Source, sizes and SHA-256 of splits into rows."""
    digest, sizes = hashlib.sha256(), {}
    for name, rows in sorted(splits.items()):
        sizes[name] = len(rows)
        digest.update(f"{name} {len(rows)}\0".encode())
        digest.update(np.asarray(rows, np.int64).astype("<i8").tobytes())
    return {"source": source, "sizes": sizes, "sha256": digest.hexdigest(), "tested_on": tested_on}


def skipped(reasons: Iterable[tuple[object, str]]) -> dict[str, Any]:
    """What a result says of images that were left out."""
    images = [{"image": image, "reason": reason} for image, reason in reasons]
    return {"count": len(images), "images": images}
