"""Metrics as TensorBoard events."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def tensorboard(path: Path, step: int) -> Iterator[Any]:
    """A writer of events at ``path`` that forgets those after ``step``: they are written again after a resumption."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.utils.tensorboard import SummaryWriter
    writer = SummaryWriter(str(path / "tensorboard"), purge_step=step + 1)
    try:
        yield writer
    finally:
        writer.close()


def write_events(events: Any, line: dict[str, Any]) -> None:  # noqa: ANN401 - a SummaryWriter
    """One line of metrics: every number of it under its name."""
    for name, value in line.items():
        if isinstance(value, dict):
            for key, part in value.items():
                events.add_scalar(f"{name}/{key}", part, line["step"])
        elif name not in {"step", "epoch"}:
            events.add_scalar(name, value, line["step"])
