"""What a broadcast costs in documents read and written; Firestore's price and limits hang on it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from shared.pair import HistoryEntry, Pair
from shared.store import PACE, Collection, Store, Stored

R = TypeVar("R", bound=msgspec.Struct)


class CountingStore:
    """Hands everything on to the store inside and counts documents read and written, the pace's apart, and queries.

    Counted is what a broadcast and a tick do; the owners' queries are not.
    """

    def __init__(self, inside: Store) -> None:
        self._inside = inside
        self.counts: Counter[str] = Counter()

    def get(self, collection: Collection[R], id: str) -> Stored[R] | None:
        self.counts["pace read" if collection is PACE else "read"] += 1
        return self._inside.get(collection, id)

    def create(self, collection: Collection[R], id: str, record: R) -> None:
        self.counts["pace write" if collection is PACE else "write"] += 1
        self._inside.create(collection, id, record)

    def replace(self, collection: Collection[R], stored: Stored[R], record: R) -> Stored[R]:
        self.counts["pace write" if collection is PACE else "write"] += 1
        return self._inside.replace(collection, stored, record)

    def due_pairs(self, now: datetime, limit: int, *, stuck: bool = False) -> Sequence[Stored[Pair]]:
        found = self._inside.due_pairs(now, limit, stuck=stuck)
        self.counts["query"] += 1
        self.counts["read"] += len(found)
        return found

    def count_running(self) -> int:
        self.counts["count"] += 1
        return self._inside.count_running()

    def count_due(self, now: datetime) -> int:
        return self._inside.count_due(now)

    def count_attempted(self, since: datetime) -> int:
        self.counts["count of attempted"] += 1
        return self._inside.count_attempted(since)

    def count_refused(self, since: datetime) -> int:
        self.counts["count of refused"] += 1
        return self._inside.count_refused(since)

    def pairs_of_client(self, client_id: str) -> Sequence[Stored[Pair]]:
        return self._inside.pairs_of_client(client_id)

    def pairs_of_channel(self, channel_id: int) -> Sequence[Stored[Pair]]:
        return self._inside.pairs_of_channel(channel_id)

    def all_pairs(self) -> Iterator[Stored[Pair]]:
        return self._inside.all_pairs()

    def history(self, pair_id: str, *, before: datetime | None, limit: int) -> Sequence[Stored[HistoryEntry]]:
        return self._inside.history(pair_id, before=before, limit=limit)
