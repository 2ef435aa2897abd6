"""Links that sign in on the dashboard: printed at the start and made by `broadcastctl link`, each good once.

Whoever can read the console or DATA_DIR owns this machine's records anyway. Only a hash of each link is kept, so a copy of the
database opens nothing.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from infra.embedded.database import Database

LIFE = timedelta(hours=1)
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS sign_in_links (hash TEXT PRIMARY KEY, client_id TEXT, operator INTEGER NOT NULL,"
    " expires_at REAL NOT NULL, used_at REAL) WITHOUT ROWID"
)


@dataclass(frozen=True)
class Grant:
    """What a link lets its reader be."""

    client_id: str | None
    operator: bool


class Void(Enum):
    """Why a link lets nobody in."""

    USED = "used"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class SignInLinks:
    """The links of one DATA_DIR; other processes may make some while this one takes them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.execute(SCHEMA)

    def make(self, grant: Grant, *, now: datetime) -> str:
        """A code that nobody can guess. Raises StoreUnavailable."""
        code = secrets.token_urlsafe(24)
        self._database.execute("DELETE FROM sign_in_links WHERE expires_at <= ?", ((now - LIFE).timestamp(),))
        self._database.execute(
            "INSERT INTO sign_in_links (hash, client_id, operator, expires_at) VALUES (?, ?, ?, ?)",
            (_hash(code), grant.client_id, int(grant.operator), (now + LIFE).timestamp()),
        )
        return code

    def take(self, code: str, *, now: datetime) -> Grant | Void:
        """What the code grants, to the first who brings it. Raises StoreUnavailable."""
        first = self._database.execute(
            "UPDATE sign_in_links SET used_at = ? WHERE hash = ? AND used_at IS NULL AND expires_at > ?",
            (now.timestamp(), _hash(code), now.timestamp()),
        )
        rows = self._database.rows(
            "SELECT client_id, operator, used_at FROM sign_in_links WHERE hash = ?", (_hash(code),)
        )
        if not rows:
            return Void.UNKNOWN
        client_id, operator, used_at = rows[0]
        if first:
            return Grant(client_id, bool(operator))
        return Void.EXPIRED if used_at is None else Void.USED


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
