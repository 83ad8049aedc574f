"""The patches that decoding and loading are measured on: real ones where they are at hand, else synthetic."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import ROOT
from seco.collect.synthetic.series import Request
from seco.collect.synthetic.source import collect
from seco.data.import_dated import import_dated
from seco.data.store import Store, open_store
from seco.device import cores

REAL = "boadella_s2"  # dated Sentinel-2 L2A rasters of 12 bands


@contextmanager
def patch_store(*, quick: bool) -> Iterator[tuple[Store, str]]:
    """A loose store in a folder that goes away, and what its pixels are: 264 px and 12 bands, or 32 px when ``quick``."""
    shared = Path(os.environ.get("SECO_SHARED_DATA", ROOT.parent / "shared" / "data"))
    with tempfile.TemporaryDirectory(prefix="seco-bench-") as folder:
        out = Path(folder) / "loose"
        if (shared / REAL).is_dir() and not quick:
            # Overlapping patches of four dates: an epoch is long enough for its beginning and end not to count.
            dates = Path(folder) / "dates"
            dates.mkdir()
            for file in sorted((shared / REAL).glob("*.tif"))[-4:]:
                (dates / file.name).symlink_to(file.resolve())
            import_dated(dates, out, patch_size=264, stride=7)
            yield open_store(out), "Sentinel-2"
            return
        request = Request(locations=4 if quick else 64, seed=0, patch_size=32 if quick else 264, dates=4)
        collect(request, out, workers=cores(), progress=lambda _: None)
        yield open_store(out), "synthetic"
