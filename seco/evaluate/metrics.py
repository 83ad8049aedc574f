"""How predictions agree with the truth: always over all rows at once, never averaged over batches."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike

from seco.errors import DataError

Metrics = dict[str, float]


def as_classes(name: str, values: ArrayLike, num_classes: int) -> np.ndarray:
    """Classes of any integer type as int64 ``(N,)``: themselves if they are.

    Args:
        name: Of the argument, for errors.
        values: Integers ``(N,)`` in ``[0, num_classes)``.
        num_classes: Number of classes.

    Raises:
        DataError: If they are none such.
    """
    found = np.asarray(values)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "biu"):
        raise DataError(f"{name}: expected integers (N,), got {found.dtype} of shape {found.shape}; number the classes")
    classes = np.asarray(found, np.int64)
    if len(classes) and not 0 <= classes.min() <= classes.max() < num_classes:
        raise DataError(
            f"{name}: expected classes from 0 to {num_classes - 1}, got {classes.min()} to {classes.max()}; leave out rows "
            "without a class, or raise num_classes"
        )
    return classes


def _check_rows(name: str, values: np.ndarray, rows: int) -> None:
    if len(values) != rows:
        raise DataError(f"{name}: expected one for each of {rows} rows, got {len(values)}; pass both in full")


def as_labels(labels: ArrayLike, num_classes: int, rows: int) -> np.ndarray:
    """Labels of ``rows`` images, a writable copy: :func:`as_classes`, or bool ``(rows, num_classes)`` of several an image.

    Raises:
        DataError: If they are neither, or not so many.
    """
    found = np.asarray(labels)
    if found.ndim != 2:
        found = as_classes("labels", found, num_classes)
    elif found.dtype.kind not in "biu" or found.shape[1] != num_classes:
        raise DataError(
            f"labels: expected bool (N, {num_classes}), a column a class, got {found.dtype} of shape {found.shape}; pass "
            "which classes an image has"
        )
    _check_rows("labels", found, rows)
    return np.array(found, bool if found.ndim == 2 else np.int64)


def count_confusion(
    labels: ArrayLike, predicted: ArrayLike, num_classes: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Count how often each class was taken for which.

    Args:
        labels: True classes, integers ``(N,)`` in ``[0, num_classes)``.
        predicted: Predicted classes, likewise.
        num_classes: Number of classes.
        weights: How often each row counts, ``(N,)``; by default once.

    Returns:
        int64 ``(num_classes, num_classes)``; rows are the true class, columns the predicted one.

    Raises:
        DataError: If labels or predictions are no such classes, or not as many.
    """
    true, named = as_classes("labels", labels, num_classes), as_classes("predicted", predicted, num_classes)
    _check_rows("predicted", named, len(true))
    cells = np.bincount(true * num_classes + named, weights, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def class_metrics(confusion: np.ndarray) -> Metrics:
    """``accuracy`` and ``macro_f1`` of a confusion matrix.

    A class that is neither there nor predicted does not count in the mean over classes.
    """
    right = np.diag(confusion)
    # F1 = 2 TP / (2 TP + FP + FN): the denominator is the class's row and column.
    mentions = confusion.sum(axis=0) + confusion.sum(axis=1)
    there = mentions > 0
    return {
        "accuracy": float(right.sum() / confusion.sum()),
        "macro_f1": float(np.mean(2 * right[there] / mentions[there])),
    }


def change_metrics(confusion: np.ndarray) -> Metrics:
    """``precision``, ``recall`` and ``f1`` of the second of two classes; 0 where nothing of it is predicted or there."""
    true, false_alarms, missed = (int(confusion[cell]) for cell in ((1, 1), (0, 1), (1, 0)))
    return {
        "precision": true / max(true + false_alarms, 1),
        "recall": true / max(true + missed, 1),
        "f1": 2 * true / max(2 * true + false_alarms + missed, 1),
    }


def rank_scores(scores: np.ndarray) -> np.ndarray:
    """Scores as ranks in [0, 1], float64 of the same shape: equal ones stay equal, and no logit saturates."""
    values, ranks = np.unique(scores, return_inverse=True)
    return ranks.reshape(scores.shape) / max(len(values) - 1, 1)


def label_metrics(labels: np.ndarray, ranks: np.ndarray) -> Metrics:
    """Average precision of several labels an image: over all decisions (micro), and mean over labels (macro).

    A label that no image has does not count in the mean.

    Args:
        labels: bool ``(N, classes)``.
        ranks: :func:`rank_scores` of the predictions, ``(N, classes)``.
    """
    from torchmetrics.functional.classification import multilabel_average_precision

    def average_precision(columns: np.ndarray, average: Literal["micro", "macro"]) -> float:
        given, truth = torch.from_numpy(ranks[:, columns]), torch.from_numpy(labels[:, columns]).long()
        return float(multilabel_average_precision(given, truth, len(columns), average=average, validate_args=False))

    there = np.flatnonzero(labels.any(axis=0))
    if not len(there):  # of a few resampled images; no ranking is right or wrong
        return {"micro_mAP": np.nan, "macro_mAP": np.nan}
    return {
        "micro_mAP": average_precision(np.arange(labels.shape[1]), "micro"),
        "macro_mAP": average_precision(there, "macro"),
    }


def chance_class_metrics(labels: ArrayLike, num_classes: int) -> Metrics:
    """:func:`class_metrics` of always naming the largest class of ``labels``, integers ``(N,)``."""
    true = as_classes("labels", labels, num_classes)
    largest = np.bincount(true, minlength=num_classes).argmax()
    return class_metrics(count_confusion(true, np.full_like(true, largest), num_classes))


def chance_label_metrics(labels: np.ndarray) -> Metrics:
    """:func:`label_metrics` of equal scores for all labels, bool ``(N, classes)``: how frequent they are."""
    return label_metrics(labels, np.zeros(labels.shape))


def chance_change_metrics(confusion: np.ndarray) -> Metrics:
    """:func:`change_metrics` of calling everything changed, for the truth of ``confusion``."""
    return change_metrics(np.stack([np.zeros(2), confusion.sum(axis=1)], axis=1))
