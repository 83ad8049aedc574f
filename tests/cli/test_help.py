"""The help of every command."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from seco.cli.main import COMMANDS, main


def walk(command, words=()):
    """All commands below one, as words."""
    yield words
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from walk(command.get_command(context, name), (*words, name))


@pytest.mark.parametrize("words", [[], ["pretrain"]])
def test_help_that_cannot_be_written_is_one_line(words):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "seco.cli", *words, "--help"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert re.fullmatch(r"\s*Error: No space left on device; .*\n", ended.stderr)


@pytest.mark.parametrize("words", list(walk(main)), ids=" ".join)
def test_help_is_in_plain_words(words):
    result = CliRunner().invoke(main, [*words, "--help"])
    assert result.exit_code == 0, result.output
    assert "\\b" not in result.output, "click's mark is shown: the docstring is a raw one"
    assert not re.search(r"^  \S+ {2,}.*\.\.\.$", result.output, re.M), (
        "a summary is cut: shorten the docstring's first sentence"
    )
    assert not re.search(r"\$ .*-$", result.output, re.M), "an example is broken inside an option: shorten it"
    assert len(result.output) > 100
    assert set(COMMANDS) >= set(words[:1])
