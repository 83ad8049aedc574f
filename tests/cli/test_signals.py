"""SIGTERM ends a command in order, whatever it is at."""

import signal
import subprocess
import sys

import pytest
from seco.cli.main import _ended_in_order


def as_a_library_that_catches_everything():
    try:
        signal.raise_signal(signal.SIGTERM)
    except SystemExit as error:
        raise ImportError from error


def test_a_library_that_takes_the_exit_for_its_own_error():
    with pytest.raises(SystemExit) as ended, _ended_in_order():
        as_a_library_that_catches_everything()
    assert ended.value.code == 128 + signal.SIGTERM


def test_other_errors_stay_what_they_are():
    with pytest.raises(ImportError), _ended_in_order():
        raise ImportError


def test_pandas_is_not_left_to_pyarrow_which_drops_exits_meanwhile():
    code = "import seco.data.store, sys; sys.exit('pandas' not in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
