"""Intervals hold what they promise: the truth in about 95 of 100 cases."""

import numpy as np
import pytest
from scipy import stats

from seco.evaluate.intervals import bootstrap_intervals, seed_interval
from seco.evaluate.metrics import label_metrics, rank_scores

TRIALS = 400
# Of 400 trials that succeed with 0.95 each, fewer than 360 happen once in 30,000 times, and all 400 once in 10^9.
FEWEST, MOST = 360, 399


def test_seed_interval_is_students():
    values = [0.81, 0.84, 0.79]
    expected = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert seed_interval(values) == pytest.approx(expected, rel=1e-12)


def test_seed_interval_covers_the_mean():
    random = np.random.default_rng(0)
    intervals = [seed_interval(random.normal(0.7, 0.1, 3)) for _ in range(TRIALS)]
    assert FEWEST <= sum(low <= 0.7 <= high for low, high in intervals) <= MOST


def mean_over(values, group):
    return lambda counts: {"mean": float(np.average(values, weights=counts[group]))}


@pytest.mark.parametrize(("images", "accuracy"), [(80, 0.7), (100, 0.97)])
def test_bootstrap_covers_the_truth_over_images(images, accuracy):
    random = np.random.default_rng(1)
    covered = 0
    for _ in range(TRIALS):
        right = random.random(images) < accuracy
        low, high = bootstrap_intervals(mean_over(right, np.arange(images)), images, resamples=200)["mean"]
        covered += low <= accuracy <= high
    assert FEWEST <= covered <= MOST


def test_bootstrap_covers_the_average_precision_of_rare_labels():
    def draw(random, images):
        labels = random.random((images, 4)) < (0.01, 0.02, 0.05, 0.2)
        return labels, rank_scores((random.normal(size=labels.shape) + labels).astype(np.float32))

    truth = label_metrics(*draw(np.random.default_rng(3), 100_000))["macro_mAP"]
    random, covered = np.random.default_rng(4), 0
    for _ in range(50):
        labels, ranks = draw(random, 400)
        rows = np.arange(400)
        sampled = lambda counts: label_metrics(labels[s := np.repeat(rows, counts)], ranks[s])  # noqa: B023, E731
        low, high = bootstrap_intervals(sampled, 400, resamples=60)["macro_mAP"]
        covered += low <= truth <= high
    assert covered >= 42  # of 50 at 0.95: fewer once in 100,000 times


def test_images_of_one_place_are_no_independent_evidence():
    random = np.random.default_rng(2)
    group = np.repeat(np.arange(40), 5)
    values = random.uniform(size=40)[group]
    (low, high) = bootstrap_intervals(mean_over(values, group), 40, resamples=1000)["mean"]
    alone = bootstrap_intervals(mean_over(values, np.arange(200)), 200, resamples=1000)["mean"]
    # Five equal images a place: the interval is wider by sqrt(5) = 2.24; its own spread is a few percent.
    assert (high - low) / (alone[1] - alone[0]) == pytest.approx(5**0.5, rel=0.15)


def test_bootstrap_follows_its_seed():
    statistic = mean_over(np.arange(30.0) / 30, np.arange(30))
    first, again, other = (bootstrap_intervals(statistic, 30, resamples=50, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_metric_that_no_resample_has_gets_no_interval():
    found = bootstrap_intervals(lambda _: {"seen": 0.5, "unseen": np.nan}, 3, resamples=5)
    assert found == {"seen": (0.5, 0.5)}
