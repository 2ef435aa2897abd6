"""The event queue on SQLite."""

from collections.abc import Sequence
from datetime import UTC, datetime
from threading import Condition

from infra.embedded.database import Database
from infra.embedded.event_queue import LEASE, MOST_ATTEMPTS, DeadLetter, Taken, back_off
from shared.bus import BusUnavailable
from shared.clock import Clock
from shared.events import Event, Topic, encode
from shared.store import StoreUnavailable

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, data BLOB NOT NULL,"
    " published_at REAL NOT NULL, deliver_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,"
    " leased INTEGER NOT NULL DEFAULT 0, dead_at REAL, error TEXT)",
    "CREATE INDEX IF NOT EXISTS events_deliverable ON events (topic, deliver_at, id) WHERE dead_at IS NULL",
    "CREATE INDEX IF NOT EXISTS events_dead ON events (id) WHERE dead_at IS NOT NULL",
)

MOST_ROWS = 1000
"""In one statement; it may have 32,766 parameters (SQLite, Limits), and each row has four."""


class SqliteQueue:
    """An event queue in one file. An event published by another process is found when the queue is looked at next."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._published = {topic: Condition() for topic in Topic}
        self._news = dict.fromkeys(Topic, False)
        for statement in SCHEMA:
            database.execute(statement)

    def publish(self, events: Sequence[Event]) -> None:
        now = self._clock.now().timestamp()
        rows = [(event.topic.value, encode(event), now, now) for event in events]
        pieces = [rows[first : first + MOST_ROWS] for first in range(0, len(rows), MOST_ROWS)]
        try:
            if len(pieces) == 1:
                self._insert(pieces[0])
            elif pieces:
                with self._database.transaction():
                    for piece in pieces:
                        self._insert(piece)
        except StoreUnavailable as error:
            raise BusUnavailable(str(error)) from error
        for topic in {event.topic for event in events}:
            with self._published[topic]:
                self._news[topic] = True
                self._published[topic].notify_all()

    def _insert(self, rows: Sequence[tuple[str, bytes, float, float]]) -> None:
        marks = ", ".join(["(?, ?, ?, ?)"] * len(rows))
        self._database.execute(
            f"INSERT INTO events (topic, data, published_at, deliver_at) VALUES {marks}",
            [value for row in rows for value in row],
        )

    def take(self, topic: Topic, limit: int) -> list[Taken]:
        now = self._clock.now()
        rows = self._database.rows(
            "UPDATE events SET attempts = attempts + 1, leased = 1, deliver_at = ? WHERE id IN ("
            "SELECT id FROM events WHERE topic = ? AND dead_at IS NULL AND deliver_at <= ? ORDER BY deliver_at, id LIMIT ?"
            ") RETURNING id, data, published_at, attempts",
            ((now + LEASE).timestamp(), topic.value, now.timestamp(), limit),
        )
        return [
            Taken(str(id), topic, data, datetime.fromtimestamp(published_at, UTC), attempts)
            for id, data, published_at, attempts in sorted(rows)
        ]

    def acknowledge(self, taken: Taken) -> None:
        self._database.execute("DELETE FROM events WHERE id = ?", (int(taken.id),))

    def give_back(self, taken: Taken, error: str) -> None:
        now = self._clock.now()
        if taken.attempt >= MOST_ATTEMPTS:
            self._database.execute(
                "UPDATE events SET dead_at = ?, error = ?, leased = 0 WHERE id = ?",
                (now.timestamp(), error, int(taken.id)),
            )
            return
        self._database.execute(
            "UPDATE events SET deliver_at = ?, error = ?, leased = 0 WHERE id = ?",
            ((now + back_off(taken.attempt)).timestamp(), error, int(taken.id)),
        )

    def wait(self, topic: Topic, seconds: float) -> None:
        with self._published[topic]:
            if not self._news[topic]:
                self._published[topic].wait(seconds)
            self._news[topic] = False

    def free_leases(self) -> int:
        return self._database.execute(
            "UPDATE events SET leased = 0, attempts = attempts - 1, deliver_at = ? WHERE leased AND dead_at IS NULL",
            (self._clock.now().timestamp(),),
        )

    def contents(self, topic: Topic) -> list[bytes]:
        rows = self._database.rows("SELECT data FROM events WHERE topic = ? AND dead_at IS NULL", (topic.value,))
        return [data for (data,) in rows]

    def waiting(self) -> dict[Topic, int]:
        rows = self._database.rows("SELECT topic, count(*) FROM events WHERE dead_at IS NULL GROUP BY topic")
        return {Topic(topic): count for topic, count in rows}

    def dead_letters(self) -> list[DeadLetter]:
        rows = self._database.rows(
            "SELECT id, topic, data, published_at, dead_at, error FROM events WHERE dead_at IS NOT NULL ORDER BY id"
        )
        return [
            DeadLetter(
                str(id),
                Topic(topic),
                data,
                datetime.fromtimestamp(published_at, UTC),
                datetime.fromtimestamp(dead_at, UTC),
                error or "",
            )
            for id, topic, data, published_at, dead_at, error in rows
        ]

    def put_back(self, id: str) -> bool:
        now = self._clock.now().timestamp()
        changed = self._database.execute(
            "UPDATE events SET dead_at = NULL, error = NULL, attempts = 0, deliver_at = ?, published_at = ?"
            " WHERE id = ? AND dead_at IS NOT NULL",
            (now, now, int(id) if id.isdecimal() and len(id) < 19 else -1),
        )
        return changed == 1
