"""Figures into files."""

import io
import warnings
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def save_figure(figure: Figure, target: Path | io.BytesIO, **options: Any) -> None:  # noqa: ANN401 - matplotlib's
    """``figure.savefig``, which says nothing of letters that its font lacks: it draws a box for each.

    Args:
        figure: What to save.
        target: File or buffer.
        options: Of ``savefig``.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(target, **options)
