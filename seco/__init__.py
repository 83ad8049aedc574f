"""seco: self-supervised pre-training on satellite image time series.

``import seco`` is light: it loads neither torch nor GDAL. Submodules load what they need.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seco._core import __version__

if TYPE_CHECKING:
    from seco.data.store import Store, open_store

__all__ = ["Store", "__version__", "open_store"]


def __dir__() -> list[str]:
    return sorted({*globals(), "Store", "open_store", "ops"})


def __getattr__(name: str) -> Any:  # noqa: ANN401 - module attributes have every type
    if name == "ops":
        return import_module("seco.ops")
    if name in {"Store", "open_store"}:
        from seco.data import store

        return getattr(store, name)
    raise AttributeError(f"module 'seco' has no attribute {name!r}")
