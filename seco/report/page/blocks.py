"""What a page is made of: plain values that ``page.html.jinja`` writes as HTML, escaped."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from markdown_it import MarkdownIt
from markupsafe import Markup


@dataclass(frozen=True)
class Note:
    """A sentence: what is missing, or how to read what follows."""

    kind: ClassVar[str] = "note"
    text: str
    warns: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Markdown:
    """Markdown with tables, shown as it is meant; HTML in it is text."""

    kind: ClassVar[str] = "markdown"
    title: str
    text: str

    @property
    def html(self) -> Markup:
        """What it means."""
        return Markup(MarkdownIt("commonmark", {"html": False}).enable("table").render(self.text))


@dataclass(frozen=True)
class Table:
    """Words and numbers.

    Attributes:
        caption: What it shows.
        head: Names of the columns.
        rows: Cells; the first is the row's name.
        marked: Numbers of the rows that stand out.
        marks: What the marked rows are, in words; with it, the others can be hidden.
    """

    kind: ClassVar[str] = "table"
    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: frozenset[int] = frozenset()
    marks: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        title: Its heading.
        spec: Of Vega-Lite.
        description: For those who do not see it.
        wide: It takes the whole width.
    """

    kind: ClassVar[str] = "chart"
    title: str
    spec: dict[str, Any]
    description: str
    wide: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI, with what it shows."""

    kind: ClassVar[str] = "picture"
    source: str
    caption: str


@dataclass(frozen=True)
class Tile:
    """A small picture of a gallery; ``good`` frames it, True as found, False as wrong."""

    source: str
    caption: str
    good: bool | None = None


@dataclass(frozen=True)
class Gallery:
    """Rows of small pictures."""

    kind: ClassVar[str] = "gallery"
    caption: str
    rows: Sequence[tuple[str, Sequence[Tile]]]


Block = Note | Heading | Markdown | Table | Chart | Picture | Gallery


@dataclass(frozen=True)
class Section:
    """A tab of the page.

    Attributes:
        name: In its address.
        title: On the tab.
        blocks: What it shows.
        images: Data URIs by name, for charts that show them on hover.
    """

    name: str
    title: str
    blocks: Sequence[Block]
    images: dict[str, str] = field(default_factory=dict)
