"""When: windows about three months apart, drawn for each candidate."""

from dataclasses import dataclass

import numpy as np

from seco.collect.source import Window
from seco.collect.stream import Stream
from seco.errors import ConfigError

# Purposes of streams: one for each attempt at a location, far above those of places and of synthetic scenes.
WINDOWS = 1 << 40
YEAR_DAYS = 365


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """How the dates of a location are spread, as Mañas et al., 2021 (arXiv:2103.16607) sample their seasons.

    Attributes:
        until: No date is later, datetime64[D]; the reference date falls in the year before.
        dates: Dates a location.
        interval_days: From one window's centre to the next.
        window_days: A window reaches so far to both sides of its centre.
    """

    until: np.datetime64
    dates: int = 5
    interval_days: int = 91
    window_days: int = 15

    def __post_init__(self) -> None:
        if self.dates < 1:
            raise ConfigError(f"dates: expected at least 1, got {self.dates}; raise it")
        if not 0 <= 2 * self.window_days < self.interval_days:
            raise ConfigError(
                f"window_days: expected windows that do not meet (less than half of {self.interval_days} days), "
                f"got {self.window_days}; narrow them"
            )

    @property
    def first_day(self) -> np.datetime64:
        """No window begins earlier."""
        back = YEAR_DAYS + (self.dates - 1) * self.interval_days + self.window_days
        return self.until.astype("datetime64[D]") - back

    def windows(self, seed: int, location: int, attempt: int) -> list[Window]:
        """Windows of one candidate, earliest first: a pure function of its arguments."""
        until = self.until.astype("datetime64[D]")
        reference = until - int(Stream(seed, location, WINDOWS + attempt).uniform(0.0, YEAR_DAYS))
        centres = [reference - step * self.interval_days for step in range(self.dates - 1, -1, -1)]
        return [(centre - self.window_days, min(centre + self.window_days, until)) for centre in centres]
