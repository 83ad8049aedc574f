"""Nearest neighbours against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from sklearn.neighbors import KNeighborsClassifier

from seco.errors import ConfigError, DataError
from seco.evaluate.knn import predict_by_neighbours, score

TEMPERATURE = 0.07


def clusters(seed, size):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 5, size)
    return (random.normal(size=(size, 6)) + np.eye(5, 6)[labels]).astype(np.float32), labels


def oracle(queries, references, labels, k):
    # Their distance is 1 - s; a factor common to all weights of a query does not change the vote.
    model = KNeighborsClassifier(k, metric="cosine", weights=lambda d: np.exp(-d / TEMPERATURE))
    return model.fit(references.astype(np.float64), labels).predict(queries.astype(np.float64))


@pytest.mark.parametrize("k", [1, 5, 20])
def test_agrees_with_scikit_learn(k):
    references, labels = clusters(0, 150)
    queries, _ = clusters(1, 90)
    found = predict_by_neighbours(queries, references, labels, k=k, block_rows=16)
    np.testing.assert_array_equal(found, oracle(queries, references, labels, k))


def test_no_location_votes_for_itself():
    features, labels = clusters(2, 60)
    groups = np.repeat(np.arange(20), 3)
    found = predict_by_neighbours(features, features, labels, k=5, query_groups=groups, reference_groups=groups)
    for group in range(20):
        own = groups == group
        np.testing.assert_array_equal(found[own], oracle(features[own], features[~own], labels[~own], 5))


def test_more_neighbours_than_references():
    references, labels = clusters(3, 8)
    queries, _ = clusters(4, 10)
    np.testing.assert_array_equal(
        predict_by_neighbours(queries, references, labels, k=20), oracle(queries, references, labels, 8)
    )


def test_a_tiny_temperature_is_the_nearest_neighbour():
    references, labels = clusters(5, 50)
    queries, _ = clusters(6, 30)
    found = predict_by_neighbours(queries, references, labels, k=20, temperature=1e-6)
    np.testing.assert_array_equal(found, predict_by_neighbours(queries, references, labels, k=1))


def test_nobody_else_to_ask():
    features, labels = clusters(7, 4)
    groups = np.zeros(4, np.int64)
    with pytest.raises(DataError, match="at least two locations"):
        predict_by_neighbours(features, features, labels, query_groups=groups, reference_groups=groups)


@pytest.mark.parametrize(("setting", "name"), [({"k": 0}, "k"), ({"temperature": 0.0}, "temperature")])
def test_settings(setting, name):
    features, labels = clusters(8, 4)
    with pytest.raises(ConfigError, match=f"^{name}: expected"):
        predict_by_neighbours(features, features, labels, **setting)


def test_scores_agree_with_scikit_learn():
    random = np.random.default_rng(9)
    # Class 5 is never there and never predicted, class 4 is only predicted.
    labels, predicted = random.integers(0, 4, 200), random.integers(0, 5, 200)
    found = score(labels, predicted, 6)
    assert found.accuracy == pytest.approx(accuracy_score(labels, predicted), rel=1e-14)
    assert found.macro_f1 == pytest.approx(f1_score(labels, predicted, average="macro", zero_division=0), rel=1e-14)
    np.testing.assert_array_equal(found.confusion, confusion_matrix(labels, predicted, labels=range(6)))
