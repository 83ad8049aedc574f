"""The words that tell results apart."""

import pytest

from seco.evaluate.protocol_name import protocol_name


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "linear"),
        ({"recipe": {"name": "default"}, "split": {"tested_on": "test"}, "settings": {"train_fraction": 1.0}}, "linear"),
        ({"recipe": {"name": "seco2021"}, "split": {"tested_on": "validation"}}, "linear, seco2021, on validation"),
        ({"settings": {"train_fraction": 0.1}}, "linear, 0.1 of the training images"),
        ({"chosen": {"epochs": 2, "batch_size": 8}}, "linear, epochs 2, batch size 8"),
        ({"min_gap_days": 90.0}, "linear, dates at least 90 days apart"),
        ({"recipe": None, "split": [], "settings": 3}, "linear"),
    ],
)
def test_what_is_not_usual_is_said(more, words):
    assert protocol_name({"protocol": "linear", **more}) == words
