"""Puts the page together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

import jinja2
import vl_convert
from altair import SCHEMA_VERSION
from markupsafe import Markup

import seco
from seco.report.page.benchmarks import benchmarks_section
from seco.report.page.blocks import Section
from seco.report.page.data import data_section
from seco.report.page.results import results_section
from seco.report.page.run import RecordedRun, read_runs
from seco.report.page.settings import settings_section
from seco.report.page.similar import similar_sections
from seco.report.page.training import training_section
from seco.report.page.views import views_section

Similar = Callable[[Sequence[RecordedRun]], list[Section]]


@dataclass(frozen=True)
class Given:
    """What a page is made of.

    Attributes:
        runs: Run directories.
        data: Store to take instead of those that the runs trained on.
        results: Results of ``seco evaluate`` besides those in the runs' directories, or folders of such.
        records: Records of benchmarks, or folders of such.
    """

    runs: tuple[Path, ...]
    data: Path | None = None
    results: tuple[Path, ...] = ()
    records: tuple[Path, ...] = ()


def check_given(given: Given) -> None:
    """Raise SecoError if a run, result or record that was named is none."""
    runs = read_runs(given.runs, data=given.data)
    results_section(runs, given.results)
    benchmarks_section(given.records)


def build_page(
    given: Given,
    *,
    similar: Similar = similar_sections,
    stamp: str = "",
    starting: Callable[[str], None] = lambda _: None,
) -> str:
    """The whole page.

    Args:
        given: What it shows.
        similar: Makes the sections that need an encoder, which take the longest.
        stamp: For a page that is served: what changes when there is something new.
        starting: Told the title of each part before it is made.

    Returns:
        HTML that loads nothing from elsewhere.

    Raises:
        SecoError: If a run, result or record that was named is none. What a run lacks is said on the page.
    """
    runs = read_runs(given.runs, data=given.data)
    makers: dict[str, Callable[[], list[Section]]] = {
        "settings": lambda: [settings_section(runs)],
        "training": lambda: [training_section(runs)],
        "data": lambda: [data_section(runs)],
        "views": lambda: [views_section(runs)],
        "neighbours and embedding": lambda: similar(runs),
        "results": lambda: [results_section(runs, given.results)],
        "benchmarks": lambda: [benchmarks_section(given.records)],
    }
    sections = []
    for title, make in makers.items():
        starting(title)
        sections += make()
    return _render(runs, sections, stamp)


def _render(runs: Sequence[RecordedRun], sections: Sequence[Section], stamp: str) -> str:
    here = files(__package__)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string((here / "page.html.jinja").read_text(encoding="utf-8"))
    now = datetime.now(UTC)
    return template.render(
        title=", ".join(run.name for run in runs),
        subtitle="; ".join(f"{run.name}: {run.progress}" if len(runs) > 1 else run.progress for run in runs),
        sections=sections,
        stamp=stamp,
        footer=f"seco {seco.__version__}, {now:%Y-%m-%d %H:%M} UTC",
        style=Markup((here / "page.css").read_text(encoding="utf-8")),
        script=Markup((here / "page.js").read_text(encoding="utf-8")),
        library=Markup(_vega()),
    )


@cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed, of the version that Altair writes charts for; MIT and BSD licences."""
    version = ".".join(SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    bundle: str = vl_convert.javascript_bundle(vl_version=version)  # type: ignore[call-arg]  # its stub wants a snippet
    return f"(() => {{{bundle}}})();".replace("</script", "<\\/script")
