"""Classification by the nearest neighbours in feature space: what an encoder knows without any training."""

import numpy as np
import torch
from numpy.typing import ArrayLike

from seco.errors import ConfigError, DataError
from seco.evaluate.metrics import as_labels
from seco.evaluate.similarity import row_blocks, unit_vectors

# Of a block of 2048 x 2048 similarities, 32 MB: making unit vectors of its rows again for every block of the other
# side costs a small part of the 2048 products that each then serves.
_BLOCK_SIDE = 2048

K, TEMPERATURE = 20, 0.07  # unless others are asked for


def neighbour_votes(
    queries: np.ndarray,
    references: np.ndarray,
    labels: ArrayLike,
    *,
    num_classes: int,
    k: int = K,
    temperature: float = TEMPERATURE,
    query_groups: np.ndarray | None = None,
    reference_groups: np.ndarray | None = None,
    device: str | torch.device = "cpu",
) -> np.ndarray:
    """Votes of the ``k`` nearest references of each query for the classes.

    Neighbours are nearest by cosine similarity ``s`` and vote with weight ``exp(s / temperature)``
    (Wu et al., Unsupervised Feature Learning via Non-Parametric Instance Discrimination, CVPR 2018,
    section 3.4). The search is exact, in float64, and needs no more memory beside its arguments and its result
    than some blocks of 32 MB.

    Args:
        queries: Features ``(Q, d)``.
        references: Features ``(R, d)``.
        labels: Of the references: one class each, integers ``(R,)`` from 0, or several, bool ``(R, classes)``.
        num_classes: Number of classes.
        k: Number of neighbours; all references vote if there are fewer.
        temperature: How fast the weight falls with distance.
        query_groups: Integers ``(Q,)``; with ``reference_groups`` ``(R,)``, a reference of the query's own
            group does not vote: leave-one-group-out.
        reference_groups: See ``query_groups``.
        device: Where they are compared.

    Returns:
        Share of the votes that each class got, float64 ``(Q, classes)``.

    Raises:
        ConfigError: If ``k`` or ``temperature`` is not positive, or groups are those of one side only.
        DataError: If features have no direction, labels are no such classes or not one a reference, or a query has no
            reference of another group.
    """
    if k < 1:
        raise ConfigError(f"k: expected at least 1, got {k}; choose how many neighbours vote")
    if not temperature > 0:
        raise ConfigError(f"temperature: expected a positive number, got {temperature}; 0.07 is usual")
    if (query_groups is None) != (reference_groups is None):
        raise ConfigError("query_groups, reference_groups: expected both or neither, got one; give both")
    known = torch.from_numpy(as_labels(labels, num_classes, len(references)))
    membership = known.double() if known.ndim == 2 else None
    votes = torch.empty(len(queries), num_classes, dtype=torch.float64)
    for block in row_blocks(len(queries), _BLOCK_SIDE):
        query = unit_vectors(queries[block], first_row=block.start).to(device)
        groups = None if query_groups is None or reference_groups is None else (query_groups[block], reference_groups)
        similarity, index = _nearest(query, references, min(k, len(references)), groups)
        if not bool(torch.isfinite(similarity[:, 0]).all()):
            raise DataError("data: expected labels of at least two locations, got one; label more locations")
        # Relative to the nearest, so that a small temperature cannot overflow; who is excluded weighs 0.
        weights = torch.exp((similarity - similarity[:, :1]) / temperature)
        weights /= weights.sum(dim=1, keepdim=True)
        if membership is None:
            votes[block] = 0
            votes[block].scatter_add_(1, known[index], weights)
        else:
            votes[block] = torch.einsum("qk,qkc->qc", weights, membership[index])
    return votes.numpy()


def _nearest(
    query: torch.Tensor, references: np.ndarray, k: int, groups: tuple[np.ndarray, np.ndarray] | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Similarity, descending, and row of the ``k`` nearest references of each query, both ``(Q, k)``, on the CPU."""
    best = torch.empty(len(query), 0, dtype=torch.float64)
    rows = torch.empty(len(query), 0, dtype=torch.int64)
    for block in row_blocks(len(references), _BLOCK_SIDE):
        similarity = query @ unit_vectors(references[block], first_row=block.start).to(query.device).T
        if groups is not None:
            same = torch.from_numpy(groups[0][:, None] == groups[1][None, block])
            similarity.masked_fill_(same.to(query.device), -torch.inf)
        near = similarity.topk(min(k, similarity.shape[1]), dim=1)
        both = torch.cat([best, near.values.cpu()], dim=1)
        best, kept = both.topk(min(k, both.shape[1]), dim=1)
        rows = torch.cat([rows, near.indices.cpu() + block.start], dim=1).gather(1, kept)
    return best, rows
