"""Nearest neighbours against scikit-learn."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from seco.errors import ConfigError, DataError
from seco.evaluate import knn, similarity
from seco.evaluate.knn import neighbour_votes

TEMPERATURE = 0.07


def clusters(seed, size):
    random = np.random.default_rng(seed)
    labels = random.integers(0, 5, size)
    return (random.normal(size=(size, 6)) + np.eye(5, 6)[labels]).astype(np.float32), labels


def predict_by_neighbours(queries, references, labels, **settings):
    return neighbour_votes(queries, references, labels, num_classes=5, **settings).argmax(axis=1)


def oracle(queries, references, labels, k):
    # Their distance is 1 - s; a factor common to all weights of a query does not change the vote.
    model = KNeighborsClassifier(k, metric="cosine", weights=lambda d: np.exp(-d / TEMPERATURE))
    return model.fit(references.astype(np.float64), labels).predict(queries.astype(np.float64))


@pytest.mark.parametrize("k", [1, 5, 20])
def test_agrees_with_scikit_learn(k, monkeypatch):
    monkeypatch.setattr(similarity, "_BLOCK_NUMBERS", knn._BLOCK_SIDE * 16)
    references, labels = clusters(0, 150)
    queries, _ = clusters(1, 90)
    found = predict_by_neighbours(queries, references, labels, k=k)
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


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ({"k": 0}, "k"),
        ({"temperature": 0.0}, "temperature"),
        ({"query_groups": np.zeros(4)}, "query_groups, reference_groups"),
    ],
)
def test_settings(setting, name):
    features, labels = clusters(8, 4)
    with pytest.raises(ConfigError, match=f"^{name}: expected"):
        predict_by_neighbours(features, features, labels, **setting)


@pytest.mark.parametrize("block_rows", [1, 7, 150])
def test_the_size_of_the_blocks_changes_nothing(block_rows, monkeypatch):
    references, labels = clusters(9, 150)
    queries, _ = clusters(10, 40)
    settings = {"num_classes": 5, "k": 9}
    whole = neighbour_votes(queries, references, labels, **settings)
    monkeypatch.setattr(similarity, "_BLOCK_NUMBERS", knn._BLOCK_SIDE * block_rows)
    found = neighbour_votes(queries, references, labels, **settings)
    # Similarities differ by 1e-12 at most (similarity.py), and a vote by that divided by the temperature.
    np.testing.assert_allclose(found, whole, rtol=0, atol=4e-12 / TEMPERATURE)


def test_neighbours_vote_for_each_of_their_labels():
    references, classes = clusters(11, 80)
    labels = np.stack([classes < 2, classes % 2 == 0, classes == 4], axis=1)
    queries, _ = clusters(12, 30)
    votes = neighbour_votes(queries, references, labels, num_classes=3, k=7)
    by_class = neighbour_votes(queries, references, classes, num_classes=5, k=7)
    np.testing.assert_allclose(by_class.sum(axis=1), 1, rtol=1e-12)
    expected = np.stack([by_class[:, :2].sum(axis=1), by_class[:, ::2].sum(axis=1), by_class[:, 4]], axis=1)
    np.testing.assert_allclose(votes, expected, rtol=1e-12, atol=1e-15)


def test_a_row_without_direction_is_named(monkeypatch):
    monkeypatch.setattr(similarity, "_BLOCK_NUMBERS", knn._BLOCK_SIDE * 8)
    references, labels = clusters(13, 30)
    references[17] = 0
    with pytest.raises(DataError, match="zeros in row 17"):
        neighbour_votes(references[:5], references, labels, num_classes=5)


def test_labels_of_any_integer_type():
    features, labels = clusters(0, 40)
    expected = neighbour_votes(features, features, labels, num_classes=5)
    fixed = labels.copy()
    fixed.setflags(write=False)
    for same in (labels.tolist(), labels.astype(np.int8), labels[::-1].copy()[::-1], fixed):
        np.testing.assert_array_equal(neighbour_votes(features, features, same, num_classes=5), expected)
    with pytest.raises(DataError, match="labels: expected classes from 0 to 1"):
        neighbour_votes(features, features, labels, num_classes=2)
    with pytest.raises(DataError, match=r"labels: expected bool \(N, 5\)"):
        neighbour_votes(features, features, np.eye(6, dtype=bool)[labels], num_classes=5)
    for others in (labels[:-1], np.append(labels, 0), np.eye(5, dtype=bool)[labels][1:]):
        with pytest.raises(DataError, match="labels: expected one for each of 40 rows"):
            neighbour_votes(features, features, others, num_classes=5)
