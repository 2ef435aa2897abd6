"""One SQLite file for documents and for the event queue: WAL, one connection, short transactions.

With `synchronous=NORMAL` a commit survives the death of the process (kill -9); FULL is the setting against a loss of power, at the
cost of a sync of the disk a commit.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

from shared.store import StoreUnavailable

BUSY_SECONDS = 10.0
"""How long to wait for another process, such as a broadcastctl at work."""

PAGES_IN_LOG = 10_000
"""Some 40 MB. The same few pages are written again and again; folding them into the file seldom spares most of that work, and the
syncs of the disk that go with it."""


class Database:
    """A connection that several threads share, one at a time. Raises StoreUnavailable for a file that cannot be opened."""

    def __init__(self, path: Path, *, synchronous: str = "NORMAL") -> None:
        self.path = path
        self._lock = RLock()
        try:
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute(f"PRAGMA synchronous={synchronous}")
            self._connection.execute(f"PRAGMA wal_autocheckpoint={PAGES_IN_LOG}")
        except sqlite3.OperationalError as error:
            raise StoreUnavailable(f"SQLite in {path} does not answer: {error}.") from error
        except sqlite3.DatabaseError as error:
            raise StoreUnavailable(
                f"{path} is no database, or a broken one ({error}); put a backup in its place, or move it away to begin anew."
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is applied or nothing. Raises StoreUnavailable if SQLite cannot."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    if self._connection.in_transaction:  # SQLite ends it by itself when the disk is full
                        self._connection.execute("ROLLBACK")
                    raise
            except sqlite3.OperationalError as error:
                raise StoreUnavailable(f"SQLite in {self.path} does not answer: {error}.") from error

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; the number of rows it changed. Raises StoreUnavailable, sqlite3.IntegrityError."""
        with self._lock:
            try:
                return self._connection.execute(statement, parameters).rowcount
            except sqlite3.OperationalError as error:
                raise StoreUnavailable(f"SQLite in {self.path} does not answer: {error}.") from error

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query. Raises StoreUnavailable."""
        with self._lock:
            try:
                return self._connection.execute(statement, parameters).fetchall()
            except sqlite3.OperationalError as error:
                raise StoreUnavailable(f"SQLite in {self.path} does not answer: {error}.") from error

    def close(self) -> None:
        """Fold the log into the file and close it."""
        with self._lock:
            self._connection.close()
