"""What is installed, and where something ran: for runs and results."""

import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from seco.errors import ConfigError, reason_of

PACKAGES = ("seco-eo", "torch", "torchvision", "timm", "numpy", "lightning", "rasterio", "pyarrow")


@contextmanager
def extra(name: str, package: str, what: str) -> Iterator[None]:
    """Import what only some users need.

    Raises:
        ConfigError: If it cannot be imported; the text begins with ``what`` and says which extra of seco brings it.
    """
    try:
        yield
    except ImportError as error:
        got = f"none ({error.name})" if isinstance(error, ModuleNotFoundError) else f"one that fails: {reason_of(error)}"
        raise ConfigError(f"{what}: expected {package}, got {got}; pip install 'seco-eo[{name}]'") from error


def package_versions(names: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Version of Python and of each package; those that are not installed are left out."""
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def describe_environment() -> dict[str, Any]:
    """Versions, platform and cards, without names of users or hosts."""
    import torch

    cards = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return {"versions": package_versions(), "platform": platform.platform(), "cuda_cards": cards}
