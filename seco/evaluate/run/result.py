"""The result of an evaluation: metrics, how sure they are, and what repeats them."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from seco.environment import PACKAGES, package_versions
from seco.evaluate.encoders import Subject
from seco.evaluate.intervals import bootstrap_intervals, seed_interval
from seco.evaluate.metrics import Metrics
from seco.evaluate.run.evaluation import Evaluation

# Told by what is said of data, encoder and runs.
_TOLD = (
    "data",
    "checkpoint",
    "timm",
    "torchvision",
    "random",
    "bands",
    "size",
    "seed",
    "seeds",
    "track",
    "skip_bad",
    "verify",
)


@dataclass(frozen=True)
class Trial:
    """What one seed gave.

    Attributes:
        seed: The seed.
        subject: The encoder.
        statistic: Metrics, if each group of test images counts as often as its argument, int64 ``(groups,)``, says.
        confusion: Of all test images, where there is such a thing.
        training: What training used and found.
    """

    seed: int
    subject: Subject
    statistic: Callable[[np.ndarray], Metrics]
    confusion: np.ndarray | None = None
    training: Mapping[str, Any] = field(default_factory=dict)


def summarise(
    evaluation: Evaluation, trials: Sequence[Trial], *, num_groups: int, chance: Metrics, seeded: list[str]
) -> dict[str, Any]:
    """Metrics, their intervals and the runs they are of.

    Args:
        evaluation: What was asked for.
        trials: One a seed.
        num_groups: Groups of test images that are resampled together.
        chance: Metrics without looking at the images.
        seeded: What depended on the seed, in words.

    Returns:
        ``metrics``, the mean over seeds; ``interval_95``, of the mean over seeds (``seeds``, of two or more) and
        over resampled test images (``bootstrap``); ``chance``; ``confusion``, summed over seeds; ``runs``.
    """
    everything = np.ones(num_groups, np.int64)
    each = [trial.statistic(everything) for trial in trials]
    intervals: dict[str, Any] = {}
    if len(trials) > 1:
        intervals["seeds"] = {name: seed_interval([metrics[name] for metrics in each]) for name in each[0]}
    if evaluation.bootstrap and num_groups > 1:  # of one group every resample is the same
        intervals["bootstrap"] = bootstrap_intervals(
            lambda counts: _mean([trial.statistic(counts) for trial in trials]),
            num_groups,
            resamples=evaluation.bootstrap,
            seed=evaluation.seed,
            track=evaluation.track,
        )
    confusions = [trial.confusion for trial in trials if trial.confusion is not None]
    return {
        "metrics": _mean(each),
        "interval_95": intervals,
        "chance": chance,
        **({"confusion": np.sum(confusions, axis=0).tolist()} if confusions else {}),
        "seeds": {"used": [trial.seed for trial in trials], "decide": seeded},
        "runs": [_run(trial, metrics) for trial, metrics in zip(trials, each, strict=True)],
    }


def chosen(settings: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that are not the protocol's own, so that results with others are told apart."""
    other = {name: value for name, value in settings.items() if value != usual[name]}
    return {"chosen": other} if other else {}


def circumstances(evaluation: Evaluation, subject: Subject, start: float) -> dict[str, Any]:
    """Encoder, settings and versions, and the time since ``start``."""
    settings = {name: value for name, value in asdict(evaluation).items() if name not in _TOLD}
    return {
        "encoder": subject.describe(),
        "settings": settings | {"device": evaluation.torch_device.type},
        "versions": package_versions((*PACKAGES, "torchmetrics", "scipy", "segmentation_models_pytorch")),
        "seconds": round(time.perf_counter() - start, 3),
    }


def _run(trial: Trial, metrics: Metrics) -> dict[str, Any]:
    described = trial.subject.describe()
    return {"seed": trial.seed, "weights_sha256": described["weights_sha256"], "metrics": metrics, **trial.training}


def _mean(each: Sequence[Metrics]) -> Metrics:
    return {name: float(np.mean([metrics[name] for metrics in each])) for name in each[0]}
