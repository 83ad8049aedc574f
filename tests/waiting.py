"""For what comes sooner or later."""

import time
from pathlib import Path

import pytest


def until(condition):
    """What the condition gives once it is true."""
    for _ in range(600):
        if found := condition():
            return found
        time.sleep(0.1)
    pytest.fail("nothing came in a minute")


def is_running(process):
    """Whether a process works; one that has ended stays in the table until its parent, now init, asks."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
