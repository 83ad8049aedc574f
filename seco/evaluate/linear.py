"""A linear classifier on features: how much of the classes a hyperplane finds in them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from seco.evaluate.metrics import as_labels, class_metrics, count_confusion, label_metrics, rank_scores
from seco.evaluate.training import Recipe, classification_loss, seeded, shuffled_batches, step_schedule, train
from seco.track import Track, untracked

# Strengths of the penalty that are tried, from strong to weak; used as they stand where nothing can tell which is best.
L2_GRID = tuple(10.0 ** (exponent / 2) for exponent in range(0, -13, -1))
L2_UNTOLD = 1e-2
# Rows whose loss is computed at once.
_BLOCK = 1 << 16
_MAX_ITERATIONS = 500


@dataclass(frozen=True)
class LinearClassifier:
    """``scores = (x - mean) / std @ weight + bias``.

    Attributes:
        mean: ``(d,)``.
        std: ``(d,)``; 1 where the training features are constant.
        weight: ``(d, classes)``.
        bias: ``(classes,)``.
        l2: Strength of the penalty on ``weight`` that it was fitted with.
    """

    mean: torch.Tensor
    std: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor
    l2: float

    @torch.inference_mode()
    def scores(self, features: np.ndarray) -> np.ndarray:
        """Scores float32 ``(N, classes)`` of features ``(N, d)``."""
        blocks = []
        for start in range(0, max(len(features), 1), _BLOCK):  # of no rows, too, one block
            block = _as_tensor(features[start : start + _BLOCK]).to(self.mean.device)
            blocks.append((((block - self.mean) / self.std) @ self.weight + self.bias).cpu().numpy())
        return np.concatenate(blocks)


def _as_tensor(features: np.ndarray) -> torch.Tensor:
    """Features of any type as float32, without a copy where torch can take them as they are."""
    return torch.from_numpy(np.require(features, np.float32, ["C", "W"]))


def fit_logistic(
    features: np.ndarray,
    labels: ArrayLike,
    *,
    num_classes: int,
    l2: Sequence[float],
    device: str | torch.device = "cpu",
) -> Iterator[LinearClassifier]:
    """Logistic regression on standardised features, for each strength of the penalty.

    Minimises ``mean(loss) + l2 / 2 * sum(weight ** 2)``, a convex problem, by L-BFGS, each from the solution
    before it. The loss is the cross entropy, or for several labels the multi-label soft margin. The bias is
    not penalised. In scikit-learn's terms ``C = 1 / (N * l2)``.

    Args:
        features: ``(N, d)``; float32 is used as it is.
        labels: Integers ``(N,)``, or bool ``(N, classes)`` for several an image.
        num_classes: Number of classes.
        l2: Strengths, best from strong to weak.
        device: Where the work is done.

    Raises:
        DataError: If labels are no such classes, or not one a row of features.
    """
    truth = torch.from_numpy(as_labels(labels, num_classes, len(features))).to(device)
    inputs = _as_tensor(features).to(device)
    std, mean = torch.std_mean(inputs, dim=0, correction=0)
    std = torch.where(std > 0, std, 1.0)
    inputs = (inputs - mean) / std
    weight = torch.zeros(inputs.shape[1], num_classes, device=device, requires_grad=True)
    bias = torch.zeros(num_classes, device=device, requires_grad=True)
    for strength in l2:
        _minimise(inputs, truth, weight, bias, strength)
        yield LinearClassifier(mean, std, weight.detach().clone(), bias.detach().clone(), strength)


def _minimise(inputs: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, l2: float) -> None:
    optimiser = torch.optim.LBFGS(
        [weight, bias],
        max_iter=_MAX_ITERATIONS,
        tolerance_grad=1e-6,
        tolerance_change=1e-9,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def objective() -> torch.Tensor:
        optimiser.zero_grad()
        penalty = l2 / 2 * weight.square().sum()
        penalty.backward()  # type: ignore[no-untyped-call]
        total = penalty.detach()
        for x, y in zip(torch.split(inputs, _BLOCK), torch.split(truth, _BLOCK), strict=True):
            loss = classification_loss(x @ weight + bias, y) * (len(x) / len(inputs))
            loss.backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
        return total

    optimiser.step(objective)  # type: ignore[no-untyped-call]


def choose_l2(
    features: np.ndarray,
    labels: ArrayLike,
    held_out: np.ndarray,
    truth: ArrayLike,
    *,
    num_classes: int,
    device: str | torch.device = "cpu",
) -> float:
    """The strength of :data:`L2_GRID` that is best on held-out features; of equals the strongest.

    Best is the highest accuracy, or for several labels an image the highest micro average precision.

    Args:
        features: To fit on, ``(N, d)``.
        labels: Their classes, integers ``(N,)`` or bool ``(N, classes)``.
        held_out: To judge by, ``(M, d)``.
        truth: Their classes.
        num_classes: Number of classes.
        device: Where the work is done.

    Raises:
        DataError: If labels are no such classes, or not one a row of features.
    """
    known = as_labels(truth, num_classes, len(held_out))

    def merit(scores: np.ndarray) -> float:
        if known.ndim == 2:
            return label_metrics(known, rank_scores(scores))["micro_mAP"]
        return class_metrics(count_confusion(known, scores.argmax(axis=1), num_classes))["accuracy"]

    fits = fit_logistic(features, labels, num_classes=num_classes, l2=L2_GRID, device=device)
    return max((merit(fit.scores(held_out)), fit.l2) for fit in fits)[1]


def recipe_2021(*, multi_label: bool) -> Recipe:
    """The linear probe of 2021: EuroSAT's for one class an image, BigEarthNet's for several."""
    return Recipe(
        name="seco2021",
        epochs=100,
        lr=1e-3,
        head_lr=1e-3,
        encoder="frozen",
        batch_size=1024 if multi_label else 32,
        dropout=0.2 if multi_label else 0.0,
    )


def fit_by_adam(
    features: np.ndarray,
    labels: ArrayLike,
    *,
    num_classes: int,
    recipe: Recipe,
    seed: int,
    device: torch.device,
    track: Track = untracked,
) -> tuple[LinearClassifier, list[float]]:
    """Train one linear layer on features as they are.

    Args:
        features: ``(N, d)``; float32 is used as it is.
        labels: Integers ``(N,)``, or bool ``(N, classes)`` where an image has several.
        num_classes: Number of classes.
        recipe: Rate, epochs and so on.
        seed: Of the layer, the order of the images and dropout.
        device: Where to train.
        track: How progress is shown.

    Returns:
        The layer, and the mean loss of each epoch.

    Raises:
        DataError: If labels are no such classes, or not one a row of features.
    """
    truth = torch.from_numpy(as_labels(labels, num_classes, len(features))).to(device)
    inputs = _as_tensor(features).to(device)
    with seeded(seed, device) as random:
        layer = nn.Linear(inputs.shape[1], num_classes).to(device)
        model = nn.Sequential(nn.Dropout(recipe.dropout), layer)
        optimiser = torch.optim.Adam(layer.parameters(), lr=recipe.lr)

        def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
            for rows in shuffled_batches(np.arange(len(inputs)), recipe.batch_size, random):
                chosen = torch.from_numpy(rows).to(device)
                yield inputs[chosen], truth[chosen]

        losses = train(
            model,
            batches,
            loss=classification_loss,
            optimiser=optimiser,
            schedule=step_schedule(optimiser, recipe.epochs),
            epochs=recipe.epochs,
            track=track,
        )
    mean, std = torch.zeros(inputs.shape[1], device=device), torch.ones(inputs.shape[1], device=device)
    weight, bias = layer.weight.detach().T, layer.bias.detach()
    return LinearClassifier(mean, std, weight, bias, 0.0), losses
