"""Evaluations from data on disk to a result that says everything needed to repeat it."""

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seco.device import resolve_device
from seco.errors import ConfigError, DataError
from seco.evaluate.datasets import Images, StorePatches, open_images
from seco.evaluate.encoders import Subject, from_checkpoint, from_timm, untrained
from seco.evaluate.features import extract_features
from seco.evaluate.knn import predict_by_neighbours, score
from seco.evaluate.retrieval import evaluate_retrieval
from seco.report.environment import package_versions


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What to evaluate, and how to get its features; exactly one of checkpoint, timm and random is set.

    Attributes:
        data: A patch store or a folder of classes.
        checkpoint: A checkpoint or a run.
        timm: A model of timm, with its pretrained weights.
        random: A model of timm, untrained.
        bands: Bands for ``timm`` and ``random``: ``rgb``, ``all`` or a list. A checkpoint brings its own.
        size: Input of the encoder, pixels; None: what the checkpoint was trained with, what timm declares,
            or for ``random`` the size of the images.
        batch_size: Images encoded at once.
        threads: Threads that decode and resize; None: one a core.
        device: ``auto``, ``cpu`` or ``cuda``.
        seed: Seed of an untrained encoder.
        progress: Show a progress bar on stderr.
    """

    data: Path
    checkpoint: Path | None = None
    timm: str | None = None
    random: str | None = None
    bands: str = "rgb"
    size: int | None = None
    batch_size: int = 256
    threads: int | None = None
    device: str = "auto"
    seed: int = 0
    progress: bool = False

    def subject(self, images: Images) -> Subject:
        """The encoder under test."""
        if (self.checkpoint is not None) + (self.timm is not None) + (self.random is not None) != 1:
            raise ConfigError("encoder: expected one of checkpoint, timm and random, got none or several; pass one")
        if self.checkpoint is not None:
            return from_checkpoint(self.checkpoint, images, size=self.size)
        if self.timm is not None:
            return from_timm(self.timm, images, bands=self.bands, size=self.size)
        return untrained(str(self.random), images, bands=self.bands, size=self.size, seed=self.seed)

    def features(self, subject: Subject, images: Images) -> np.ndarray:
        """Features of all images, float32 ``(N, d)``."""
        return extract_features(
            subject.encoder,
            images,
            batch_size=self.batch_size,
            threads=self.threads,
            device=torch.device(resolve_device(self.device)),
            progress=self.progress,
        )


def run_retrieval(evaluation: Evaluation) -> dict[str, Any]:
    """Cross-season place recognition on all patches of a store; needs no labels.

    Returns:
        ``metrics`` (``recall@1``, ``recall@5``, ``mAP``), the recall@1 of chance, counts, what repeats it.

    Raises:
        SecoError: If data or encoder cannot be used.
    """
    start = time.perf_counter()
    images = open_images(evaluation.data)
    if not isinstance(images, StorePatches):
        raise DataError(
            f"{evaluation.data}: expected a patch store, for retrieval needs several dates of a place, got a "
            "folder of classes; use `evaluate knn` on it"
        )
    subject = evaluation.subject(images)
    found = evaluate_retrieval(evaluation.features(subject, images), images.locations)
    return {
        "protocol": "retrieval",
        "metrics": {
            "recall@1": found.recall_at_1,
            "recall@5": found.recall_at_5,
            "mAP": found.mean_average_precision,
        },
        "chance": {"recall@1": found.chance_recall_at_1},
        "queries": found.num_queries,
        "candidates_per_query": found.num_patches - 1,
        **_circumstances(evaluation, images, subject, start),
    }


def run_knn(evaluation: Evaluation, *, k: int = 20, temperature: float = 0.07) -> dict[str, Any]:
    """Classification by nearest neighbours, without training.

    On a store every labelled patch is classified by the patches of all **other** locations; in a folder of
    classes the test half by the training half.

    Returns:
        ``metrics`` (``accuracy``, ``macro_f1``), the accuracy of always naming the largest class, the
        confusion matrix (rows are the true class), and what repeats it.

    Raises:
        SecoError: If data, labels or encoder cannot be used.
    """
    start = time.perf_counter()
    images = open_images(evaluation.data)
    labels, groups = images.labels, images.groups
    subject = evaluation.subject(images)
    features = evaluation.features(subject, images)
    in_store = isinstance(images, StorePatches)
    voters, queries = [np.flatnonzero(labels >= 0)] * 2 if in_store else (images.splits["train"], images.splits["test"])
    predicted = predict_by_neighbours(
        features[queries],
        features[voters],
        labels[voters],
        k=k,
        temperature=temperature,
        query_groups=groups[queries],
        reference_groups=groups[voters],
    )
    found = score(labels[queries], predicted, len(images.class_names))
    return {
        "protocol": "knn",
        "metrics": {"accuracy": found.accuracy, "macro_f1": found.macro_f1},
        "chance": {"accuracy": float(found.confusion.sum(axis=1).max() / found.confusion.sum())},
        "queries": len(queries),
        "k": k,
        "temperature": temperature,
        "classes": list(images.class_names),
        "confusion": found.confusion.tolist(),
        **_circumstances(evaluation, images, subject, start),
    }


def _circumstances(evaluation: Evaluation, images: Images, subject: Subject, start: float) -> dict[str, Any]:
    """What a result needs so that it can be repeated."""
    settings = asdict(evaluation)
    for name in ("data", "checkpoint", "timm", "random", "size", "bands", "seed", "progress"):
        del settings[name]  # what matters of them is told by data and encoder
    settings["device"] = resolve_device(evaluation.device)
    return {
        "data": images.describe(),
        "encoder": subject.describe(),
        "settings": settings,
        "versions": package_versions(),
        "seconds": round(time.perf_counter() - start, 3),
    }
