"""``seco watch``: the page of a run on this machine's own address, made anew as training goes on."""

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from markupsafe import escape

from seco.errors import ConfigError, SecoError, reason_of
from seco.pretrain.checkpoint import CHECKPOINTS, LAST
from seco.profiling.training import FOLDER, SUMMARY_FILE
from seco.report.page.benchmarks import record_files
from seco.report.page.blocks import Note, Section
from seco.report.page.build import Given, build_page, check_given
from seco.report.page.run import RecordedRun
from seco.report.page.similar import sections_of, similar_sections

LOOPBACK = ("127.0.0.1", "localhost")
_REST = 9  # times as long as the encoder was at work
_AT_WORK = Note("The encoder is at work on this; it is shown here when it is done.")


class LivePage:
    """A page that follows its runs: what is cheap at once, what needs the encoder now and then, in a thread.

    Args:
        given: What it shows.
    """

    def __init__(self, given: Given) -> None:
        self._given = given
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="seco-watch")
        self._lock = threading.Lock()
        self._work: Future[None] | None = None
        self._finished, self._rest_until = 0, 0.0
        self._similar, self._of = sections_of([_AT_WORK], [_AT_WORK]), ""  # and the checkpoints that the newest work is of
        self._page, self._page_stamp = b"", b""

    def stamp(self) -> bytes:
        """What changes when there is something new, in letters and digits."""
        given = self._given
        files = [path for run in given.runs for path in _watched(run)]
        files += [file for path in given.results for file in (path, *path.glob("*.json"))]
        files += [file for path in given.records for file in record_files(path)]
        rested = self._finished > 0 and time.monotonic() >= self._rest_until  # a newer checkpoint's turn has come
        return f"{_stamp_of(files)}-{self._finished}-{rested:d}".encode()

    def page(self) -> bytes:
        """The page as it is now, as HTML."""
        with self._lock:
            stamp = self.stamp()
            if stamp != self._page_stamp:
                try:
                    self._page = build_page(self._given, similar=self._sections, stamp=stamp.decode()).encode()
                except (SecoError, OSError) as error:  # a run that is being replaced
                    self._page = _apology(str(error))
                self._page_stamp = stamp
            return self._page

    def _sections(self, runs: Sequence[RecordedRun]) -> list[Section]:
        """Those of the newest checkpoints that are done; work on newer ones begins if none is under way."""
        now = _stamp_of([run.checkpoint for run in runs])
        idle = (self._work is None or self._work.done()) and time.monotonic() >= self._rest_until
        if idle and self._of != now:
            self._of = now
            self._work = self._pool.submit(self._encode, runs)
        return self._similar

    def _encode(self, runs: Sequence[RecordedRun]) -> None:
        start = time.monotonic()
        try:
            self._similar = similar_sections(runs)
        except Exception as error:  # whatever it is, the rest of the page goes on
            failed = Note(f"This cannot be shown: {type(error).__name__}: {error}", warns=True)
            self._similar = sections_of([failed], [failed])
        finally:
            now = time.monotonic()
            self._rest_until = now + _REST * (now - start)
            self._finished += 1  # last: the stamp says that the sections are there


def serve(given: Given, *, host: str, port: int, started: Callable[[str], None]) -> None:
    """Serve the page until the process is interrupted; nothing that is asked changes anything.

    Args:
        given: What it shows.
        host: Address to listen at.
        port: Port to listen at; 0: any that is free.
        started: Told the address of the page.

    Raises:
        SecoError: If what is to be shown cannot be read, or the address is in use or not this machine's.
    """
    check_given(given)
    live = LivePage(given)
    try:
        server = _Server((host, port), _handler(live, host))
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"port: expected a free one, got {host}:{port}: {reason_of(error)}; choose another with --port"
        ) from error
    with server:
        started(f"http://{host}:{server.server_address[1]}/")
        server.serve_forever()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the library's signature
        """A reader who went away is no error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _handler(live: LivePage, host: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers GET and HEAD for the page and its stamp."""

        server_version, sys_version = "seco", ""

        def do_GET(self) -> None:
            answers = {"/": ("text/html; charset=utf-8", live.page), "/stamp": ("text/plain", live.stamp)}
            if host in LOOPBACK and self.headers.get("Host", "").rsplit(":", 1)[0] not in LOOPBACK:
                # A page of elsewhere whose name was pointed at this machine may not read it.
                self.send_error(HTTPStatus.FORBIDDEN)
                return
            kind, content = answers.get(self.path.split("?")[0], ("", None))
            if content is None:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            body = content()
            self.send_response(HTTPStatus.OK)
            headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store"}
            for name, value in (headers | {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing: the terminal belongs to the user."""

    return Handler


def _watched(run: Path) -> list[Path]:
    return [*run.glob("*.json*"), *run.glob(f"{CHECKPOINTS}/{LAST}"), *run.glob(f"{FOLDER}/{SUMMARY_FILE}")]


def _stamp_of(files: Sequence[Path]) -> str:
    times = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            continue
        times.append((str(file), status.st_mtime_ns, status.st_size))
    return f"{hash(tuple(sorted(times))) & 0xFFFFFFFFFFFF:012x}"


def _apology(text: str) -> bytes:
    head = "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content='3;url=/'><title>seco</title>"
    return f"{head}<p>{escape(text)}".encode()
