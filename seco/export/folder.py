"""A folder of exported files: written whole, or left as it was found."""

from collections.abc import Mapping
from pathlib import Path

from seco.data.atomic import all_or_nothing, write_atomic
from seco.errors import RunError, reason_of

DESCRIPTION = "seco.json"  # of the weights beside it


def write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files to a new or empty folder: all, or none.

    Args:
        folder: The folder; it and what is above it are made where they are missing.
        contents: Of each file, by its path in the folder.

    Raises:
        RunError: If something cannot be written, as on a full disk; the folder is then as it was found.
    """
    place = folder
    try:
        with all_or_nothing(folder):
            for name, content in contents.items():
                place = folder / name
                place.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(place, content)
    except OSError as error:
        raise RunError(
            f"{error.filename or place}: expected a place to write, got: {reason_of(error)}; free some space "
            "or choose another --out"
        ) from error
