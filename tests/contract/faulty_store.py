"""Stores that behave as stores do on a bad day: an answer is lost, or somebody else writes first."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from shared.pair import HistoryEntry, Pair
from shared.store import AlreadyExists, Changed, Collection, Store, Stored, StoreUnavailable

R = TypeVar("R", bound=msgspec.Struct)


class WrappedStore:
    """Hands everything on to the store inside."""

    def __init__(self, inside: Store) -> None:
        self._inside = inside

    def get(self, collection: Collection[R], id: str) -> Stored[R] | None:
        return self._inside.get(collection, id)

    def create(self, collection: Collection[R], id: str, record: R) -> None:
        self._inside.create(collection, id, record)

    def replace(self, collection: Collection[R], stored: Stored[R], record: R) -> Stored[R]:
        return self._inside.replace(collection, stored, record)

    def due_pairs(self, now: datetime, limit: int, *, stuck: bool = False) -> Sequence[Stored[Pair]]:
        return self._inside.due_pairs(now, limit, stuck=stuck)

    def count_due(self, now: datetime) -> int:
        return self._inside.count_due(now)

    def count_running(self) -> int:
        return self._inside.count_running()

    def count_attempted(self, since: datetime) -> int:
        return self._inside.count_attempted(since)

    def count_refused(self, since: datetime) -> int:
        return self._inside.count_refused(since)

    def pairs_of_client(self, client_id: str) -> Sequence[Stored[Pair]]:
        return self._inside.pairs_of_client(client_id)

    def pairs_of_channel(self, channel_id: int) -> Sequence[Stored[Pair]]:
        return self._inside.pairs_of_channel(channel_id)

    def all_pairs(self) -> Iterator[Stored[Pair]]:
        return self._inside.all_pairs()

    def history(self, pair_id: str, *, before: datetime | None, limit: int) -> Sequence[Stored[HistoryEntry]]:
        return self._inside.history(pair_id, before=before, limit=limit)


class LosesOneAnswer(WrappedStore):
    """Applies the first write and says that it failed: as taken, since the client repeats it by itself, or with no answer."""

    def __init__(self, inside: Store, *, unavailable: bool) -> None:
        super().__init__(inside)
        self._unavailable = unavailable
        self._lost = False

    def create(self, collection: Collection[R], id: str, record: R) -> None:
        super().create(collection, id, record)
        if self._lose():
            raise StoreUnavailable("no answer") if self._unavailable else AlreadyExists(id)

    def replace(self, collection: Collection[R], stored: Stored[R], record: R) -> Stored[R]:
        written = super().replace(collection, stored, record)
        if self._lose():
            raise StoreUnavailable("no answer") if self._unavailable else Changed(stored.id)
        return written

    def _lose(self) -> bool:
        first, self._lost = not self._lost, True
        return first


class LetsAnotherWriteFirst(WrappedStore):
    """Between the first read and the first write, somebody else writes."""

    def __init__(self, inside: Store, another: Callable[[Store], object]) -> None:
        super().__init__(inside)
        self._another: Callable[[Store], object] | None = another

    def create(self, collection: Collection[R], id: str, record: R) -> None:
        self._step_aside()
        super().create(collection, id, record)

    def replace(self, collection: Collection[R], stored: Stored[R], record: R) -> Stored[R]:
        self._step_aside()
        return super().replace(collection, stored, record)

    def _step_aside(self) -> None:
        another, self._another = self._another, None
        if another is not None:
            another(self._inside)
