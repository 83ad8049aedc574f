"""The data set: what it holds, where and when, and how its patches look."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from seco.data.store import Store, open_store
from seco.errors import SecoError
from seco.report.contact_sheet import contact_sheet
from seco.report.page.blocks import Block, Heading, Note, Picture, Section, Table
from seco.report.page.pictures import picture_of_figure
from seco.report.page.run import RecordedRun
from seco.report.store_overview import describe_store
from seco.report.store_summary import summarise_store
from seco.report.world_map import world_map


def data_section(runs: Sequence[RecordedRun]) -> Section:
    """Each store that the runs trained on, once."""
    by_content: dict[str, list[RecordedRun]] = {}
    blocks: list[Block] = []
    for run in runs:
        if not run.names_data:
            continue
        try:
            by_content.setdefault(run.store.fingerprint, []).append(run)
        except SecoError as error:
            blocks.append(
                Note(f"{run.name}: its data set cannot be shown: {error}; --data STORE says where it is", warns=True)
            )
    for same in by_content.values():
        names = " = ".join(dict.fromkeys(run.store.path.name for run in same))
        store = same[0].store
        blocks += [Heading(f"{names}, of {', '.join(run.name for run in same)}"), _overview(store), *_pictures(store)]
    return Section("data", "Data", blocks)


def _overview(store: Store) -> Table:
    rows = describe_store(summarise_store(store))
    return Table("What it holds", ("", ""), [*rows.items()])


def _pictures(store: Store) -> list[Block]:
    captions = {
        "world map": "Where its locations lie, patches a month, their cloud, and the days between dates",
        "contact sheet": "Some locations, one a row, at some of their dates",
    }
    blocks: list[Block] = []
    for what, caption in captions.items():
        try:
            blocks.append(Picture(_drawn(store.path, store.fingerprint, what), caption))
        except SecoError as error:
            blocks.append(Note(f"The {what} cannot be drawn: {error}", warns=True))
    return blocks


@lru_cache(maxsize=8)  # a changed store has another fingerprint
def _drawn(path: Path, fingerprint: str, what: str) -> str:
    return picture_of_figure({"world map": world_map, "contact sheet": contact_sheet}[what](open_store(path)))
