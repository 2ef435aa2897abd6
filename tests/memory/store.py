"""A store in memory."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any, TypeVar

import msgspec

from shared.clock import Clock
from shared.pair import HistoryEntry, Pair
from shared.store import HISTORY, PAIRS, AlreadyExists, Changed, Collection, Stored

R = TypeVar("R", bound=msgspec.Struct)


class MemoryStore:
    """Keeps encoded records, so that what cannot be stored elsewhere cannot be stored here either. Counts its operations."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._records: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.reads = 0
        self.writes = 0
        self.queries = 0

    def get(self, collection: Collection[R], id: str) -> Stored[R] | None:
        with self._lock:
            self.reads += 1
            found = self._records.get((collection.name, id))
        return None if found is None else self._stored(collection, id, found)

    def create(self, collection: Collection[R], id: str, record: R) -> None:
        with self._lock:
            self.writes += 1
            if (collection.name, id) in self._records:
                raise AlreadyExists(id)
            self._records[collection.name, id] = (1, collection.encode(record))

    def replace(self, collection: Collection[R], stored: Stored[R], record: R) -> Stored[R]:
        with self._lock:
            self.writes += 1
            found = self._records.get((collection.name, stored.id))
            if found is None or found[0] != stored.version:
                raise Changed(stored.id)
            self._records[collection.name, stored.id] = (found[0] + 1, collection.encode(record))
        return Stored(stored.id, record, found[0] + 1, self._clock.now())

    def due_pairs(self, now: datetime, limit: int, *, stuck: bool = False) -> Sequence[Stored[Pair]]:
        due = [s for s in self._all(PAIRS) if s.record.wake_at is not None and s.record.wake_at <= now]
        due = [s for s in due if not stuck or s.record.run is not None]
        return sorted(due, key=lambda s: (s.record.wake_at or now, s.id))[:limit]

    def count_due(self, now: datetime) -> int:
        return sum(at is not None and at <= now for at in (s.record.wake_at for s in self._all(PAIRS)))

    def count_running(self) -> int:
        return sum(s.record.run is not None for s in self._all(PAIRS))

    def count_attempted(self, since: datetime) -> int:
        return sum(at is not None and at > since for at in (s.record.attempted_at for s in self._all(PAIRS)))

    def count_refused(self, since: datetime) -> int:
        return sum(at is not None and at > since for at in (s.record.refused_at for s in self._all(PAIRS)))

    def pairs_of_client(self, client_id: str) -> Sequence[Stored[Pair]]:
        mine = [s for s in self._all(PAIRS) if s.record.client_id == client_id]
        return sorted(mine, key=lambda s: s.record.open_channel_id, reverse=True)

    def pairs_of_channel(self, channel_id: int) -> Sequence[Stored[Pair]]:
        found = [s for s in self._all(PAIRS) if channel_id in {s.record.open_channel_id, s.record.closed_channel_id}]
        return sorted(found, key=lambda s: (s.record.created_at, s.id))

    def all_pairs(self) -> Iterator[Stored[Pair]]:
        return iter(sorted(self._all(PAIRS), key=lambda s: s.id))

    def history(self, pair_id: str, *, before: datetime | None, limit: int) -> Sequence[Stored[HistoryEntry]]:
        runs = [
            s
            for s in self._all(HISTORY)
            if s.record.pair_id == pair_id and (before is None or s.record.run.claimed_at < before)
        ]
        return sorted(runs, key=lambda s: s.record.run.claimed_at, reverse=True)[:limit]

    def put_raw(self, collection: Collection[Any], id: str, raw: bytes) -> None:
        """Place bytes as another version of the code, or a slip by hand, could have left them."""
        with self._lock:
            self._records[collection.name, id] = (1, raw)

    def remove(self, collection: Collection[Any], id: str) -> None:
        """What TTL does with a record past its time."""
        with self._lock:
            del self._records[collection.name, id]

    def _all(self, collection: Collection[R]) -> list[Stored[R]]:
        with self._lock:
            self.queries += 1
            found = [(id, entry) for (name, id), entry in self._records.items() if name == collection.name]
        stored = [
            (id, version, collection.read_or_skip(id, partial(collection.decode, raw))) for id, (version, raw) in found
        ]
        now = self._clock.now()
        return [Stored(id, record, version, now) for id, version, record in stored if record is not None]

    def _stored(self, collection: Collection[R], id: str, found: tuple[int, bytes]) -> Stored[R]:
        version, raw = found
        return Stored(id, collection.decode(raw), version, self._clock.now())
