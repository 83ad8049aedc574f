"""Progress of commands that go through a list."""

from collections.abc import Iterable, Sequence
from typing import Any

import click


def track(items: Sequence[Any], caption: str) -> Iterable[Any]:
    """A progress bar on stderr, one line where stderr is no terminal."""
    from rich import progress
    from rich.console import Console

    console = Console(stderr=True)
    if console.is_terminal:
        return progress.track(items, caption, console=console)
    click.echo(f"{caption}: {len(items)} steps", err=True)
    return items
