"""Published splits: a list of names for each part, in the folder of the data or beside it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seco.errors import ConfigError, DataError, reason_of
from seco.evaluate.datasets.published import is_published

_TRAIN = re.compile(r"(?:(.+)[-_])?train\.(txt|csv)")
# What files and folders of a part of a split are called.
PARTS = {"train": ("train",), "validation": ("val", "valid", "validation"), "test": ("test",)}
_SUFFIX = re.compile(r"\.(jpe?g|png|tiff?)$", re.IGNORECASE)


@dataclass(frozen=True)
class SplitLists:
    """Files that name the images of each part, one a line; what follows a comma is not read.

    Attributes:
        files: By part: ``train``, ``test`` and, where there is one, ``validation``.
    """

    files: Mapping[str, Path]

    @property
    def source(self) -> str:
        """In words, for the result."""
        names = ", ".join(file.name for file in self.files.values())
        known = "as published" if all(map(is_published, self.files.values())) else "not known here by their checksums"
        return f"lists {names}, {known}"

    def rows(
        self, names: Sequence[str], *, left_out: Sequence[str], skip_missing: bool
    ) -> tuple[dict[str, np.ndarray], int]:
        """Rows of each part, ascending, and how many listed images are not there.

        Args:
            names: Of the images, perhaps with a folder before and a suffix; either may be absent from a list, and JPEGs
                may be listed for GeoTIFFs.
            left_out: Names of images that are there and not asked for.
            skip_missing: Leave out listed images that are not there; else they are an error.

        Raises:
            DataError: If a list cannot be read, names an image that is not there or not told from another, none that
                is, or one of another list.
        """
        row_of, twice = _by_name(names)
        others = set(left_out)
        found, missing, seen = {}, 0, dict[int, Path]()
        for part, file in self.files.items():
            rows: list[int] = []
            for name in _read_names(file):
                if name in twice:
                    raise DataError(f"{file}: expected names of one image each, got {name}, of several; put <class>/ before")
                if name in others:
                    continue
                if (row := row_of.get(name)) is None:
                    if not skip_missing:
                        raise DataError(
                            f"{file}: expected names of images that are there, got {name}; fetch it, or --skip-bad"
                        )
                    missing += 1
                    continue
                if seen.setdefault(row, file) != file:
                    raise DataError(f"{file}: expected images of no other list, got {name}, also in {seen[row].name}")
                rows.append(row)
            if rows:
                found[part] = np.unique(np.array(rows, np.int64))
            elif part != "validation":
                raise DataError(f"{file}: expected names of images that are there, got none; remove it, or --split hash")
        return found, missing


def find_lists(folders: Sequence[Path], wanted: str | None) -> SplitLists | None:
    """Lists for training and test, ``[NAME-]train.txt`` or ``.csv`` and so on, in the first folder that has any.

    Args:
        folders: Where to look.
        wanted: ``NAME``, also as a path, or a folder of lists; None: whichever lists are there.

    Raises:
        ConfigError: If there are several, or those that are wanted are not there.
    """
    name = None
    if wanted is not None and Path(wanted).is_dir():
        folders = [Path(wanted)]
    elif wanted is not None:
        name = Path(wanted).name
        folders = [Path(wanted).parent] if name != wanted else folders
    for folder in folders:
        found = {key: lists for key, lists in _lists_in(folder).items() if name is None or key == name}
        if len(found) > 1:
            raise ConfigError(f"split: expected one set of lists in {folder}, got {', '.join(sorted(found))}; name one")
        if found:
            return next(iter(found.values()))
    if wanted is not None:
        looked = ", ".join(map(str, folders))
        raise ConfigError(f"split: expected auto, hash, spatial or lists, got {wanted!r} without train and test in {looked}")
    return None


def _lists_in(folder: Path) -> dict[str, SplitLists]:
    """All sets of lists in a folder, by what their names begin with."""
    found = {}
    for file in sorted(folder.glob("*train.*")):
        if match := _TRAIN.fullmatch(file.name):
            stem = file.name[: match.end(1) + 1] if match[1] else ""
            files = {
                part: folder / f"{stem}{ending}.{match[2]}"
                for part, endings in PARTS.items()
                for ending in endings
                if (folder / f"{stem}{ending}.{match[2]}").is_file()
            }
            if "test" in files:
                found[match[1] or "train and test"] = SplitLists(files)
    return found


def _by_name(names: Sequence[str]) -> tuple[dict[str, int], set[str]]:
    """Row of each image by its name without suffix, with and without its folders; and what names several."""
    row_of: dict[str, int] = {}
    twice = set()
    for row, name in enumerate(names):
        parts = _SUFFIX.sub("", name).split("/")
        for key in {"/".join(parts[i:]) for i in range(len(parts))}:
            if row_of.setdefault(key, row) != row:
                twice.add(key)
    return row_of, twice


def _read_names(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file}: expected a list of names, got: {reason_of(error)}; fetch it again") from error
    names = (line.split(",")[0].strip() for line in lines)
    return [_SUFFIX.sub("", name) for name in names if name]
