"""Wheels for a machine without a package index, in parts small enough to be carried there one by one.

``collect DIR`` downloads them and cuts them; ``install DIR --target SITE`` checks, joins and installs what was carried.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from benchmarks import ROOT

PART_BYTES = 55 * 10**6
MANIFEST = "parts.json"
CODECS = ROOT / "build" / "codecs"  # sources that a build has fetched; it looks for them there first
# DALI with what it imports, and NVIDIA's TIFF decoder, which it loads; then what stores and the files of the tests are
# written with; then a peer.
NAMES = (
    "nvidia-dali-cuda130", "nvidia-libnvcomp-cu13", "nvidia-nvimgcodec-cu13<0.10", "nvidia-nvtiff-cu13", "astunparse",
    "gast", "libcst", "makefun", "nvtx", "optree", "packaging", "six", "typing-extensions", "wheel",
    "geopandas", "pyogrio", "pyproj", "shapely", "pandas", "python-dateutil", "pytz", "pyarrow", "imagecodecs",
    "rasterio", "affine", "attrs", "certifi", "click-plugins", "cligj", "pyparsing", "tifffile",
    "kornia", "kornia-rs",
)  # fmt: skip


def main() -> int:
    """Run one of the two commands; 1 if parts are missing or damaged."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("collect", "install"))
    parser.add_argument("folder", type=Path, help="of the parts")
    parser.add_argument("names", nargs="*", default=NAMES, help="packages to collect instead of DALI and rasterio")
    parser.add_argument("--python", default="3.12", help="version that will install them")
    parser.add_argument("--target", type=Path, help="folder to install to")
    arguments = parser.parse_args()
    try:
        if arguments.command == "collect":
            collect(arguments.folder, arguments.names, python=arguments.python)
        else:
            install(arguments.folder, arguments.target)
    except ValueError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


def collect(folder: Path, names: list[str], *, python: str) -> None:
    """Download wheels for a version of Python on x86-64 Linux, as constraints.txt names them, and cut them into parts.

    The codecs' sources go with them, if this checkout was built.
    """
    platforms = [f"--platform=manylinux_2_{glibc}_x86_64" for glibc in (28, 27, 24, 17)] + [
        "--platform=manylinux2014_x86_64"
    ]
    chosen = ["--no-deps", "--only-binary=:all:", f"--python-version={python}", *platforms]
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    with tempfile.TemporaryDirectory() as wheels:
        command = [sys.executable, "-m", "pip", "download", "--quiet", *chosen, *constraints, "--dest", wheels, *names]
        subprocess.run(command, check=True)
        split([*sorted(Path(wheels).iterdir()), *sorted(CODECS.glob("*.tar.gz"))], folder)


def split(files: list[Path], folder: Path, *, part_bytes: int = PART_BYTES) -> None:
    """Write files to parts of at most ``part_bytes``, and a manifest with their checksums."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, str] = {}
    with tempfile.TemporaryFile() as whole:
        with tarfile.open(fileobj=whole, mode="w") as tar:
            for file in files:
                tar.add(file, file.name)
        whole.seek(0)
        while content := whole.read(part_bytes):
            name = f"part-{len(manifest):02}"
            (folder / name).write_bytes(content)
            manifest[name] = hashlib.sha256(content).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")


def join(folder: Path, target: Path) -> list[Path]:
    """Put the files of :func:`split` into ``target``.

    Raises:
        ValueError: If a part is missing or damaged; the text names all of them.
    """
    manifest = json.loads((folder / MANIFEST).read_text())
    wrong = [name for name, checksum in manifest.items() if _checksum(folder / name) != checksum]
    if wrong:
        raise ValueError(f"{folder}: expected {len(manifest)} whole parts, got none of {', '.join(wrong)}; carry them again")
    with tempfile.TemporaryFile() as whole:
        for name in manifest:
            whole.write((folder / name).read_bytes())
        whole.seek(0)
        with tarfile.open(fileobj=whole) as tar:
            tar.extractall(target, filter="data")
    return sorted(target.iterdir())


def install(folder: Path, target: Path | None) -> None:
    """Install the wheels without looking for others, to ``target`` or into this environment.

    Raises:
        ValueError: As :func:`join`.
    """
    where = ["--target", str(target), "--upgrade"] if target else []
    with tempfile.TemporaryDirectory() as wheels:
        files = join(folder, Path(wheels))
        packages = [str(file) for file in files if file.suffix == ".whl"]
        CODECS.mkdir(parents=True, exist_ok=True)
        for archive in files:
            if archive.suffix == ".gz":
                shutil.copy(archive, CODECS)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", *where, *packages]
        subprocess.run(command, check=True)


def _checksum(part: Path) -> str | None:
    return hashlib.sha256(part.read_bytes()).hexdigest() if part.is_file() else None


if __name__ == "__main__":
    sys.exit(main())
