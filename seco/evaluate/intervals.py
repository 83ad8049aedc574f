"""How sure a result is: over seeds, and over the images that it happened to be tested on."""

from collections.abc import Callable, Sequence

import numpy as np

from seco.evaluate.metrics import Metrics
from seco.track import Track, untracked

CONFIDENCE = 0.95
Interval = tuple[float, float]


def seed_interval(values: Sequence[float]) -> Interval:
    """Student's 95 % interval of the mean of at least two independent values in [0, 1], cut to [0, 1]."""
    from scipy.stats import t

    half = t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    mean = np.mean(values)
    return float(max(mean - half, 0)), float(min(mean + half, 1))


def bootstrap_intervals(
    statistic: Callable[[np.ndarray], Metrics],
    num_groups: int,
    *,
    resamples: int,
    seed: int = 0,
    track: Track = untracked,
) -> dict[str, Interval]:
    """The 2.5 % and 97.5 % quantiles of a statistic over resampled groups of test images.

    Images of one place are drawn together, for they are no independent evidence (Efron and Tibshirani, An
    Introduction to the Bootstrap, 1993, section 13.3: the percentile interval).

    Args:
        statistic: Metrics of a sample that holds each group as often as its argument, int64 ``(num_groups,)``, says.
        num_groups: Number of groups.
        resamples: How many samples are drawn, each of ``num_groups`` groups with replacement.
        seed: Of the draws.
        track: How progress is shown.
    """
    random = np.random.default_rng(seed)
    drawn = []
    for _ in track(range(resamples), "bootstrap samples"):
        sample = random.integers(num_groups, size=num_groups)
        drawn.append(statistic(np.bincount(sample, minlength=num_groups)))
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    intervals = {}
    for name in drawn[0]:
        values = np.array([metrics[name] for metrics in drawn])
        if not np.isnan(values).all():
            low, high = np.nanquantile(values, tails)
            intervals[name] = (float(low), float(high))
    return intervals
