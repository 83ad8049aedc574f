"""The group of commands. Each is loaded when it is called, so that ``seco --help`` answers at once."""

import errno
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from seco.errors import SecoError, reason_of

# command -> module of this package; every module calls its command `command`.
COMMANDS = {
    "collect": "collect",
    "import": "import_",
    "merge": "merge",
    "pack": "pack",
    "inspect": "inspect",
    "pretrain": "pretrain",
    "evaluate": "evaluate",
    "export": "export",
    "import-checkpoint": "import_checkpoint",
    "embed": "embed",
    "profile": "profile",
    "report": "report",
    "watch": "watch",
    "doctor": "doctor",
}


class LazyGroup(click.Group):
    """A group whose commands are imported on use, and whose users see no traceback for what they caused."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, in the order in which a user needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        return import_module(f".{COMMANDS[cmd_name]}", __package__).command

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: ANN401 - click's signature
        """As click, which prints the help of the group here."""
        with _one_line_errors():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run the command; an error that the user can mend becomes one line and exit code 1, Ctrl-C one and 130."""
        for stream in (sys.stdout, sys.stderr):
            # A terminal that lacks a letter costs no result; the second is what Python takes in the locale C.
            if getattr(stream, "errors", "") in ("strict", "surrogateescape"):
                stream.reconfigure(errors="replace")  # type: ignore[union-attr]
        with _one_line_errors(), _ended_in_order():
            return super().invoke(ctx)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """What a user can mend ends the command with one line and an exit code."""
    try:
        yield
    except KeyboardInterrupt as error:  # its text is what becomes of the work
        click.echo(f"Interrupted. {error}".rstrip(), err=True)
        raise click.exceptions.Exit(128 + signal.SIGINT) from None
    except SecoError as error:
        raise click.ClickException(str(error)) from error
    except UnicodeEncodeError as error:  # tables, TensorBoard and hashes are of text
        name = error.object.encode(errors="backslashreplace").decode()
        locale = sys.getfilesystemencoding()
        got = "other; rename it" if locale == "utf-8" else f"a locale of {locale}; set PYTHONUTF8=1, or rename it"
        raise click.ClickException(f"{name}: expected names of files and folders in UTF-8, got {got}") from error
    except OSError as error:  # a full disk, a folder that may not be written, a file that went away
        if error.errno == errno.EPIPE:  # click ends quietly when nobody reads any more
            raise
        place = f"{error.filename}: " if error.filename else ""
        remedy = "free some space or choose another place" if error.errno == errno.ENOSPC else "choose another place"
        raise click.ClickException(f"{place}{reason_of(error)}; {remedy}") from error


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM, as at a scheduler's time limit, ends the command as an error would: what is half made is taken back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    code = 128 + signal.SIGTERM
    came = []

    def end(*_: object) -> None:
        came.append(code)
        sys.exit(code)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except Exception:
        if came:  # a library took the exit for an error of its own
            sys.exit(code)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="seco-eo")
def main() -> None:
    """Self-supervised pre-training on satellite image time series."""
