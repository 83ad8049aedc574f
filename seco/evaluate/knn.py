"""Classification by the nearest neighbours in feature space: what an encoder knows without any training."""

from dataclasses import dataclass

import numpy as np
import torch

from seco.errors import ConfigError, DataError
from seco.evaluate.similarity import row_blocks, unit_vectors


@dataclass(frozen=True)
class Classification:
    """How predictions agree with labels, over all patches at once.

    Attributes:
        accuracy: Share of right predictions.
        macro_f1: Mean over classes of the F1 score; one that is neither there nor predicted does not count.
        confusion: Counts, int64 ``(classes, classes)``; rows are the true class, columns the predicted one.
    """

    accuracy: float
    macro_f1: float
    confusion: np.ndarray


def predict_by_neighbours(
    queries: np.ndarray,
    references: np.ndarray,
    labels: np.ndarray,
    *,
    k: int = 20,
    temperature: float = 0.07,
    query_groups: np.ndarray | None = None,
    reference_groups: np.ndarray | None = None,
    block_rows: int | None = None,
) -> np.ndarray:
    """Class of each query by a vote of its ``k`` nearest references.

    Neighbours are nearest by cosine similarity ``s`` and vote with weight ``exp(s / temperature)``
    (Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination, CVPR 2018,
    section 3.4). Of classes with equal votes the first wins.

    Args:
        queries: Features ``(Q, d)``.
        references: Features ``(R, d)``.
        labels: Classes of the references, int64 ``(R,)``, from 0.
        k: Number of neighbours; all references vote if there are fewer.
        temperature: How fast the weight falls with distance.
        query_groups: Integers ``(Q,)``; with ``reference_groups`` ``(R,)``, a reference of the query's own
            group does not vote: leave-one-group-out.
        reference_groups: See ``query_groups``.
        block_rows: Queries that are compared at once; by default as many as fit in 32 MB.

    Returns:
        Predicted classes, int64 ``(Q,)``.

    Raises:
        ConfigError: If ``k`` or ``temperature`` is not positive.
        DataError: If features have no direction, or a query has no reference of another group.
    """
    if k < 1:
        raise ConfigError(f"k: expected at least 1, got {k}; choose how many neighbours vote")
    if not temperature > 0:
        raise ConfigError(f"temperature: expected a positive number, got {temperature}; 0.07 is usual")
    query, reference, classes = unit_vectors(queries), unit_vectors(references), torch.from_numpy(labels)
    num_classes, neighbours = int(classes.max()) + 1, min(k, len(reference))
    predicted = []
    for block in row_blocks(len(query), len(reference), block_rows):
        similarity = query[block] @ reference.T
        if query_groups is not None and reference_groups is not None:
            same = torch.from_numpy(query_groups[block, None] == reference_groups[None])
            similarity.masked_fill_(same, -torch.inf)
        nearest = similarity.topk(neighbours, dim=1)
        if not bool(torch.isfinite(nearest.values[:, 0]).all()):
            raise DataError("data: expected labels of at least two locations, got one; label more locations")
        # Relative to the nearest, so that a small temperature cannot overflow; who is excluded weighs 0.
        weights = torch.exp((nearest.values - nearest.values[:, :1]) / temperature)
        votes = torch.zeros(len(similarity), num_classes, dtype=torch.float64)
        votes.scatter_add_(1, classes[nearest.indices], weights)
        predicted.append(votes.argmax(dim=1))
    return torch.cat(predicted).numpy()


def score(labels: np.ndarray, predicted: np.ndarray, num_classes: int) -> Classification:
    """Compare predicted classes with true ones, both int64 ``(N,)`` in ``[0, num_classes)``."""
    cells = np.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    confusion = cells.reshape(num_classes, num_classes).astype(np.int64)
    right = np.diag(confusion)
    # F1 = 2 TP / (2 TP + FP + FN): the denominator is the class's row and column.
    mentions = confusion.sum(axis=0) + confusion.sum(axis=1)
    there = mentions > 0
    return Classification(
        accuracy=float(right.sum() / confusion.sum()),
        macro_f1=float(np.mean(2 * right[there] / mentions[there])),
        confusion=confusion,
    )
