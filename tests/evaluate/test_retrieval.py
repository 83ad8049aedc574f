"""Retrieval against rankings written out by hand and by loops."""

import numpy as np
import pytest

from seco.errors import ConfigError, DataError
from seco.evaluate import similarity
from seco.evaluate.retrieval import evaluate_retrieval


def directions(*degrees):
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def ranks_by_loops(features, locations, query):
    """Ranks of the patches of the query's place, by sorting all candidates; wrong ones first in a tie."""
    vectors = features.astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    candidates = [j for j in range(len(vectors)) if j != query]
    candidates.sort(key=lambda j: (-float(vectors[query] @ vectors[j]), locations[j] == locations[query]))
    return [i + 1 for i, j in enumerate(candidates) if locations[j] == locations[query]]


def by_loops(features, locations):
    """Recall@1, recall@5 and mAP."""
    found = [ranks for q in range(len(features)) if (ranks := ranks_by_loops(features, locations, q))]
    first = np.array([ranks[0] for ranks in found])
    average_precision = [np.mean([(i + 1) / rank for i, rank in enumerate(ranks)]) for ranks in found]
    return np.mean(first <= 1), np.mean(first <= 5), np.mean(average_precision)


def test_hand_made_ranking():
    # Place 0 at 0 and 20 degrees, place 1 at 5 and 100 degrees.
    # Queries 0: 5 (wrong), 20 (right) -> AP 1/2; 20: 5 (wrong), 0 (right) -> 1/2;
    # 5: 0, 20 (wrong), 100 (right) -> 1/3; 100: 20, 5 -> 1/2.
    result = evaluate_retrieval(directions(0, 20, 5, 100), np.array([0, 0, 1, 1]))
    assert result.metrics()["recall@1"] == 0.0
    assert result.metrics()["recall@5"] == 1.0
    assert result.metrics()["mAP"] == pytest.approx((1 / 2 + 1 / 2 + 1 / 3 + 1 / 2) / 4, rel=1e-15)
    assert result.chance_recall_at_1 == pytest.approx(1 / 3, rel=1e-15)


def test_places_apart_are_all_found():
    result = evaluate_retrieval(directions(0, 90, 1, 91, 2), np.array([7, 3, 7, 3, 7]))
    assert result.metrics() == {"recall@1": 1.0, "recall@5": 1.0, "mAP": 1.0}


def test_agrees_with_loops_for_places_of_unequal_dates():
    random = np.random.default_rng(0)
    locations = random.permutation(np.repeat(np.arange(12), random.integers(1, 7, 12)))
    features = random.normal(size=(len(locations), 5)) + random.normal(size=(12, 5))[locations]
    result = evaluate_retrieval(features, locations)
    expected = by_loops(features, locations)
    found = tuple(result.metrics().values())
    assert found == pytest.approx(expected, rel=1e-12)
    assert 0 < result.metrics()["recall@1"] < 1
    assert result.num_queries == np.sum(np.bincount(locations)[locations] > 1)


def test_near_dates_are_not_there(monkeypatch):
    monkeypatch.setattr(similarity, "_BLOCK_NUMBERS", 7 * 60)  # several blocks
    random = np.random.default_rng(0)
    locations = np.repeat(np.arange(10), 6)
    features = random.normal(size=(60, 5)) + random.normal(size=(10, 5))[locations]
    days = random.integers(0, 60, 60)
    times = np.datetime64("2020-01-01") + days.astype("timedelta64[D]")
    found = evaluate_retrieval(features, locations, times=times, min_gap_days=30)
    # By loops: of each query's ranking without the near dates of its place.
    first, precision, chance = [], [], []
    for query in range(60):
        near = (locations == locations[query]) & (abs(days - days[query]) < 30)
        left = ~near | (np.arange(60) == query)
        if (locations[left] == locations[query]).sum() > 1:
            one = ranks_by_loops(features[left], locations[left], int(left[:query].sum()))
            first.append(one[0])
            precision.append(np.mean([(i + 1) / rank for i, rank in enumerate(one)]))
            chance.append(len(one) / (left.sum() - 1))
    assert 0 < len(first) < 60
    assert found.num_queries == len(first)
    assert found.metrics()["recall@1"] == pytest.approx(np.mean(np.array(first) == 1), rel=1e-15)
    assert found.metrics()["mAP"] == pytest.approx(np.mean(precision), rel=1e-12)
    assert found.chance_recall_at_1 == pytest.approx(np.mean(chance), rel=1e-12)
    with pytest.raises(DataError, match="two dates that are 90 days apart"):
        evaluate_retrieval(features, locations, times=times, min_gap_days=90)


def test_an_encoder_that_sees_nothing_finds_nothing():
    result = evaluate_retrieval(np.ones((60, 7), np.float32), np.repeat(np.arange(20), 3))
    assert result.metrics()["recall@1"] == 0.0
    assert result.metrics()["recall@5"] == 0.0
    # All 57 wrong candidates precede both right ones.
    assert result.metrics()["mAP"] == pytest.approx((1 / 58 + 2 / 59) / 2, rel=1e-12)


@pytest.mark.parametrize("block_rows", [1, 7, 64])
def test_the_size_of_the_blocks_changes_nothing(block_rows, monkeypatch):
    random = np.random.default_rng(1)
    locations = np.repeat(np.arange(16), 4)
    features = random.normal(size=(64, 8)).astype(np.float32) + 2 * random.normal(size=(16, 8))[locations]
    one = evaluate_retrieval(features, locations)
    monkeypatch.setattr(similarity, "_BLOCK_NUMBERS", 64 * block_rows)
    other = evaluate_retrieval(features, locations)
    assert one.metrics() == other.metrics()
    assert np.array_equal(one.best_ranks, other.best_ranks)


def test_a_place_of_one_date_is_a_candidate_but_no_query():
    # Without the lonely patch at 1 degree both queries would succeed.
    result = evaluate_retrieval(directions(0, 3, 1), np.array([0, 0, 5]))
    assert result.num_queries == 2
    assert result.metrics()["recall@1"] == 0.0


@pytest.mark.parametrize("locations", [[0, 0, 0], [0, 1, 2]])
def test_too_few_places_or_dates(locations):
    with pytest.raises(DataError, match="at least two locations"):
        evaluate_retrieval(directions(0, 1, 2), np.array(locations))


@pytest.mark.parametrize(("value", "text"), [(np.nan, "row 2"), (0.0, "zeros in row 2")])
def test_features_without_direction(value, text):
    features = directions(0, 1, 2, 3)
    features[2] = value
    with pytest.raises(DataError, match=text):
        evaluate_retrieval(features, np.array([0, 0, 1, 1]))


def test_a_gap_between_dates_needs_dates():
    with pytest.raises(ConfigError, match="times: expected the dates of patches that are 30 days apart"):
        evaluate_retrieval(directions(0, 1, 2, 3), np.array([0, 0, 1, 1]), min_gap_days=30)


def test_an_unknown_date_is_named():
    times = np.array(["2020-01-01", "2020-06-01", "NaT", "2020-06-01"], "datetime64[D]")
    with pytest.raises(DataError, match="times: expected a date of each patch, got NaT for 1, the first in row 2"):
        evaluate_retrieval(directions(0, 5, 90, 95), np.array([0, 0, 1, 1]), times=times, min_gap_days=30)
