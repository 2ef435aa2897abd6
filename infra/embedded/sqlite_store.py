"""The store on SQLite: a table a collection, the record as JSON, the fields of the queries in columns beside it."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import msgspec

from infra.embedded.database import Database
from shared.clock import Clock
from shared.pair import HistoryEntry, Pair
from shared.store import HISTORY, PAIRS, AlreadyExists, Changed, Collection, Stored

R = TypeVar("R", bound=msgspec.Struct)

CHANNEL_FIELDS = ("open_channel_id", "closed_channel_id")
ADDED_FIELDS = {
    "attempted_at": "REAL",
    "refused_at": "REAL",
    **dict.fromkeys(CHANNEL_FIELDS, "INTEGER"),
}
"""Columns of `pairs` that databases made by an earlier version lack."""
COLUMNS = 1
"""To be raised whenever a column is derived otherwise, or an upgrade of records changes one: a write touches only the columns it
changes, so each file is filled anew once. Kept as the file's `user_version`."""

# With a rowid: rows of two thousand bytes would not fit into the pages of a table without one, and each write would take more.
PAIRS_TABLE = (
    "CREATE TABLE IF NOT EXISTS pairs (id TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL,"
    " wake_at REAL, running INTEGER NOT NULL, client_id TEXT NOT NULL, expire_at REAL, "
    + ", ".join(f"{field} {kind}" for field, kind in ADDED_FIELDS.items())
    + ")"
)
SCHEMA = (
    "CREATE INDEX IF NOT EXISTS pairs_due ON pairs (wake_at, id) WHERE wake_at IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS pairs_running ON pairs (running) WHERE running",
    *(
        f"CREATE INDEX IF NOT EXISTS pairs_{field} ON pairs ({field}) WHERE {field} IS NOT NULL"
        for field in ADDED_FIELDS
    ),
    "CREATE INDEX IF NOT EXISTS pairs_of_client ON pairs (client_id)",
    "CREATE INDEX IF NOT EXISTS pairs_expiry ON pairs (expire_at) WHERE expire_at IS NOT NULL",
    "CREATE TABLE IF NOT EXISTS history (id TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL,"
    " pair_id TEXT NOT NULL, claimed_at REAL NOT NULL, expire_at REAL NOT NULL)",
    "CREATE INDEX IF NOT EXISTS history_of_pair ON history (pair_id, claimed_at)",
    "CREATE INDEX IF NOT EXISTS history_expiry ON history (expire_at)",
    "CREATE TABLE IF NOT EXISTS pace (id TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL)",
)
PAGE = 500


class SqliteStore:
    """A store in one file. Other processes may use the file at the same time: every write is conditional."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        database.execute(PAIRS_TABLE)
        if _columns_of(database) != COLUMNS:
            with database.transaction() as connection:
                if _columns_of(database) != COLUMNS:  # another process may have been first
                    self._fill_columns(connection)
        for statement in SCHEMA:
            database.execute(statement)

    def get(self, collection: Collection[R], id: str) -> Stored[R] | None:
        rows = self._database.rows(f"SELECT version, body FROM {collection.name} WHERE id = ?", (id,))
        if not rows:
            return None
        version, body = rows[0]
        return Stored(id, collection.decode(body), version, self._clock.now())

    def create(self, collection: Collection[R], id: str, record: R) -> None:
        columns = _columns(collection, record)
        names = ", ".join(("id", "version", "body", *columns))
        marks = ", ".join("?" * (3 + len(columns)))
        try:
            self._database.execute(
                f"INSERT INTO {collection.name} ({names}) VALUES ({marks})",
                (id, 1, collection.encode(record), *columns.values()),
            )
        except sqlite3.IntegrityError:
            raise AlreadyExists(f"{collection.name} has a record {id} already") from None

    def replace(self, collection: Collection[R], stored: Stored[R], record: R) -> Stored[R]:
        before = _columns(collection, stored.record)
        # To write a column is to write its index's pages, changed or not; that was half of a write.
        columns = {name: value for name, value in _columns(collection, record).items() if value != before[name]}
        settings = "".join(f", {name} = ?" for name in columns)
        changed = self._database.execute(
            f"UPDATE {collection.name} SET version = version + 1, body = ?{settings} WHERE id = ? AND version = ?",
            (collection.encode(record), *columns.values(), stored.id, stored.version),
        )
        if changed == 0:
            raise Changed(f"record {stored.id} in {collection.name} is not the one that was read")
        return Stored(stored.id, record, stored.version + 1, self._clock.now())

    def due_pairs(self, now: datetime, limit: int, *, stuck: bool = False) -> Sequence[Stored[Pair]]:
        """A page that holds unreadable records is filled up from the next one, so that they never block the way."""
        found: list[Stored[Pair]] = []
        offset = 0
        which = "running AND wake_at" if stuck else "wake_at"
        while len(found) < limit:
            rows = self._database.rows(
                f"SELECT id, version, body FROM pairs WHERE {which} <= ? ORDER BY wake_at, id LIMIT ? OFFSET ?",
                (now.timestamp(), limit, offset),
            )
            found += self._readable(PAIRS, rows)
            offset += limit
            if len(rows) < limit:
                break
        return found[:limit]

    def count_due(self, now: datetime) -> int:
        return self._count("wake_at <= ?", now.timestamp())

    def count_running(self) -> int:
        return self._count("running")

    def count_attempted(self, since: datetime) -> int:
        return self._count("attempted_at > ?", since.timestamp())

    def count_refused(self, since: datetime) -> int:
        return self._count("refused_at > ?", since.timestamp())

    def pairs_of_client(self, client_id: str) -> Sequence[Stored[Pair]]:
        rows = self._database.rows("SELECT id, version, body FROM pairs WHERE client_id = ?", (client_id,))
        return sorted(self._readable(PAIRS, rows), key=lambda s: s.record.open_channel_id, reverse=True)

    def pairs_of_channel(self, channel_id: int) -> Sequence[Stored[Pair]]:
        found: dict[str, Stored[Pair]] = {}
        for field in CHANNEL_FIELDS:
            rows = self._database.rows(f"SELECT id, version, body FROM pairs WHERE {field} = ?", (channel_id,))
            found |= {stored.id: stored for stored in self._readable(PAIRS, rows)}
        return sorted(found.values(), key=lambda s: (s.record.created_at, s.id))

    def all_pairs(self) -> Iterator[Stored[Pair]]:
        after = ""
        while rows := self._database.rows(
            "SELECT id, version, body FROM pairs WHERE id > ? ORDER BY id LIMIT ?", (after, PAGE)
        ):
            yield from self._readable(PAIRS, rows)
            after = rows[-1][0]

    def history(self, pair_id: str, *, before: datetime | None, limit: int) -> Sequence[Stored[HistoryEntry]]:
        latest = datetime.max.replace(tzinfo=UTC) if before is None else before
        rows = self._database.rows(
            "SELECT id, version, body FROM history WHERE pair_id = ? AND claimed_at < ? ORDER BY claimed_at DESC LIMIT ?",
            (pair_id, latest.timestamp(), limit),
        )
        return self._readable(HISTORY, rows)

    def running_pairs(self) -> Sequence[Stored[Pair]]:
        """Every pair with a run on."""
        return self._readable(PAIRS, self._database.rows("SELECT id, version, body FROM pairs WHERE running"))

    def delete_expired(self, now: datetime) -> int:
        """What Firestore's TTL does in the cloud: history and ended pairs past their time go. How many went."""
        return sum(
            self._database.execute(f"DELETE FROM {collection.name} WHERE expire_at <= ?", (now.timestamp(),))
            for collection in (PAIRS, HISTORY)
        )

    def _fill_columns(self, connection: sqlite3.Connection) -> None:
        there = {row[1] for row in self._database.rows("PRAGMA table_info(pairs)")}
        for field in ADDED_FIELDS:
            if field not in there:
                connection.execute(f"ALTER TABLE pairs ADD COLUMN {field} {ADDED_FIELDS[field]}")
                connection.execute(f"DROP INDEX IF EXISTS pairs_{field}")  # those of channels were on the JSON
        for stored in self.all_pairs():
            columns = _columns(PAIRS, stored.record)
            settings = ", ".join(f"{name} = ?" for name in columns)
            connection.execute(f"UPDATE pairs SET {settings} WHERE id = ?", (*columns.values(), stored.id))
        connection.execute(f"PRAGMA user_version = {COLUMNS}")

    def _count(self, which: str, *parameters: float) -> int:
        count: int = self._database.rows(f"SELECT count(*) FROM pairs WHERE {which}", parameters)[0][0]
        return count

    def _readable(self, collection: Collection[R], rows: Sequence[Any]) -> list[Stored[R]]:
        now = self._clock.now()
        read = [(id, v, collection.read_or_skip(id, partial(collection.decode, body))) for id, v, body in rows]
        return [Stored(id, record, version, now) for id, version, record in read if record is not None]


def _columns_of(database: Database) -> int:
    version: int = database.rows("PRAGMA user_version")[0][0]
    return version


def _columns(collection: Collection[R], record: R) -> Mapping[str, Any]:
    """The indexed fields as SQLite keeps them: times as seconds since 1970, and of a pair its two channels."""
    columns = {
        name: value.timestamp() if isinstance(value, datetime) else value
        for name, value in collection.indexed(record).items()
    }
    if isinstance(record, Pair):
        columns |= {field: getattr(record, field) for field in CHANNEL_FIELDS}
    return columns
