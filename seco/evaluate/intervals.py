"""How sure a result is: over seeds, and over the images that it happened to be tested on."""

from collections.abc import Callable, Sequence

import numpy as np

from seco.evaluate.metrics import Metrics
from seco.track import Track, untracked

CONFIDENCE = 0.95
AVERAGE_PRECISIONS = ("micro_mAP", "macro_mAP")  # of several labels an image
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
    """95 % intervals of statistics in [0, 1], from resampled groups of test images.

    Images of one place are drawn together, for they are no independent evidence. The interval is that of the quantiles of
    2.5 % and 97.5 % (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3). Resamples hold images
    twice, which raises an average precision of few positives: its interval is by how far they are from the statistic itself
    (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 5.2: the basic interval), cut to [0, 1].

    Args:
        statistic: Metrics of a sample that holds each group as often as its argument, int64 ``(num_groups,)``, says.
        num_groups: Number of groups.
        resamples: How many samples are drawn, each of ``num_groups`` groups with replacement.
        seed: Of the draws.
        track: How progress is shown.
    """
    random = np.random.default_rng(seed)
    found, drawn = statistic(np.ones(num_groups, np.int64)), []
    for _ in track(range(resamples), "bootstrap samples"):
        sample = random.integers(num_groups, size=num_groups)
        drawn.append(statistic(np.bincount(sample, minlength=num_groups)))
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    intervals = {}
    for name, value in found.items():
        values = np.array([metrics[name] for metrics in drawn])
        if not np.isnan(values).all():
            low, high = np.nanquantile(values, tails)
            if name in AVERAGE_PRECISIONS:
                low, high = np.clip((2 * value - high, 2 * value - low), 0, 1)
            intervals[name] = (float(low), float(high))
    return intervals
