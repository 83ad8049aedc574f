"""Whole numbers that callers give: Python's, NumPy's, or tensors of one."""

import operator
from typing import Any

from seco.errors import ArrayError


def whole_number(name: str, value: Any, *, low: int = 0, bits: int, remedy: str) -> int:  # noqa: ANN401 - whatever was given
    """The number as Python's own: those of NumPy wrap around.

    Raises:
        ArrayError: If it is none from ``low`` to ``2**bits - 1``; the text ends with ``remedy``.
    """
    number = as_index(value)
    if number is None or not low <= number < 1 << bits:
        raise ArrayError(f"{name}: expected a whole number, {low} … 2**{bits} - 1, got {value!r}; {remedy}")
    return number


def as_index(value: Any) -> int | None:  # noqa: ANN401 - whatever was given
    """The number, or None if it is no whole one; True and False are none."""
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None
