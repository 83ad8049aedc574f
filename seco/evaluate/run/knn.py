"""``seco evaluate knn``."""

import operator
import time
from typing import Any

import numpy as np

from seco.errors import ConfigError
from seco.evaluate.knn import TEMPERATURE, K, neighbour_votes
from seco.evaluate.run.data import Data
from seco.evaluate.run.evaluation import Evaluation
from seco.evaluate.run.result import chosen, circumstances


def run_knn(evaluation: Evaluation, *, k: int = K, temperature: float = TEMPERATURE) -> dict[str, Any]:
    """Classification by nearest neighbours, without training.

    On a store every labelled patch is classified by the patches of all **other** locations; elsewhere the test
    split by the training split.

    Returns:
        ``metrics`` (``accuracy``, ``macro_f1``; of several labels ``micro_mAP``, ``macro_mAP``), their intervals
        and those of chance, the confusion matrix (rows are the true class), and what repeats it.

    Raises:
        SecoError: If data, labels or encoder cannot be used.
    """
    start = time.perf_counter()
    k, temperature = operator.index(k), float(temperature)  # a result is JSON, which has no numbers of NumPy
    data = Data.open(evaluation)
    images = data.images
    if data.in_store and evaluation.split != "auto":
        raise ConfigError("split: expected none for knn in a store, where all other locations vote, got one; leave it out")
    if data.in_store:
        tested_on = "all other locations"
        voters = tested = np.flatnonzero(images.labels >= 0)
    else:
        tested_on = "test"
        voters, tested = data.split("train"), data.split(tested_on)
    seeded, trials = evaluation.seeded(), []
    for seed, subject, features in evaluation.encoded(images, np.union1d(voters, tested), seeded):
        drawn = data.draw(voters, evaluation.train_fraction, seed)
        votes = neighbour_votes(
            features.of(tested),
            features.of(drawn),
            images.labels[drawn],
            num_classes=data.num_classes,
            k=k,
            temperature=temperature,
            query_groups=images.groups[tested],
            reference_groups=images.groups[drawn],
            device=evaluation.torch_device,
        )
        trials.append(data.trial_of(votes, tested, seed=seed, subject=subject, training=data.describe_drawn(drawn, voters)))
    return {
        "protocol": "knn",
        "k": k,
        "temperature": temperature,
        **chosen({"k": k, "temperature": temperature}, {"k": K, "temperature": TEMPERATURE}),
        **data.summarise(evaluation, trials, tested, tested_on=tested_on, seeded=seeded),
        **circumstances(evaluation, trials[0].subject, start),
    }
