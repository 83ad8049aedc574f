"""What a collection has done so far, in a file that survives whatever ends the program."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from seco.collect.locations import location_number
from seco.data.description import JOURNAL_FILE
from seco.data.writer import Row
from seco.errors import StoreError

SCHEMA = """
CREATE TABLE IF NOT EXISTS patches (number INTEGER PRIMARY KEY, location_id TEXT, time TEXT, row TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS patch ON patches (location_id, time);
CREATE TABLE IF NOT EXISTS rejected (
    location INTEGER, attempt INTEGER, location_id TEXT, longitude REAL, latitude REAL, reason TEXT,
    PRIMARY KEY (location, attempt)
);
CREATE TABLE IF NOT EXISTS labels (location_id TEXT PRIMARY KEY, label TEXT);
CREATE TABLE IF NOT EXISTS histogram (counted INTEGER, content BLOB);
"""

INSERT_PATCH = "INSERT INTO patches (location_id, time, row) VALUES (?, ?, ?)"
INSERT_REJECTED = "INSERT INTO rejected VALUES (?, ?, ?, ?, ?, ?)"


class Journal:
    """Accepted locations with their rows of the index, rejected candidates with reasons, and the histogram so far.

    One process writes; every location is one transaction. A power cut may undo the last ones, a killed program none.

    Args:
        path: Folder of the store, or None to keep nothing.

    Raises:
        StoreError: If another process is collecting to the folder, or the file is damaged.
    """

    def __init__(self, path: Path | None) -> None:
        self._name = ":memory:" if path is None else str(path / JOURNAL_FILE)
        with self._readable():
            self._database = sqlite3.connect(self._name, timeout=0, isolation_level=None)
            with ExitStack() as undone:
                undone.callback(self.close)
                self._database.execute("PRAGMA locking_mode = EXCLUSIVE")  # before WAL: then it needs no shared memory
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute("PRAGMA synchronous = NORMAL")
                self._database.executescript(SCHEMA)
                undone.pop_all()

    def close(self) -> None:
        """Write everything to the one file."""
        self._database.close()

    def accept(self, rows: Sequence[Row], label: str | None = None) -> None:
        """Keep the patches of a location, all or none, and its label if it has one."""
        with self._transaction() as database:
            database.executemany(INSERT_PATCH, map(_record, rows))
            if label is not None:
                database.execute("INSERT INTO labels VALUES (?, ?)", (rows[0]["location_id"], label))

    def reject(
        self, location: int, attempt: int, *, location_id: str, longitude: float, latitude: float, reason: str
    ) -> None:
        """Keep why a candidate gave no patches; positions in degrees."""
        record = (location, attempt, location_id, longitude, latitude, reason)
        with self._transaction() as database:
            database.execute(INSERT_REJECTED, record)

    def restore(self, rows: Iterable[Row], rejected: Iterable[tuple[Any, ...]]) -> None:
        """Be what led to a finished store, if empty: rows of its index, and what :meth:`rejected` said."""
        candidates = (
            (location_number(name), attempt, name, longitude, latitude, reason)
            for name, attempt, longitude, latitude, reason in rejected
        )
        with self._transaction() as database:
            database.executemany(INSERT_PATCH, map(_record, rows))
            database.executemany(INSERT_REJECTED, candidates)

    def is_empty(self) -> bool:
        """Whether nothing was noted yet."""
        return not self._all("SELECT 1 FROM patches UNION ALL SELECT 1 FROM rejected LIMIT 1")

    def drop(self, location_ids: Sequence[str]) -> None:
        """Forget locations whose patches are gone, and with them the histogram that counted them."""
        with self._transaction() as database:
            for table in ("patches", "labels"):
                database.executemany(f"DELETE FROM {table} WHERE location_id = ?", [(name,) for name in location_ids])
            database.execute("DELETE FROM histogram")

    def keep_histogram(self, content: bytes) -> None:
        """Keep the histogram of all accepted patches."""
        with self._transaction() as database:
            database.execute("DELETE FROM histogram")
            database.execute("INSERT INTO histogram SELECT coalesce(max(number), 0), ? FROM patches", (content,))

    def histogram(self) -> tuple[bytes | None, list[Row]]:
        """The histogram kept last, and the patches that it lacks."""
        ((counted, content),) = self._all("SELECT counted, content FROM histogram") or [(0, None)]
        return content, [_row(text) for (text,) in self._all("SELECT row FROM patches WHERE number > ?", counted)]

    def rows(self) -> Iterator[Row]:
        """Rows of the index, sorted by location and time."""
        for (text,) in self._database.execute("SELECT row FROM patches ORDER BY location_id, time"):
            yield _row(text)

    def labels(self) -> dict[str, str]:
        """Labels of the locations that were accepted with one."""
        return dict(self._all("SELECT location_id, label FROM labels"))

    def accepted(self) -> set[str]:
        """Names of the accepted locations."""
        return {name for (name,) in self._all("SELECT DISTINCT location_id FROM patches")}

    def attempts(self) -> dict[int, int]:
        """How many candidates of each location were rejected."""
        return dict(self._all("SELECT location, count(*) FROM rejected GROUP BY location"))

    def rejected(self) -> list[tuple[Any, ...]]:
        """Location, attempt, longitude, latitude and reason of rejected candidates, sorted."""
        return self._all(
            "SELECT location_id, attempt, longitude, latitude, reason FROM rejected ORDER BY location_id, attempt"
        )

    def reasons(self) -> Counter[str]:
        """How often each reason occurs."""
        return Counter(dict(self._all("SELECT reason, count(*) FROM rejected GROUP BY reason")))

    def _all(self, query: str, *values: object) -> list[Any]:
        with self._readable():
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._readable():
            try:
                self._database.execute("BEGIN")
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:  # Ctrl-C may come between any two of these
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            advice = (
                "wait for the other `seco collect` that writes there"
                if "locked" in str(error)
                else "free some space, or give the rights to write there"
            )
            raise StoreError(f"{self._name}: expected a file to write, got {error}; {advice}") from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self._name}: expected the journal of a collection, got {error}; delete the folder and collect again"
            ) from error


def _record(row: Row) -> tuple[str, str, str]:
    return row["location_id"], str(row["time"]), json.dumps(row, default=str)


def _row(text: str) -> Row:
    row: Row = json.loads(text)
    row["time"] = np.datetime64(row["time"])
    return row
