"""Fixtures that every folder of tests shares."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[1]

# Before torch is imported, and for the processes of tests: on a busy machine its threads wait for each other at every one of
# many thousand small operations.
os.environ["OMP_NUM_THREADS"] = "1"

# A shell has what it starts in the background ignore Ctrl-C, and so would the processes of tests that send it.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests marked gpu where there is no GPU, unless SECO_REQUIRE_CUDA=1 says that they must run."""
    if os.environ.get("SECO_REQUIRE_CUDA") == "1":
        return
    import torch

    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU here"))


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Folder of real data by name; a test that asks for one that is not there is skipped, and says which."""

    def find(name: str) -> Path:
        root = Path(os.environ.get("SECO_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
        if not (root / name).exists():
            pytest.skip(f"real data set {name!r} is not there")
        return root / name

    return find


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[..., Path]:
    """Writes a store of random patches of 8 x 8 pixels: ``make_store("name", bands=…, dtype=…)``."""
    for needed in ("rasterio", "geopandas"):
        pytest.importorskip(needed, reason=f"{needed} is not installed")
    from seco.bands import SENTINEL2_L2A
    from seco.data.writer import StoreWriter

    def make(
        name: str = "store",
        *,
        bands=SENTINEL2_L2A,
        dtype: str = "uint16",
        locations: tuple[str, ...] = ("b", "a", "c"),
        dates: tuple[str, ...] = ("2021-07-01T10:00:00", "2020-01-15T10:36:29", "2020-04-01T10:00:00"),
        labels: dict[str, str] | None = None,
        seed: int = 0,
    ) -> Path:
        random = np.random.default_rng(seed)
        top = 255 if dtype == "uint8" else 9000
        settings = {"quantification": 1e4, "offset": -1000.0, "product_level": "L2A", "sensor": "Sentinel-2"}
        words = {"source": "random numbers", "licence": "CC0-1.0"}
        with StoreWriter(tmp_path / name, bands=bands, patch_size=8, dtype=dtype, seed=seed, **settings, **words) as writer:
            for i, location in enumerate(locations):
                for date in dates:
                    writer.add(
                        location,
                        np.datetime64(date),
                        random.integers(1, top, (len(bands), 8, 8), dtype=dtype),
                        epsg=32631,
                        transform=(500_000.0 + 80 * i, 10.0, 0.0, 4_649_970.0, 0.0, -10.0),
                        scene_id=f"scene-{date[:10]}",
                        cloud_fraction=0.25,
                        longitude=3.0 + i,
                        latitude=42.0,
                    )
            for location, label in (labels or {}).items():
                writer.add_label(location, label)
        return tmp_path / name

    return make
