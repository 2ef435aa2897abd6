"""The original's two tables in PostgreSQL, read in one snapshot; nothing is ever written there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

PAIR_TABLE, STATE_TABLE = "main_clients_database", "broadcast_manager"


class SourceError(Exception):
    """Raised when the original's database cannot be read; the text says why and what to do, and holds no password."""


@dataclass(frozen=True)
class Tables:
    """Both tables as CSV, as psql's \\copy writes them, ordered by the open channel; `read_at` is the database's time."""

    pairs: bytes
    states: bytes
    read_at: datetime


def read(url: str) -> Tables:
    """Both tables in one snapshot. Raises SourceError."""
    with _connected(url) as connection:
        moment: datetime = connection.execute("SELECT now()").fetchone()[0]
        return Tables(pairs=_csv(connection, PAIR_TABLE), states=_csv(connection, STATE_TABLE), read_at=moment)


def last_sent_times(url: str) -> dict[str, datetime | None]:
    """When the original last sent for each pair, by the pair's id. Raises SourceError."""
    with _connected(url) as connection:
        rows: list[tuple[UUID, datetime | None]] = connection.execute(
            f"SELECT id, last_sent_time FROM {STATE_TABLE}"
        ).fetchall()
    return {str(id): moment for id, moment in rows}


@contextmanager
def _connected(url: str) -> Iterator[Any]:
    """A read-only connection whose statements see one state of the database, with times in UTC."""
    try:
        import psycopg
    except ImportError:
        raise SourceError(
            "psycopg is not installed; install it with: pip install -r infra/migration/requirements.txt"
        ) from None
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            connection.execute("SET LOCAL TimeZone = 'UTC'")
            connection.execute("SET LOCAL DateStyle = 'ISO'")
            yield connection
    except psycopg.Error as error:
        words = " ".join(str(error).split())
        raise SourceError(f"the original's database cannot be read: {words}") from None


def _csv(connection: Any, table: str) -> bytes:
    with connection.cursor() as cursor:
        statement = f"COPY (SELECT * FROM {table} ORDER BY open_channel_id, id) TO STDOUT (FORMAT csv, HEADER)"
        with cursor.copy(statement) as copy:
            return b"".join(bytes(block) for block in copy)
