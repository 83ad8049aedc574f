"""A folder of exported files: written whole, or left as it was found."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from seco.data.atomic import write_atomic
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
    made: list[Path] = []
    place = folder
    try:
        for name, content in contents.items():
            place = folder / name
            for missing in _missing(place.parent):
                missing.mkdir(exist_ok=True)
                made.append(missing)
            write_atomic(place, content)
            made.append(place)
    except BaseException as error:  # an interruption, too, would leave a folder that a second try is refused for
        _remove(made)
        if isinstance(error, OSError):
            raise RunError(
                f"{error.filename or place}: expected a place to write, got: {reason_of(error)}; free some space "
                "or choose another --out"
            ) from error
        raise


def _missing(folder: Path) -> list[Path]:
    """The folder and those above it that are not there, the uppermost first."""
    return [path for path in (*reversed(folder.parents), folder) if not path.exists()]


def _remove(made: Sequence[Path]) -> None:
    """Remove files and folders, the last first; a folder that something else has been put into stays."""
    for path in reversed(made):
        with suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()
