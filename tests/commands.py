"""Commands as a user gives them, in the process of the test or in one of their own."""

import subprocess
from contextlib import contextmanager

from click.testing import CliRunner
from seco.cli.main import main


def seco(*words, code=0):
    """Run ``seco WORDS``, which has to end with ``code``."""
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, (words, result.output)
    return result


def error_line(result, code=1):
    """The one line that a command ends with which exits with ``code``; before it comes its progress only."""
    assert result.exit_code == code, result.output
    *progress, error = result.stderr.splitlines()
    assert error.startswith("Error: ")
    assert all("locations, " in line for line in progress)
    return error


@contextmanager
def started(words, **streams):
    """A process that is not waited for where the test fails before it ends."""
    with subprocess.Popen([str(word) for word in words], text=True, **streams) as process:
        try:
            yield process
        finally:
            process.kill()
