"""What can be measured here. Of the standard library only: gpu_check asks before anything else is imported."""

import importlib.util


def is_installed(module: str) -> bool:
    """Whether a module, which may lie in a package, can be imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package that it is in
        return False
