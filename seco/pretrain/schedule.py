"""Learning rate of a step."""

import math
from collections.abc import Sequence


def learning_rate(
    step: int, *, base: float, schedule: str, epochs: int, steps_per_epoch: int, milestones: Sequence[int] | None = None
) -> float:
    """Rate of optimiser step ``step`` (from 0).

    ``step``: × 0.1 at each of the epochs ``milestones``, by default at 60 % and again at 80 % of the epochs;
    ``cosine``: half a cosine from ``base`` to 0.
    """
    if schedule == "cosine":
        return base * 0.5 * (1 + math.cos(math.pi * step / (epochs * steps_per_epoch)))
    epoch = step // steps_per_epoch
    # In whole numbers: 0.6 * 5 is a little less than 3 in floating point.
    fifths = [5 * milestone for milestone in milestones] if milestones is not None else [3 * epochs, 4 * epochs]
    return base * 0.1 ** sum(5 * epoch >= start for start in fifths)
