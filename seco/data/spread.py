"""Some of many, evenly spread."""

import numpy as np


def spread_evenly(count: int, limit: int) -> list[int]:
    """At most ``limit`` numbers of ``range(count)``, evenly spread, with both ends."""
    return np.linspace(0, count - 1, min(count, limit)).round().astype(int).tolist()
