"""``seco evaluate retrieval``."""

import time
from typing import Any, cast

import numpy as np

from seco.errors import ConfigError, DataError
from seco.evaluate.datasets import StorePatches
from seco.evaluate.retrieval import evaluate_retrieval
from seco.evaluate.run.data import Data
from seco.evaluate.run.evaluation import Evaluation
from seco.evaluate.run.result import Trial, circumstances, summarise


def run_retrieval(evaluation: Evaluation, *, min_gap_days: float = 0.0) -> dict[str, Any]:
    """Cross-season place recognition on all patches of a store; needs no labels.

    Args:
        evaluation: What to evaluate.
        min_gap_days: Dates of a place that are nearer to each other are no other season and left out.

    Returns:
        ``metrics`` (``recall@1``, ``recall@5``, ``mAP``), their intervals, the recall@1 of chance, counts, what
        repeats it. The bootstrap draws places to ask for; what they are searched among stays.

    Raises:
        SecoError: If data or encoder cannot be used.
    """
    start, min_gap_days = time.perf_counter(), float(min_gap_days)
    if evaluation.train_fraction < 1:
        raise ConfigError("train_fraction: expected with a protocol that learns, got it with retrieval; leave it out")
    if not min_gap_days >= 0:
        raise ConfigError(f"min_gap_days: expected at least 0, got {min_gap_days}")
    data = Data.open(evaluation)
    if not data.in_store:
        raise DataError(
            f"{evaluation.data}: expected a patch store, for retrieval needs several dates of a place, got "
            "images without dates; use `evaluate linear` on them"
        )
    images = cast(StorePatches, data.images)
    rows, seeded, trials = data.rows, evaluation.seeded(), []
    for seed, subject, features in evaluation.encoded(data.images, rows, seeded):
        found = evaluate_retrieval(
            features.values, data.images.groups[rows], times=images.store.times[rows], min_gap_days=min_gap_days
        )
        trials.append(Trial(seed, subject, found.metrics))
    return {
        "protocol": "retrieval",
        **summarise(
            evaluation,
            trials,
            num_groups=len(np.unique(found.query_places)),
            chance={"recall@1": found.chance_recall_at_1},
            seeded=seeded,
        ),
        "queries": found.num_queries,
        # With a gap there are fewer, by those dates of the query's own place that are nearer.
        **({"min_gap_days": min_gap_days} if min_gap_days else {"candidates_per_query": found.num_patches - 1}),
        **data.describe(),
        **circumstances(evaluation, trials[0].subject, start),
    }
