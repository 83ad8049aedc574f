"""Metrics against scikit-learn, over splits that no batch size divides."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from seco.errors import DataError
from seco.evaluate.metrics import (
    chance_change_metrics,
    chance_class_metrics,
    chance_label_metrics,
    change_metrics,
    class_metrics,
    count_confusion,
    label_metrics,
    rank_scores,
)

# torchmetrics sums precision times recall step in float32: each of N terms below 1 / N rounds once, and so does the sum.
FLOAT32 = 1e-6


def test_classes_agree_with_scikit_learn():
    random = np.random.default_rng(9)
    # Class 5 is never there and never predicted, class 4 is only predicted.
    labels, predicted = random.integers(0, 4, 203), random.integers(0, 5, 203)
    confusion = count_confusion(labels, predicted, 6)
    found = class_metrics(confusion)
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(labels, predicted), rel=1e-14)
    expected = oracle.f1_score(labels, predicted, average="macro", zero_division=0)
    assert found["macro_f1"] == pytest.approx(expected, rel=1e-14)
    np.testing.assert_array_equal(confusion, oracle.confusion_matrix(labels, predicted, labels=range(6)))


def test_a_weight_is_as_good_as_a_copy():
    labels, predicted, weights = np.array([0, 1, 1]), np.array([0, 0, 1]), np.array([2, 0, 3])
    copied = count_confusion(np.repeat(labels, weights), np.repeat(predicted, weights), 2)
    np.testing.assert_array_equal(count_confusion(labels, predicted, 2, weights), copied)


def test_change_agrees_with_scikit_learn():
    random = np.random.default_rng(1)
    labels, predicted = random.integers(0, 2, 501), random.integers(0, 2, 501)
    found = change_metrics(count_confusion(labels, predicted, 2))
    precision, recall, f1, _ = oracle.precision_recall_fscore_support(labels, predicted, average="binary")
    assert found == pytest.approx({"precision": precision, "recall": recall, "f1": f1}, rel=1e-14)


def test_no_change_at_all_is_no_division():
    assert change_metrics(np.array([[7, 0], [0, 0]])) == {"precision": 0.0, "recall": 0.0, "f1": 0.0}


@pytest.mark.parametrize("scale", [1.0, 1000.0])  # sigmoids of logits of a thousand are all 0 or 1
def test_labels_agree_with_scikit_learn(scale):
    random = np.random.default_rng(2)
    labels = random.random((203, 7)) < 0.2
    scores = scale * (random.normal(size=labels.shape) + labels)
    scores[::3] = np.round(scores[::3] / scale) * scale  # ties
    found = label_metrics(labels, rank_scores(scores))
    assert found["micro_mAP"] == pytest.approx(oracle.average_precision_score(labels.ravel(), scores.ravel()), abs=FLOAT32)
    assert found["macro_mAP"] == pytest.approx(oracle.average_precision_score(labels, scores), abs=FLOAT32)


def test_a_label_that_nobody_has_does_not_count_in_the_mean():
    random = np.random.default_rng(3)
    labels, scores = random.random((60, 4)) < 0.3, random.normal(size=(60, 4))
    labels[:, 2] = False
    expected = oracle.average_precision_score(labels[:, [0, 1, 3]], scores[:, [0, 1, 3]])
    assert label_metrics(labels, rank_scores(scores))["macro_mAP"] == pytest.approx(expected, abs=FLOAT32)


def test_chance_knows_only_frequencies():
    labels = np.array([0, 0, 0, 1, 2])
    constant = np.zeros(5, np.int64)
    assert chance_class_metrics(labels, 3) == pytest.approx(
        {"accuracy": 3 / 5, "macro_f1": oracle.f1_score(labels, constant, average="macro", zero_division=0)}
    )
    several = np.array([[1, 0], [1, 1], [0, 0], [1, 0]], dtype=bool)
    assert chance_label_metrics(several) == pytest.approx({"micro_mAP": 4 / 8, "macro_mAP": (3 / 4 + 1 / 4) / 2})
    everything = chance_change_metrics(np.array([[6, 1], [2, 1]]))
    assert everything == pytest.approx({"precision": 3 / 10, "recall": 1.0, "f1": 2 * 3 / 13})


def test_a_resample_without_any_label_has_no_precision():
    found = label_metrics(np.zeros((3, 4), bool), np.zeros((3, 4)))
    assert all(np.isnan(value) for value in found.values())


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint16", "uint64", ">i4"])
def test_classes_of_any_integer_type(dtype):
    random = np.random.default_rng(0)
    labels, predicted = random.integers(0, 30, (2, 500))  # 30 * 30 cells: more than eight bits
    expected = count_confusion(labels, predicted, 30)
    np.testing.assert_array_equal(count_confusion(labels.astype(dtype), predicted.astype(dtype), 30), expected)
    np.testing.assert_array_equal(count_confusion(labels.tolist(), predicted.astype(dtype)[::-1][::-1], 30), expected)
    assert chance_class_metrics(labels.astype(dtype), 30) == chance_class_metrics(labels, 30)


@pytest.mark.parametrize(
    ("labels", "predicted", "text"),
    [
        ([0, 1], [2, 0], "predicted: expected classes from 0 to 1, got 0 to 2"),
        ([0, -1], [0, 0], "labels: expected classes from 0 to 1, got -1 to 0"),
        ([0, 0.5], [0, 0], "labels: expected integers"),
        ([[0, 1]], [0, 0], "labels: expected integers"),
        ([0, 1], [0], "predicted: expected one for each of 2 rows, got 1"),
    ],
)
def test_what_is_no_class_is_refused(labels, predicted, text):
    with pytest.raises(DataError, match=text):
        count_confusion(labels, predicted, 2)
