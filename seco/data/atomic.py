"""Files that are there whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_atomic(path: Path, content: bytes) -> None:
    """Write ``content`` as :func:`atomic_path` says."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary name to write to; what is there in the end is forced to disk, then renamed to ``path``.

    An error, such as that of a full disk, leaves nothing under the temporary name.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(temporary):
            error.filename = str(path)  # a user knows that name only
        raise


@contextmanager
def alone_in(folder: Path, *, otherwise: Exception | None = None) -> Iterator[None]:
    """No other process is in here for that folder: waits for it, or raises ``otherwise``.

    A file system without locks lets several in.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if otherwise else 0))
            except BlockingIOError:
                if otherwise:  # else it was not asked to fail
                    raise otherwise from None
        yield
    finally:
        os.close(descriptor)


def is_in_use(folder: Path) -> bool:
    """Whether something is there that is no empty folder."""
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def clear_folder(folder: Path) -> None:
    """Remove all that is in a folder; itself it stays, for it may be a mount, a link, or where the user is."""
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()


@contextmanager
def all_or_nothing(folder: Path) -> Iterator[None]:
    """Fill a folder that is new or empty; an error leaves it, and those above it, as they were found."""
    empty, made = not is_in_use(folder), [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        yield
    except BaseException:  # an interruption, too, would leave a folder that a second try is refused for
        with suppress(OSError):
            if empty:  # else somebody has put something there since it was looked at
                clear_folder(folder)
        for path in made:
            with suppress(OSError):
                path.rmdir()
        raise


def take_back(folder: Path) -> None:
    """Remove a folder that was new or empty, as far as that can be done."""
    with suppress(OSError):
        clear_folder(folder)
        folder.rmdir()


def sync(path: Path) -> None:
    """Force a file, or the names in a directory, to disk, so that a rename survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
