"""``seco evaluate change``."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, cast

import numpy as np

from seco.errors import DataError
from seco.evaluate.change import UNKNOWN, Pair, change_recipe, check_masks, fit_change, predict_change
from seco.evaluate.datasets import ChangePairs, Images, open_change_pairs
from seco.evaluate.datasets.draw import draw_fraction
from seco.evaluate.datasets.published import verify
from seco.evaluate.encoders import Subject
from seco.evaluate.features import check_bands
from seco.evaluate.metrics import Metrics, chance_change_metrics, change_metrics, count_confusion
from seco.evaluate.run.data import describe_split, skipped
from seco.evaluate.run.evaluation import Evaluation
from seco.evaluate.run.result import Trial, chosen, circumstances, summarise
from seco.evaluate.training import Recipe
from seco.evaluate.unreadable import find_unreadable_pairs, leave_pairs_out

TILE = 96  # pixels, as in 2021


def run_change(
    evaluation: Evaluation,
    *,
    protocol: str = "default",
    train_encoder: bool = False,
    epochs: int | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
) -> dict[str, Any]:
    """A Siamese U-Net on an encoder, judged on every pixel of the test pairs whose change is known.

    Args:
        evaluation: What to evaluate; ``size`` is that of the tiles, by default 96 px.
        protocol: ``default`` or ``seco2021``, which train alike.
        train_encoder: Train the encoder too.
        epochs: Instead of the protocol's.
        lr: Instead of the protocol's.
        batch_size: Tiles a step, instead of the protocol's.

    Returns:
        ``metrics`` (``precision``, ``recall``, ``f1`` of change), their intervals (the bootstrap draws pairs), those
        of calling everything changed, the confusion matrix (unchanged, changed; rows are the truth), the counts of
        each pair and what repeats it.

    Raises:
        SecoError: If data or encoder cannot be used.
    """
    start = time.perf_counter()
    usual = change_recipe(protocol, train_encoder=False)
    recipe = change_recipe(protocol, train_encoder=train_encoder).changed(epochs=epochs, lr=lr, batch_size=batch_size)
    evaluation = replace(evaluation, batch_size=recipe.batch_size, size=evaluation.size or TILE)
    verified = {"verified": verify(evaluation.data)} if evaluation.verify else {}
    data = open_change_pairs(evaluation.data, band_names=evaluation.band_names)
    unreadable = find_unreadable_pairs(data, track=evaluation.track) if evaluation.skip_bad else {}
    data = leave_pairs_out(data, list(unreadable))
    seeded = evaluation.seeded("initial weights of the decoder", "order and augmentation of training")
    # An encoder asks a data set for its bands, their type, meaning and statistics only, and is told its size.
    subjects = list(evaluation.subjects(cast(Images, data), seeded))
    encoder = subjects[0][1].encoder
    check_bands(encoder, data.band_names)
    pairs = _Pairs.read(data, encoder.normalization.bands, evaluation)
    trials = [_trial(evaluation, recipe, pairs, subject, seed) for seed, subject in subjects]
    truth = np.asarray(trials[0].confusion)
    return {
        "protocol": "change",
        "recipe": asdict(recipe) | {"tile": encoder.size},
        **chosen(asdict(recipe), asdict(usual)),
        **summarise(
            evaluation,
            trials,
            num_groups=len(pairs.tested),
            chance=chance_change_metrics(truth),
            seeded=seeded,
        ),
        "queries": int(truth.sum()),
        "classes": ["unchanged", "changed"],
        "data": data.describe(),
        **verified,
        **({"skipped": skipped((data.names[i], why) for i, why in unreadable.items())} if unreadable else {}),
        "split": describe_split(data.splits, data.split_source, "test"),
        **circumstances(evaluation, subjects[0][1], start),
    }


@dataclass(frozen=True)
class _Pairs:
    """Pairs in memory by number, and those to learn from and to be judged by."""

    data: ChangePairs
    pairs: dict[int, Pair]
    training: np.ndarray
    tested: list[int]

    @classmethod
    def read(cls, data: ChangePairs, bands: Sequence[str], evaluation: Evaluation) -> "_Pairs":
        training, tested = data.splits["train"], data.splits["test"]
        if not training or not tested:
            raise DataError(f"{data.path}: expected pairs to train and to test on, got {len(training)} and {len(tested)}")
        numbers = sorted({*training, *tested})
        pairs = {i: data.read(i, bands) for i in evaluation.track(numbers, "pairs read")}
        check_masks([pairs[i][2] for i in tested], "to test on")
        return cls(data, pairs, np.array(training), list(tested))

    def draw(self, fraction: float, seed: int) -> np.ndarray:
        if fraction == 1:
            return self.training
        one_class = np.zeros(len(self.training), np.int64)
        return self.training[draw_fraction(np.arange(len(self.training)), one_class, fraction, seed)]


def _trial(evaluation: Evaluation, recipe: Recipe, data: _Pairs, subject: Subject, seed: int) -> Trial:
    """Train with one seed and count, pair by pair, what is taken for what."""
    drawn, names = data.draw(evaluation.train_fraction, seed), data.data.names
    work: dict[str, Any] = {"threads": evaluation.threads, "device": evaluation.torch_device}
    model, losses = fit_change(
        subject.encoder,
        [data.pairs[i] for i in drawn],
        recipe=recipe,
        seed=seed,
        track=evaluation.track,
        **work,
    )
    confusions, described = [], []
    for i in data.tested:
        changed = predict_change(model, subject.encoder, data.pairs[i], batch_size=recipe.batch_size, **work)
        mask = data.pairs[i][2]
        known = mask != UNKNOWN
        confusion = count_confusion(mask[known], changed[known], 2)
        confusions.append(confusion)
        described.append({"name": names[i], "confusion": confusion.tolist(), **change_metrics(confusion)})
    training = {"training_pairs": [names[i] for i in drawn], "test_pairs": described, "loss": losses}
    counts = np.stack(confusions)
    return Trial(seed, subject, partial(_metrics, counts), counts.sum(axis=0), training)


def _metrics(confusions: np.ndarray, counts: np.ndarray) -> Metrics:
    """Metrics over all pixels of pairs with these confusions ``(pairs, 2, 2)``, each as often as ``counts`` says."""
    return change_metrics(np.tensordot(counts, confusions, 1))
