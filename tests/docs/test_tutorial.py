"""The tutorial, line by line as it is written."""

import shlex

from click.testing import CliRunner
from pages import ROOT, blocks
from seco.cli.main import main


def test_tutorial(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = 0
    for block in blocks(ROOT / "docs" / "tutorial.md"):
        if block.language == "python":
            exec(compile(block.text, "docs/tutorial.md", "exec"), {})
            continue
        for line in block.text.splitlines():
            program, *words = shlex.split(line)
            assert program == "seco", line
            result = CliRunner().invoke(main, words)
            assert result.exit_code == 0, (line, result.output)
            lines += 1
    assert lines >= 7
    assert (tmp_path / "figures" / "contact_sheet.png").is_file()
