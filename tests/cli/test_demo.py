"""The demo itself is run by `make demo`; here only what it must not do."""

import pytest
from seco.cli.demo import run_demo

from seco.errors import SecoError


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SecoError, match="expected a new or empty folder"):
        run_demo(tmp_path)
    assert (tmp_path / "thesis.txt").exists()
