"""What the model sees: the views of some locations, as the loader makes them for the first epoch."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from seco.data.loader import Loader
from seco.data.store import open_store
from seco.errors import RunError, SecoError
from seco.pretrain.config import PretrainConfig
from seco.pretrain.input import ModelInput
from seco.report.page.blocks import Block, Gallery, Note, Section, Tile
from seco.report.page.pictures import picture_of
from seco.report.page.run import RecordedRun
from seco.report.true_colour import visible_bands

LOCATIONS = 4
SIDE = 160  # pixels of a screen


def views_section(runs: Sequence[RecordedRun]) -> Section:
    """The views of each run."""
    return Section("views", "What the model sees", [block for run in runs for block in _views(run)])


def _views(run: RecordedRun) -> list[Block]:
    try:
        if run.imported:
            raise RunError("it is an imported encoder, which did not train here")
        rows, caption = _drawn(run.config, run.store.path, run.store.fingerprint)
        return [Gallery(f"{run.name}: {caption}", rows)]
    except SecoError as error:
        return [Note(f"{run.name}: its views cannot be made again: {error}", warns=True)]


@lru_cache(maxsize=8)  # a changed store has another fingerprint
def _drawn(config: PretrainConfig, path: Path, fingerprint: str) -> tuple[list[tuple[str, list[Tile]]], str]:
    """Rows of the gallery, and what they are."""
    store = open_store(path)
    given = ModelInput.of(config, store)
    bands = given.normalization.bands
    loader = Loader(
        store,
        recipe=given.recipe,
        # Not centred: a picture shows the range from 0 to 1.
        normalization=replace(given.of_loader, mean=(0.0,) * len(bands), std=(1.0,) * len(bands)),
        table=given.table,
        size=min(config.size, SIDE),
        batch_size=min(LOCATIONS, int((store.locations["num_dates"] >= given.recipe.num_dates).sum()) or 1),
        seed=config.seed,
        max_bad_fraction=1.0,
    )
    batch = next(loader.epoch(0))
    params, index = loader.draw(0, batch.locations)
    shown = visible_bands(bands)
    rows = []
    for i, location in enumerate(batch.locations):
        tiles = []
        for v, name in enumerate(given.recipe.names):
            date = str(store.times[index[i, params["date"][i, v]]])[:10]
            pixels = np.moveaxis(batch.views[v, i].numpy()[shown], 0, -1)
            tiles.append(Tile(picture_of(pixels, SIDE), f"{name}, {date}: {_describe(params[i, v])}"))
        rows.append((f"location {store.locations['id'][location]}", tiles))
    grey = "" if len(shown) == 3 else f"; the first of {len(bands)} bands"
    return rows, (
        f"first views of epoch 1, {config.method}, {config.size} px for the model{grey}. q is the query, k0 … are its keys; "
        "each crop is another part of the place."
    )


def _describe(view: np.void) -> str:
    """What was done to a view, in words."""
    changed = any(view[name] != 1 for name in ("brightness", "contrast", "saturation")) or view["hue"] != 0
    done = {
        "jitter": changed,
        "band jitter": bool(view["band_gain"].any() or view["band_offset"].any()),
        "grey": bool(view["grey"]),
        f"blur σ {view['blur_sigma']:.1f}": view["blur_sigma"] > 0,
        "flip": bool(view["flip"]),
    }
    crop = f"crop of {view['crop_width']} × {view['crop_height']} px"
    return ", ".join([crop, *(name for name, was in done.items() if was)])
