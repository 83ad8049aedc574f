"""The fenced blocks of the documentation, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
PROGRAMS = ("seco", "make", "python", "torchrun", "pip", "srun", "earthengine")


class Block(NamedTuple):
    """A fenced block: its language (empty: a shell's) and text."""

    language: str
    text: str


class Command(NamedTuple):
    """A line of a shell's block, with what belongs to it on the lines after."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {' '.join(self.words)}"


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    return [Block(*found) for found in re.findall(r"^```(\S*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.S | re.M)]


def commands(page: Path) -> Iterator[Command]:
    """The commands of a page in their order; a line that begins with none of PROGRAMS is output, a file or a script."""
    for block in blocks(page):
        if block.language not in {"", "bash", "sh", "console"}:
            continue
        for line in block.text.replace("\\\n", " ").splitlines():
            if line.split(" ")[0] in PROGRAMS:
                yield Command(str(page.relative_to(ROOT)), tuple(shlex.split(line, comments=True)))
