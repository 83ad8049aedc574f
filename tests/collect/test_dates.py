"""Windows: where they lie, and that they are the same every time."""

from itertools import pairwise

import numpy as np
import pytest

from seco.collect.dates import Calendar
from seco.errors import ConfigError

UNTIL = np.datetime64("2021-12-31")


def test_windows_are_a_quarter_apart_and_end_by_the_last_day():
    calendar = Calendar(until=UNTIL, dates=5)
    for location in range(200):
        windows = calendar.windows(3, location, 0)
        centres = [first + 15 for first, _ in windows]
        assert [int((b - a).astype(int)) for a, b in pairwise(centres)] == [91] * 4
        assert all((last - first).astype(int) == 30 or last == UNTIL for first, last in windows)
        assert windows[-1][1] <= UNTIL
        assert UNTIL - 365 < centres[-1] <= UNTIL
        assert calendar.first_day <= windows[0][0]


def test_windows_depend_on_seed_location_and_attempt_alone():
    calendar = Calendar(until=UNTIL)
    assert calendar.windows(1, 2, 3) == Calendar(until=UNTIL).windows(1, 2, 3)
    others = [calendar.windows(*key) for key in ((0, 2, 3), (1, 1, 3), (1, 2, 4))]
    assert calendar.windows(1, 2, 3) not in others


def test_reference_days_fill_the_year_evenly():
    days = [int((UNTIL - Calendar(until=UNTIL).windows(5, k, 0)[-1][0] - 15).astype(int)) for k in range(4000)]
    counts, _ = np.histogram(days, bins=5, range=(0, 365))
    # 800 expected in each fifth; the deviation of a binomial count is 25, and 5 of them are rare enough.
    assert np.abs(counts - 800).max() < 127


@pytest.mark.parametrize(("change", "name"), [({"dates": 0}, "dates"), ({"window_days": 46}, "window_days")])
def test_impossible_calendars_are_refused(change, name):
    with pytest.raises(ConfigError, match=rf"^{name}: expected"):
        Calendar(until=UNTIL, **change)
