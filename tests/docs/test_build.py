"""The documentation builds without a warning, and its links lead somewhere."""

import re
import subprocess
import sys

import pytest
from pages import PAGES, ROOT


def test_pages_build_without_a_warning(tmp_path):
    pytest.importorskip("sphinx", reason="sphinx is not installed")
    command = [sys.executable, "-P", "-m", "sphinx", "-q", "-W", "--keep-going", str(ROOT / "docs"), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "augment_views" in (tmp_path / "reference" / "api" / "ops.html").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_every_module_of_the_reference_is_there():
    for page in (ROOT / "docs" / "reference" / "api").glob("*.md"):
        for module in re.findall(r"automodule:: (\S+)", page.read_text(encoding="utf-8")):
            path = ROOT / module.replace(".", "/")
            assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file(), f"{page.name}: {module}"
