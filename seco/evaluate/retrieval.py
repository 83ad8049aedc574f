"""Cross-season place recognition: is a place, seen at one date, found again at its other dates?"""

from dataclasses import dataclass

import numpy as np
import torch

from seco.errors import ConfigError, DataError
from seco.evaluate.metrics import Metrics
from seco.evaluate.similarity import TIE, row_blocks, unit_vectors


@dataclass(frozen=True, eq=False)
class RetrievalResult:
    """What :func:`evaluate_retrieval` measures of each query, a patch whose place has another date.

    Attributes:
        query_places: The place of each query, numbered from 0 without gaps, int64 ``(Q,)``.
        best_ranks: Rank of the first candidate of the same place, from 1, of each query.
        average_precisions: Of each query, in [0, 1].
        chance_recall_at_1: ``recall@1`` that a ranking at random is expected to reach.
        num_patches: All patches; each query is compared with all others.
    """

    query_places: np.ndarray
    best_ranks: np.ndarray
    average_precisions: np.ndarray
    chance_recall_at_1: float
    num_patches: int

    @property
    def num_queries(self) -> int:
        """Number of queries."""
        return len(self.query_places)

    def metrics(self, place_counts: np.ndarray | None = None) -> Metrics:
        """Means over queries, each place asked for once or as often as ``place_counts`` says; in [0, 1].

        ``recall@1`` and ``recall@5``: share of queries with the same place first, or among the first five candidates;
        ``mAP``: mean average precision of the whole ranking.
        """
        weights = None if place_counts is None else place_counts[self.query_places]
        of_queries = {
            "recall@1": self.best_ranks <= 1,
            "recall@5": self.best_ranks <= 5,
            "mAP": self.average_precisions,
        }
        return {name: float(np.average(values, weights=weights)) for name, values in of_queries.items()}


def evaluate_retrieval(
    features: np.ndarray,
    locations: np.ndarray,
    *,
    times: np.ndarray | None = None,
    min_gap_days: float = 0.0,
) -> RetrievalResult:
    """Rank, for every patch, all other patches by cosine similarity; those of its place should come first.

    Every patch of a place that has at least two dates is a query. Its candidates are all other patches: the
    other dates of its place, which are relevant, and every date of every other place, which are not. Ties are
    counted against the encoder: a wrong place as similar as the right one ranks before it, so that an encoder
    that gives all patches the same features finds nothing.

    With ``min_gap_days`` dates of a place that are nearer to each other are no other season: for each other's queries
    they are neither relevant nor wrong, but not there, and a patch without a date far enough away is no query.

    Average precision is the mean, over the relevant candidates, of the precision at their rank (Manning,
    Raghavan and Schuetze, Introduction to Information Retrieval, 2008, section 8.4).

    Args:
        features: Shape ``(N, d)``, one row a patch.
        locations: Integers ``(N,)``: which place each patch shows.
        times: Date of each patch, datetime64 ``(N,)``; only for ``min_gap_days``.
        min_gap_days: Least distance between the dates of a query and of what it should find.

    Raises:
        ConfigError: If dates should be apart and there are no ``times``.
        DataError: If a feature vector has no direction, no place has two dates so far apart, there is only one place, or
            dates that should be apart are not known.
    """
    if locations.shape != features.shape[:1]:
        raise DataError(
            f"locations: expected one a row of features {features.shape}, got {locations.shape}; pass both in full"
        )
    if min_gap_days > 0 and times is None:
        raise ConfigError(f"times: expected the dates of patches that are {min_gap_days:g} days apart, got none; give them")
    # Sorted by place, the patches of a place are one run [start, end).
    order = np.argsort(locations, kind="stable")
    _, first, inverse, counts = np.unique(locations[order], return_index=True, return_inverse=True, return_counts=True)
    start, count = torch.from_numpy(first[inverse]), torch.from_numpy(counts[inverse])
    days = None
    if times is not None and min_gap_days > 0:
        unknown = np.flatnonzero(np.isnat(times))
        if len(unknown):
            raise DataError(
                f"times: expected a date of each patch, got NaT for {len(unknown)}, the first in row {unknown[0]}; "
                "leave those patches out"
            )
        days = torch.from_numpy((times[order] - times.min()) / np.timedelta64(1, "D"))
    own = _OwnPlace(start, count, days, min_gap_days)
    relevant = own.count_relevant()
    queries = torch.nonzero(relevant)[:, 0]
    if len(counts) < 2 or not len(queries):
        apart = f" that are {min_gap_days:g} days apart" if days is not None else ""
        raise DataError(
            f"data: expected at least two locations, one of them with two dates{apart}, got {len(counts)} locations "
            f"of at most {counts.max(initial=0)} dates; use a larger store"
        )
    vectors = unit_vectors(features)[torch.from_numpy(order)]
    rows = []
    for block in row_blocks(len(queries), len(vectors)):
        rows.append(_rank_places(vectors, queries[block], own))
    best_rank, precision = (torch.cat(column) for column in zip(*rows, strict=True))
    chance = relevant[queries].double() / (len(vectors) - count[queries] + relevant[queries])
    return RetrievalResult(
        query_places=np.unique(inverse[queries.numpy()], return_inverse=True)[1],
        best_ranks=best_rank.numpy(),
        average_precisions=precision.numpy(),
        chance_recall_at_1=float(chance.mean()),
        num_patches=len(vectors),
    )


@dataclass(frozen=True)
class _OwnPlace:
    """Patches sorted by place: those of the place of each patch are one run.

    Attributes:
        start: First patch of the place of each patch, int64 ``(N,)``.
        count: Patches of that place.
        days: Date of each patch; None: however near, dates are relevant.
        gap: Days between relevant dates.
    """

    start: torch.Tensor
    count: torch.Tensor
    days: torch.Tensor | None
    gap: float

    def of(self, query: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Patches of the places of some patches ``(B,)``, and which of them are relevant: ``[B, most dates]``."""
        start, count = self.start[query], self.count[query]
        offset = torch.arange(int(count.max()))
        present = offset < count[:, None]
        own = torch.where(present, start[:, None] + offset, start[:, None])  # where there are fewer, the first again
        relevant = present & (own != query[:, None])
        if self.days is not None:
            relevant &= (self.days[own] - self.days[query][:, None]).abs() >= self.gap
        return own, relevant

    def count_relevant(self) -> torch.Tensor:
        """Number of relevant patches of each patch, int64 ``(N,)``."""
        if self.days is None or not len(self.count):
            return self.count - 1
        patches, widest = torch.arange(len(self.count)), int(self.count.max())
        return torch.cat([self.of(patches[block])[1].sum(dim=1) for block in row_blocks(len(patches), widest)])


def _rank_places(vectors: torch.Tensor, query: torch.Tensor, place: _OwnPlace) -> tuple[torch.Tensor, torch.Tensor]:
    """Rank of the first relevant candidate, and average precision, of each query ``(B,)``."""
    similarity = vectors[query] @ vectors.T
    own, is_relevant = place.of(query)
    relevant = similarity.gather(1, own).masked_fill(~is_relevant, -torch.inf).sort(dim=1, descending=True).values
    count = is_relevant.sum(dim=1)
    similarity.scatter_(1, own, -torch.inf)
    best_rank = torch.zeros(len(query), dtype=torch.float64)
    precision = torch.zeros(len(query), dtype=torch.float64)
    for hit in range(int(count.max())):
        # Wrong places before the relevant candidate number `hit`; it has `hit` right ones before it as well.
        # torch copies the mask in the type of the sum: int32 is half of the bytes of its default int64.
        wrong = (similarity >= relevant[:, hit, None] - TIE).sum(dim=1, dtype=torch.int32).double()
        if hit == 0:
            best_rank = wrong + 1
        precision += torch.where(hit < count, (hit + 1) / (hit + 1 + wrong), 0.0)
    return best_rank, precision / count
