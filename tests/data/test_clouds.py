"""The cloud rule, against a loop over pixels and dates."""

import numpy as np
import pytest

from seco.data.clouds import CloudRule, cloud_fraction, cloud_mask, count_cloudy


def reference_mask(blue, excess):
    """Written from the rule: blue above the lower median of the dates with data."""
    mask = np.zeros(blue.shape, np.int8)
    for row in range(blue.shape[1]):
        for column in range(blue.shape[2]):
            series = [int(value) for value in blue[:, row, column]]
            seen = sorted(value for value in series if value > 0)
            for date, value in enumerate(series):
                if value == 0:
                    mask[date, row, column] = -1
                else:
                    mask[date, row, column] = value > seen[(len(seen) - 1) // 2] + excess
    return mask


@pytest.mark.parametrize("dates", [1, 2, 5, 6])
def test_mask_matches_the_loop(dates):
    random = np.random.default_rng(dates)
    blue = random.integers(0, 3000, (dates, 6, 7), dtype=np.uint16)
    blue[random.random(blue.shape) < 0.3] = 0
    blue[:, 0, 0] = 0  # a pixel that no date has
    blue[:, 1, 1] = 65535
    np.testing.assert_array_equal(cloud_mask(blue, excess=1000), reference_mask(blue, 1000))


def test_clear_half_of_the_dates_is_the_measure():
    blue = np.array([400, 8000, 410, 9000], np.uint16).reshape(4, 1, 1)
    assert cloud_mask(blue, excess=1000).ravel().tolist() == [0, 1, 0, 1]


def test_fraction_leaves_nodata_out():
    mask = np.array([[1, 0, 0, 0, -1, -1], [-1] * 6], np.int8).reshape(2, 2, 3)
    counts = count_cloudy(mask)
    np.testing.assert_array_equal(counts, [[1, 4], [0, 0]])
    np.testing.assert_array_equal(cloud_fraction(counts), [0.25, np.nan])


def test_rule_is_stated_in_words():
    assert str(CloudRule(max_fraction=0.2, excess=0.1)) == (
        "a pixel is cloudy when B02 exceeds its own median over all dates by more than 0.1 reflectance; "
        "a date is rejected when more than 20% of its pixels are cloudy"
    )
