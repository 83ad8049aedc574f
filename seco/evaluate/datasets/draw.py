"""Shares of the training images, drawn without replacement such that classes and labels keep their shares."""

import numpy as np

_TIE = 1e-6  # of images: far above the rounding of a fraction, far below what an image changes


def draw_fraction(rows: np.ndarray, labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Draw a share of each class at random, at least one of each; for several labels an image, of each label.

    Args:
        rows: Images to draw from, int64 ``(N,)``.
        labels: Classes of all images, int64 ``(N,)`` or bool ``(N, classes)``, by row.
        fraction: Share in (0, 1].
        seed: Of the draw.

    Returns:
        Some of ``rows``, ascending.
    """
    random = np.random.default_rng(seed)
    if labels.ndim == 2:
        drawn = draw_labels(labels[rows], fraction, random)
        return np.sort(rows[drawn] if drawn.any() else random.choice(rows, 1))
    chosen = []
    for label in np.unique(labels[rows]):
        members = rows[labels[rows] == label]
        chosen.append(random.permutation(members)[: max(1, round(fraction * len(members)))])
    return np.sort(np.concatenate(chosen))


def draw_labels(labels: np.ndarray, fraction: float, random: np.random.Generator) -> np.ndarray:
    """Draw about a share of the images such that each label keeps its share: iterative stratification.

    Label by label, the rarest among what is left first, each of its images goes to the side, drawn or left, that still
    lacks more of that label; on a tie, more of all images. The first label is so drawn to within half an image of
    ``fraction`` of its images. Others are as close as the images that they share with rarer ones allow; no such bound
    holds for them, nor for the number of images.

    Args:
        labels: Of each image, bool ``(N, classes)``.
        fraction: Share in (0, 1].
        random: Decides among images of the same labels.

    Returns:
        Which are drawn, bool ``(N,)``.

    Source:
        Sechidis, Tsoumakas and Vlahavas, On the Stratification of Multi-Label Data, ECML PKDD 2011, algorithm 1.
    """
    # One class more, of all images: what is left at the end has no label, and ties are decided by it.
    everything = np.concatenate([labels, np.ones((len(labels), 1), bool)], axis=1)
    # How many more images of each the drawn side still lacks than the other one; together they lack what is left.
    lacking = (2 * fraction - 1) * everything.sum(axis=0)
    drawn, left = np.zeros(len(labels), bool), np.ones(len(labels), bool)
    while left.any():
        counts = everything[left].sum(axis=0)
        label = int(np.argmin(np.where(counts[:-1] > 0, counts[:-1], len(labels) + 1))) if counts[:-1].any() else -1
        for image in random.permutation(np.flatnonzero(left & everything[:, label])):
            wanted = lacking[label] if abs(lacking[label]) > _TIE else lacking[-1]
            drawn[image] = wanted > _TIE or (wanted >= -_TIE and random.random() < 0.5)
            lacking -= everything[image] if drawn[image] else -1.0 * everything[image]
            left[image] = False
    return drawn
