"""Fixtures that every folder of tests shares."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]


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
