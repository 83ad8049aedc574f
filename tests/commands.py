"""Commands as a user gives them, in the process of the test."""

from click.testing import CliRunner
from seco.cli.main import main


def seco(*words, code=0):
    """Run ``seco WORDS``, which has to end with ``code``."""
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, (words, result.output)
    return result
