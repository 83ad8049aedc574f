"""``seco evaluate change``."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, cast

import numpy as np

from seco.errors import DataError
from seco.evaluate.change import UNKNOWN, Pair, change_recipe, fit_change, predict_change
from seco.evaluate.datasets import ChangePairs, Images, open_change_pairs
from seco.evaluate.datasets.split import draw_fraction
from seco.evaluate.features import check_bands
from seco.evaluate.metrics import Metrics, chance_change_metrics, change_metrics, count_confusion
from seco.evaluate.progress import shown

from .data import describe_split, skipped
from .evaluation import Evaluation
from .result import Trial, circumstances, summarise

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
    recipe = change_recipe(protocol, train_encoder=train_encoder, epochs=epochs, lr=lr, batch_size=batch_size)
    data = open_change_pairs(evaluation.data)
    luck = evaluation.luck("initial weights of the decoder", "order and augmentation of training")
    # An encoder asks a data set for its bands, their type, meaning and statistics only, and is told its size.
    subjects = list(evaluation.subjects(cast(Images, data), luck, size=evaluation.size or TILE))
    encoder = subjects[0][1].encoder
    check_bands(encoder, data.band_names)
    pairs, unreadable = _read_pairs(data, encoder.normalization.bands, evaluation)
    training = np.array([i for i in data.splits["train"] if i in pairs], np.int64)
    tested = [i for i in data.splits["test"] if i in pairs]
    if not len(training) or not tested:
        raise DataError(f"{evaluation.data}: expected pairs to train and to test on, got {len(training)} and {len(tested)}")
    work: dict[str, Any] = {"threads": evaluation.threads, "device": evaluation.torch_device}
    trials: list[Trial] = []
    confusions = np.empty((0, 2, 2), np.int64)
    for seed, subject in subjects:
        drawn = training
        if evaluation.train_fraction < 1:
            one_class = np.zeros(len(training), np.int64)
            drawn = training[draw_fraction(np.arange(len(training)), one_class, evaluation.train_fraction, seed)]
        model, losses = fit_change(
            subject.encoder,
            [pairs[i] for i in drawn],
            recipe=recipe,
            train_encoder=train_encoder,
            seed=seed,
            progress=evaluation.progress,
            **work,
        )
        predicted = [predict_change(model, subject.encoder, pairs[i], batch_size=recipe.batch_size, **work) for i in tested]
        confusions = np.stack([_confusion(pairs[i], change) for i, change in zip(tested, predicted, strict=True)])
        named = zip(tested, confusions, strict=True)
        found = {
            "training_pairs": [data.names[i] for i in drawn],
            "test_pairs": [{"name": data.names[i], "confusion": c.tolist(), **change_metrics(c)} for i, c in named],
            "loss": losses,
        }
        trials.append(Trial(seed, subject, partial(_metrics, confusions), confusions.sum(axis=0), found))
    return {
        "protocol": "change",
        "recipe": asdict(recipe) | {"tile": encoder.size, "encoder": "trained" if train_encoder else "frozen"},
        **summarise(
            evaluation,
            trials,
            num_groups=len(tested),
            chance=chance_change_metrics(confusions.sum(axis=0)),
            luck=luck,
        ),
        "queries": int(confusions.sum()),
        "classes": ["unchanged", "changed"],
        "data": data.describe(),
        **({"skipped": skipped(unreadable.items())} if unreadable else {}),
        "split": describe_split(data.splits, data.split_source, "test"),
        **circumstances(evaluation, subjects[0][1], start),
    }


def _read_pairs(data: ChangePairs, bands: Sequence[str], evaluation: Evaluation) -> tuple[dict[int, Pair], dict[str, str]]:
    """All pairs of the splits by number, and why some, by name, cannot be read."""
    pairs, unreadable = {}, {}
    numbers = sorted({*data.splits["train"], *data.splits["test"]})
    for i in shown(numbers, len(numbers), "reading pairs", progress=evaluation.progress):
        try:
            pairs[i] = data.read(i, bands)
        except DataError as error:
            if not evaluation.skip_bad:
                raise
            unreadable[data.names[i]] = str(error)
    return pairs, unreadable


def _confusion(pair: Pair, changed: np.ndarray) -> np.ndarray:
    known = pair[2] != UNKNOWN
    return count_confusion(pair[2][known].astype(np.int64), changed[known].astype(np.int64), 2)


def _metrics(confusions: np.ndarray, counts: np.ndarray) -> Metrics:
    """Metrics over all pixels of pairs with these confusions ``(pairs, 2, 2)``, each as often as ``counts`` says."""
    return change_metrics(np.tensordot(counts, confusions, 1))
