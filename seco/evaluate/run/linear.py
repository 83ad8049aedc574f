"""``seco evaluate linear``."""

import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from seco.errors import ConfigError
from seco.evaluate.features import Features
from seco.evaluate.linear import (
    L2_GRID,
    L2_UNTOLD,
    LinearClassifier,
    choose_l2,
    fit_by_adam,
    fit_logistic,
    recipe_2021,
)
from seco.evaluate.run.data import Data
from seco.evaluate.run.evaluation import Evaluation
from seco.evaluate.run.result import chosen, circumstances
from seco.evaluate.training import check_protocol

# Share of the training places that choose the penalty, where no validation split is published.
_HELD_OUT = 0.2


def run_linear(
    evaluation: Evaluation, *, protocol: str = "default", epochs: int | None = None, lr: float | None = None
) -> dict[str, Any]:
    """A linear classifier on features of the frozen encoder, which are extracted once.

    ``default``: logistic regression, its penalty chosen on the validation split, or where none is published on
    a fifth of the training places, after which it is fitted to all of them; judged on the test split.
    ``seco2021``: one linear layer trained by Adam, on images at their own size, judged on the validation split
    where one is published.

    Args:
        evaluation: What to evaluate.
        protocol: ``default`` or ``seco2021``.
        epochs: Instead of the 100 of ``seco2021``.
        lr: Instead of the 0.001 of ``seco2021``.

    Returns:
        ``metrics``, as of :func:`run_knn`, with intervals, chance, confusion matrix, the fit of each run and what
        repeats it.

    Raises:
        SecoError: If data, labels or encoder cannot be used.
    """
    start = time.perf_counter()
    check_protocol(protocol)
    if protocol == "default" and (epochs is not None or lr is not None):
        raise ConfigError("epochs, lr: expected with seco2021, got them with a fit that has neither; leave them out")
    data = Data.open(evaluation)
    training = data.split("train")
    fit: _LogisticRegression | _Adam
    if protocol == "seco2021":
        evaluation = replace(evaluation, size=evaluation.size or data.images.patch_size)
        tested_on = data.tested_2021
        fit = _Adam(evaluation, data, epochs, lr)
    else:
        tested_on = "test"
        fit = _LogisticRegression(evaluation, data)
    tested, seeded, trials = data.split(tested_on), evaluation.seeded(*fit.seeded), []
    rows = np.unique(np.concatenate([training, fit.held_out, tested]))
    for seed, subject, features in evaluation.encoded(data.images, rows, seeded):
        drawn = data.draw(training, evaluation.train_fraction, seed)
        classifier, found = fit(features, drawn, seed)
        details = data.describe_drawn(drawn, training) | found
        scores = classifier.scores(features.of(tested))
        trials.append(data.trial_of(scores, tested, seed=seed, subject=subject, training=details))
    return {
        "protocol": "linear",
        "recipe": fit.description,
        **fit.chosen,
        **data.summarise(evaluation, trials, tested, tested_on=tested_on, seeded=seeded),
        **circumstances(evaluation, trials[0].subject, start),
    }


class _LogisticRegression:
    """The default: a convex problem, its penalty chosen on images that are neither fitted nor tested."""

    chosen: Mapping[str, Any] = {}  # it has no settings

    def __init__(self, evaluation: Evaluation, data: Data) -> None:
        self._data, self._device = data, evaluation.torch_device
        published = "validation" in data.images.splits
        self.held_out = data.split("validation") if published else np.empty(0, np.int64)
        self.seeded = () if published else ("images that choose the penalty",)
        self.description = {
            "name": "default",
            "optimiser": "L-BFGS on standardised features",
            "l2": list(L2_GRID),
            "l2_chosen_on": "the validation split" if published else f"{_HELD_OUT:.0%} of the training places",
        }

    def __call__(self, features: Features, drawn: np.ndarray, seed: int) -> tuple[LinearClassifier, dict[str, Any]]:
        labels = self._data.images.labels
        settings: dict[str, Any] = {"num_classes": self._data.num_classes, "device": self._device}
        fitted, held_out = drawn, self.held_out
        if not len(held_out):
            fitted = self._data.draw(drawn, 1 - _HELD_OUT, seed)
            held_out = np.setdiff1d(drawn, fitted)
        if len(held_out):
            known = features.of(fitted), labels[fitted], features.of(held_out), labels[held_out]
            l2, told = choose_l2(*known, **settings), {}
        else:
            l2, told = L2_UNTOLD, {"l2_chosen_on": "nothing: too few places to hold any out"}
        (classifier,) = fit_logistic(features.of(drawn), labels[drawn], l2=[l2], **settings)
        return classifier, {"l2": l2, **told}


class _Adam:
    """The linear probe of 2021."""

    held_out = np.empty(0, np.int64)
    seeded = ("initial weights", "order of training")

    def __init__(self, evaluation: Evaluation, data: Data, epochs: int | None, lr: float | None) -> None:
        self._evaluation, self._data = evaluation, data
        usual = recipe_2021(multi_label=data.images.labels.ndim == 2)
        self._recipe = usual.changed(epochs=epochs, lr=lr)
        self.description = asdict(self._recipe)
        self.chosen = chosen(self.description, asdict(usual))

    def __call__(self, features: Features, drawn: np.ndarray, seed: int) -> tuple[LinearClassifier, dict[str, Any]]:
        classifier, losses = fit_by_adam(
            features.of(drawn),
            self._data.images.labels[drawn],
            num_classes=self._data.num_classes,
            recipe=self._recipe,
            seed=seed,
            device=self._evaluation.torch_device,
            track=self._evaluation.track,
        )
        return classifier, {"loss": losses}
