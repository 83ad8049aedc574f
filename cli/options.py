"""Options that several commands have, added to each at once."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


class OutputFile(click.Path):
    """A file to write, in a folder that is there and may be written: checked before the work whose result it takes.

    Args:
        suffix: That its name has to end in; none: any.
    """

    def __init__(self, suffix: str = "") -> None:
        super().__init__(dir_okay=False)
        self._suffix = suffix

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401 - click's
        """The path, checked."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        folder = path.absolute().parent
        if self._suffix and path.suffix.lower() != self._suffix:
            self.fail(f"expected a name that ends in {self._suffix}, got {path}", param, ctx)
        if not folder.is_dir():
            self.fail(f"there is no folder {folder}", param, ctx)
        if not os.access(folder, os.W_OK):
            self.fail(f"the folder {folder} may not be written; choose another", param, ctx)
        return path


def with_options(options: tuple[Callable[..., Any], ...]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Adds options to a command, in their order."""

    def add(function: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            function = option(function)
        return function

    return add
