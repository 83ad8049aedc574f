"""Checksums: of what was published, and of what lies beside the data of a user."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seco.errors import DataError, reason_of

# MD5 of archives, as torchvision and torchgeo check them.
ARCHIVES = {
    "EuroSAT.zip": "c8fa014336c82ac7804f0398fcb19387",
    "EuroSATallBands.zip": "5ac12b3b2557aa56e1826e981e8e200e",
    "BigEarthNet-S2-v1.0.tar.gz": "5a64e9ce38deb036a435a7b59494924c",
    "Onera Satellite Change Detection dataset - Images.zip": "c50d4a2941da64e03a47ac4dec63d915",
    "Onera Satellite Change Detection dataset - Train Labels.zip": "4d2965af8170c705ebad3d6ee71b6990",
    "Onera Satellite Change Detection dataset - Test Labels.zip": "8177d437793c522653c442aa4e66c617",
}
# Lists of splits, whatever their names: MD5 of BigEarthNet's, SHA-256 of EuroSAT's, of which the second three are spatial.
LISTS = {
    *("623e501b38ab7b12fe44f0083c00986d", "22efe8ed9cbd71fa10742ff7df2b7978", "697fb90677e30571b9ac7699b7e5b432"),
    "1c1d2e855f95deee605a3d992f914d113fddbecf422ec61648057d029a37d695",
    "b385741f31daa9f1250cf1e1fe03adfab394e1172e0693df40141af004f60330",
    "cf37948894c12bd953930ff54ee9b7abf0b31478abb8d25fd2c6c721db74c592",
    "2db7d455afb8dcbca898ea19a00f1f90c091734efdbba89e22aaf24056da243f",
    "6c758477604b7057a0fd990d7f6327b63b99a6725aac11a6a9d0174a7fdd8f0b",
    "de22dec83d350cac3b3e4ca8e285cb6733c81ab94bf5bcf9213a567993402452",
}
_ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}  # by hexadecimal digits
_LINE = re.compile(r"([0-9a-fA-F]{32,128})\s+[ *]?(.+)")
_SUMS = re.compile(r".*\.(md5|sha1|sha256|sha512)|(md5|sha\d*)(sums?)?(\.txt)?|checksums?(\.txt)?", re.IGNORECASE)


def is_published(file: Path) -> bool:
    """Whether a list of a split is, byte for byte, one that was published and is known here."""
    return any(digest_of(file, algorithm) in LISTS for algorithm in ("md5", "sha256"))


def verify(data: str | Path) -> dict[str, Any]:
    """Compare published archives, and what checksum files name, in a folder of data or beside it with their checksums.

    Checksum files are those that ``md5sum``, ``sha256sum`` and the like write: a checksum and a path a line.

    Returns:
        ``archives``, names of those that are as published; ``files``, how many others have their checksum, by the
        checksum file.

    Raises:
        DataError: If a file is not there or differs from its checksum, or there is nothing to compare; the text names it.
    """
    archives, files = [], {}
    for folder in (Path(data).absolute(), Path(data).absolute().parent):
        for file in _files_in(folder):
            if file.name in ARCHIVES:
                _compare(file, ARCHIVES[file.name], "the publication's")
                archives.append(file.name)
            elif _SUMS.fullmatch(file.name) and (listed := _listed(file)):
                for checked, expected in listed.items():
                    _compare(checked, expected, f"that of {file.name}")
                files[file.name] = len(listed)
    if not archives and not files:
        raise DataError(f"{data}: expected an archive or a checksum file in or beside it, got none; leave out --verify")
    return {"archives": archives, "files": files}


def fingerprint(files: Iterable[tuple[str, Path]]) -> str:
    """SHA-256, hexadecimal, of names and contents; of a file that cannot be read, only its name."""
    digest = hashlib.sha256()
    for name, file in files:
        try:
            content = digest_of(file, "sha256")
        except DataError:
            content = "unreadable"
        digest.update(f"{name} {content}\0".encode())
    return digest.hexdigest()


def digest_of(file: Path, algorithm: str) -> str:
    """A file's checksum, hexadecimal.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        with file.open("rb") as content:
            return hashlib.file_digest(content, algorithm).hexdigest()
    except OSError as error:
        raise DataError(f"{file}: expected a readable file, got: {reason_of(error)}; fetch it again") from error


def _files_in(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_file()) if folder.is_dir() else []


def _listed(file: Path) -> dict[Path, str]:
    """Files and their checksums by a checksum file."""
    found = {}
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _LINE.fullmatch(line.strip())
        if match and len(match[1]) in _ALGORITHMS:
            found[file.parent / match[2]] = match[1].lower()
    return found


def _compare(file: Path, expected: str, whose: str) -> None:
    got = digest_of(file, _ALGORITHMS[len(expected)])
    if got != expected:
        raise DataError(f"{file}: expected the checksum {expected}, {whose}, got {got}; fetch it again")
