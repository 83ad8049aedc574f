"""Options that several commands have, added to each at once."""

from collections.abc import Callable
from typing import Any


def with_options(options: tuple[Callable[..., Any], ...]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds options to a command, in their order."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            function = option(function)
        return function

    return add
