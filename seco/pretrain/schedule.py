"""Learning rate of a step."""

import math


def learning_rate(step: int, *, base: float, schedule: str, epochs: int, steps_per_epoch: int) -> float:
    """Rate of optimiser step ``step`` (from 0).

    ``step``: × 0.1 at 60 % and again at 80 % of the epochs (120 and 160 of 200, as in the 2021 code);
    ``cosine``: half a cosine from ``base`` to 0.
    """
    if schedule == "cosine":
        return base * 0.5 * (1 + math.cos(math.pi * step / (epochs * steps_per_epoch)))
    epoch = step // steps_per_epoch
    # In whole numbers: 0.6 * 5 is a little less than 3 in floating point.
    drops = sum(5 * epoch >= fifths * epochs for fifths in (3, 4))
    return base * 0.1**drops
