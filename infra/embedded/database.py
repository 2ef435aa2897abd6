"""One SQLite file for documents and for the event queue: WAL, one connection, short transactions.

Writes that come while another one is at it are committed together: a commit costs as much as two writes.

With `synchronous=NORMAL` a commit survives the death of the process (kill -9); FULL is the setting against a loss of power, at the
cost of a sync of the disk a commit.
"""

import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import RLock, get_ident
from typing import Any

from shared.store import StoreUnavailable

BUSY_SECONDS = 10.0
"""How long to wait for another process, such as a broadcastctl at work."""

PAGES_IN_LOG = 10_000
"""Some 40 MB. The same few pages are written again and again; folding them into the file seldom spares most of that work, and the
syncs of the disk that go with it."""


@dataclass(eq=False)
class _Write:
    """One statement that waits to be run, then how it ended: committed, or not for this reason."""

    statement: str
    parameters: Sequence[Any]
    changed: int = 0
    committed: bool = False
    error: Exception | None = None

    @property
    def waits(self) -> bool:
        return not self.committed and self.error is None

    def run(self, connection: sqlite3.Connection) -> None:
        """What is wrong with this statement alone is kept for whoever wrote it. Raises what may be wrong with the file."""
        try:
            self.changed = connection.execute(self.statement, self.parameters).rowcount
        except sqlite3.OperationalError:
            raise
        except (sqlite3.Error, OverflowError, ValueError) as error:
            self.error = error


class Database:
    """A connection that several threads share, one at a time. Raises StoreUnavailable for a file that cannot be opened."""

    def __init__(self, path: Path, *, synchronous: str = "NORMAL") -> None:
        self.path = path
        self._lock = RLock()
        self._waiting: deque[_Write] = deque()
        self._in_transaction: int | None = None
        """The thread that is inside `transaction`."""
        try:
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=256
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute(f"PRAGMA synchronous={synchronous}")
            self._connection.execute(f"PRAGMA wal_autocheckpoint={PAGES_IN_LOG}")
        except sqlite3.OperationalError as error:
            raise self._unavailable(error) from error
        except sqlite3.DatabaseError as error:
            raise StoreUnavailable(
                f"{path} is no database, or a broken one ({error}); put a backup in its place, or move it away to begin anew."
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside is applied or nothing. Raises StoreUnavailable if SQLite cannot."""
        with self._lock:
            self._in_transaction = get_ident()
            try:
                with self._committed():
                    yield self._connection
            except sqlite3.OperationalError as error:
                raise self._unavailable(error) from error
            finally:
                self._in_transaction = None

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement; the number of rows it changed. Raises StoreUnavailable, sqlite3.IntegrityError."""
        write = _Write(statement, parameters)
        if self._in_transaction == get_ident():
            self._run([write])
        else:
            self._waiting.append(write)
            with self._lock:
                if write.waits:
                    self._run_waiting()
        if isinstance(write.error, sqlite3.OperationalError):
            raise self._unavailable(write.error) from write.error
        if write.error is not None:
            raise write.error
        return write.changed

    def _run_waiting(self) -> None:
        """Run everything that waits, for whichever threads. What an interruption leaves waiting is run by those themselves."""
        try:
            self._run([write for write in list(self._waiting) if write.waits])
        finally:
            while self._waiting and not self._waiting[0].waits:
                self._waiting.popleft()

    def _run(self, writes: Sequence[_Write]) -> None:
        """Each is applied or not by itself, and they are committed together; if that fails, none is applied."""
        try:
            if len(writes) == 1:
                writes[0].run(self._connection)
            else:
                with self._committed():
                    for write in writes:
                        write.run(self._connection)
        except sqlite3.Error as error:
            for write in writes:
                write.error = type(error)(*error.args)  # one each, for each thread raises its own
        else:
            for write in writes:
                write.committed = write.error is None

    @contextmanager
    def _committed(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # SQLite ends it by itself when the disk is full
                self._connection.execute("ROLLBACK")
            raise

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query. Raises StoreUnavailable."""
        with self._lock:
            try:
                return self._connection.execute(statement, parameters).fetchall()
            except sqlite3.OperationalError as error:
                raise self._unavailable(error) from error

    def close(self) -> None:
        """Fold the log into the file and close it."""
        with self._lock:
            self._connection.close()

    def _unavailable(self, why: object) -> StoreUnavailable:
        return StoreUnavailable(f"SQLite in {self.path} does not answer: {why}.")
