"""For what comes sooner or later."""

import time

import pytest


def until(condition):
    """What the condition gives once it is true."""
    for _ in range(600):
        if found := condition():
            return found
        time.sleep(0.1)
    pytest.fail("nothing came in a minute")
