"""``seco evaluate finetune``."""

import time
from dataclasses import asdict, replace
from typing import Any

from seco.evaluate.features import extract_features
from seco.evaluate.finetune import fine_tune, finetune_recipe
from seco.evaluate.run.data import Data
from seco.evaluate.run.evaluation import Evaluation
from seco.evaluate.run.result import chosen, circumstances


def run_finetune(
    evaluation: Evaluation,
    *,
    protocol: str = "default",
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
) -> dict[str, Any]:
    """Train the encoder and a linear layer on it; judged after the last epoch.

    Args:
        evaluation: What to evaluate.
        protocol: ``default``, judged on the test split; or ``seco2021``, on images at their own size, judged on the
            validation split where one is published.
        epochs: Instead of the protocol's.
        lr: Instead of the protocol's.
        batch_size: Images a step, instead of the protocol's.

    Returns:
        ``metrics``, as of :func:`run_knn`, with intervals, chance, confusion matrix, the losses of each run and
        what repeats it.

    Raises:
        SecoError: If data, labels or encoder cannot be used.
    """
    start = time.perf_counter()
    data = Data.open(evaluation)
    images, training = data.images, data.split("train")
    usual = finetune_recipe(protocol, multi_label=images.labels.ndim == 2)
    recipe = usual.changed(epochs=epochs, lr=lr, batch_size=batch_size)
    evaluation, tested_on = replace(evaluation, batch_size=recipe.batch_size), "test"
    if protocol == "seco2021":
        evaluation = replace(evaluation, size=evaluation.size or images.patch_size)
        tested_on = data.tested_2021
    tested, trials = data.split(tested_on), []
    seeded = evaluation.seeded("initial weights of the linear layer", "order and augmentation of training")
    work: dict[str, Any] = {
        "threads": evaluation.threads,
        "device": evaluation.torch_device,
        "track": evaluation.track,
    }
    for seed, subject in evaluation.subjects(images, seeded):
        drawn = data.draw(training, evaluation.train_fraction, seed)
        tuned, losses = fine_tune(subject.encoder, images, drawn, recipe=recipe, seed=seed, **work)
        scores = extract_features(tuned, images, rows=tested, batch_size=evaluation.batch_size, **work)
        details = data.describe_drawn(drawn, training) | {"loss": losses}
        trials.append(data.trial_of(scores, tested, seed=seed, subject=subject, training=details))
    return {
        "protocol": "finetune",
        "recipe": asdict(recipe),
        **chosen(asdict(recipe), asdict(usual)),
        **data.summarise(evaluation, trials, tested, tested_on=tested_on, seeded=seeded),
        **circumstances(evaluation, trials[0].subject, start),
    }
