"""An engine's records, arranged from outside: many pairs at once, and all of them due."""

from collections.abc import Sequence
from datetime import datetime

from infra.embedded.database import Database
from infra.embedded.sqlite_store import SqliteStore
from shared.pair import Pair, replace
from shared.store import PAIRS


def fill(database: Database, store: SqliteStore, pairs: Sequence[Pair]) -> None:
    """Store new pairs in one transaction, in the order of their ids: half the work for SQLite, which keeps them so."""
    with database.transaction():
        for pair in sorted(pairs, key=lambda pair: pair.id):
            store.create(PAIRS, pair.id, pair)


def make_due(database: Database, store: SqliteStore, moment: datetime) -> None:
    """Have every pair's next broadcast begin at this moment, in one transaction."""
    with database.transaction():
        for stored in store.all_pairs():
            store.replace(PAIRS, stored, replace(stored.record, next_send_time=moment))
