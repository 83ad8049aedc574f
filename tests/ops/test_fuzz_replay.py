"""The corpus of the fuzz target once more: through the module, and through the target built with sanitizers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz.corpus import write_corpus

from seco.errors import GeoTiffError
from seco.ops.geotiff import decode_geotiff

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"))


def test_every_file_of_the_corpus_is_decoded_or_refused(corpus):
    outcomes = [outcome(file) for file in corpus]
    refusals = [text for text in outcomes if text]
    assert 0 < len(refusals) < len(outcomes)
    for file, text in zip(corpus, outcomes, strict=True):
        assert not text or (text.startswith(f"{file}: expected ") and "\n" not in text), file.name


def outcome(file):
    try:
        decode_geotiff([file], threads=1)
    except GeoTiffError as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """The fuzz target built by g++ with a main that replays files; skips where that cannot be."""
    cmake = shutil.which("cmake", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if cmake is None or shutil.which("g++") is None:
        pytest.skip("no cmake or no g++ to build the fuzz target")
    probe = tmp_path_factory.mktemp("probe") / "probe"
    flags = ["-fsanitize=address,undefined", "-x", "c++", "-", "-o", str(probe)]
    if subprocess.run(["g++", *flags], input="int main() {}", text=True, capture_output=True, check=False).returncode:
        pytest.skip("g++ cannot link AddressSanitizer and UndefinedBehaviorSanitizer")
    folder = REPOSITORY / "build" / "replay"
    compilers = ["-DCMAKE_C_COMPILER=gcc", "-DCMAKE_CXX_COMPILER=g++", f"-DPython_EXECUTABLE={sys.executable}"]
    run([cmake, "-S", str(REPOSITORY), "-B", str(folder), "-DSECO_FUZZ=ON", "-DSECO_WERROR=ON", *compilers])
    run([cmake, "--build", str(folder)])
    return folder / "seco_fuzz_geotiff"


def test_no_sanitizer_reports_on_the_corpus(corpus, target):
    run([target, *corpus], ASAN_OPTIONS="max_allocation_size_mb=64")


def test_the_sanitizers_report_what_they_should(tmp_path, target):
    """The replay would fail if a file made it allocate more than the limit."""
    (tmp_path / "large.tif").write_bytes(bytes(2 << 20))
    with pytest.raises(AssertionError, match="allocation-size-too-big"):
        run([target, tmp_path / "large.tif"], ASAN_OPTIONS="max_allocation_size_mb=1")


def run(command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert done.returncode == 0, "\n".join((done.stdout + done.stderr).splitlines()[-60:])
