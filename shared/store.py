"""Where records live: get, create-if-absent, replace-if-unchanged on named collections, and a short fixed list of queries.

Errors:

    StoreError
    ├── StoreUnavailable   the store did not answer, or not in time: the event comes again
    ├── AlreadyExists      a record with this id is there
    ├── Changed            the record is not the one that was read, or the answer to a write was lost
    ├── NewerRecord        the record was written by a newer version of this code
    ├── Unreadable         what is stored is no record of its collection
    └── NoSuchRecord       update was asked for a record that is not there

A write whose answer was lost is reported as Changed although it was applied (the Firestore client repeats a commit by itself and
then stumbles over its own write). So whoever gets Changed reads again, and the rule asks first "was that me?".
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from shared.decision import Decision
from shared.logs import fields
from shared.pace import PACE_ID, Pace
from shared.pair import HistoryEntry, Pair

R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]

MOST_RACES = 12
"""A record that changes under a writer so many times running is treated as unavailable."""

log = logging.getLogger(__name__)


class StoreError(Exception):
    """Base of what a store raises."""


class StoreUnavailable(StoreError):
    """Raised when the store did not answer; nothing is known of a write that was on its way."""


class AlreadyExists(StoreError):
    """Raised by create when the id is taken."""


class Changed(StoreError):
    """Raised by replace when the record is not the one that was read, or the write's answer was lost."""


class NewerRecord(StoreError):
    """Raised when a record was written by a newer version of this code."""


class Unreadable(StoreError):
    """Raised when what is stored is no record of its collection."""


class NoSuchRecord(StoreError):
    """Raised by update for an id that is not there."""


class _Head(msgspec.Struct, frozen=True):
    v: int = 1


@dataclass(frozen=True)
class Collection(Generic[R]):
    """A named set of records of one kind, with the version of their form and the fields the queries need beside them.

    `upgrades[n]` brings a record of version n, as plain data, to version n + 1.
    """

    name: str
    kind: type[R]
    version: int
    indexed: Callable[[R], Mapping[str, Any]]
    upgrades: Mapping[int, Upgrade] = field(default_factory=dict)

    def encode(self, record: R) -> bytes:
        """The record as JSON."""
        return msgspec.json.encode(record)

    def decode(self, raw: bytes) -> R:
        """The record in this JSON, brought up to date. Raises NewerRecord and Unreadable."""
        try:
            version = msgspec.json.decode(raw, type=_Head).v
            if version == self.version:
                return msgspec.json.decode(raw, type=self.kind)
            return self.restore(msgspec.json.decode(raw))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Unreadable(f"a record in {self.name} cannot be read: {error}") from error

    def restore(self, plain: dict[str, Any]) -> R:
        """The record in this plain data, brought up to date. Raises NewerRecord and Unreadable."""
        version = plain.get("v", 1)
        if not isinstance(version, int) or version < 1:
            raise Unreadable(f"a record in {self.name} cannot be read: {version!r} is no version")
        if version > self.version:
            raise NewerRecord(
                f"a record in {self.name} has version {version} and this code knows {self.version}; deploy the newer code"
            )
        try:
            while version < self.version:
                plain = self.upgrades[version](plain)
                version += 1
            return msgspec.convert(plain, self.kind)
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError) as error:
            raise Unreadable(f"a record in {self.name} cannot be read: {error}") from error

    def read_or_skip(self, id: str, read: Callable[[], R]) -> R | None:
        """For queries: a record that cannot be read is logged loudly and left out, so that it hurts only itself."""
        try:
            return read()
        except (NewerRecord, Unreadable) as error:
            log.error("Record %s is left out: %s", id, error, extra=fields(event="record_unreadable", id=id))
            return None


def _pair_index(pair: Pair) -> Mapping[str, Any]:
    return {
        "wake_at": pair.wake_at,
        "running": pair.run is not None,
        "attempted_at": pair.attempted_at,
        "refused_at": pair.refused_at,
        "client_id": pair.client_id,
        "expire_at": pair.expire_at,
    }


def _history_index(entry: HistoryEntry) -> Mapping[str, Any]:
    return {"pair_id": entry.pair_id, "claimed_at": entry.run.claimed_at, "expire_at": entry.expire_at}


PAIRS = Collection("pairs", Pair, 1, _pair_index)
HISTORY = Collection("history", HistoryEntry, 1, _history_index)
PACE = Collection("pace", Pace, 1, lambda _: {})


@dataclass(frozen=True)
class Stored(Generic[R]):
    """A record as it was read at `read_at`, the store's own time; `version` is the store's mark of this state."""

    id: str
    record: R
    version: Any
    read_at: datetime


class Store(Protocol):
    """What a backend provides. Every method raises StoreUnavailable when the store does not answer."""

    def get(self, collection: Collection[R], id: str) -> Stored[R] | None:
        """The record, or None."""

    def create(self, collection: Collection[R], id: str, record: R) -> None:
        """Raises AlreadyExists, also when an earlier try of this very call was applied and its answer lost."""

    def replace(self, collection: Collection[R], stored: Stored[R], record: R) -> Stored[R]:
        """Write the record if it is still as `stored` was read; what is stored now. Raises Changed.

        A write that changes nothing may leave the version as it was (Firestore: "the previous update_time").
        """

    def due_pairs(self, now: datetime, limit: int, *, stuck: bool = False) -> Sequence[Stored[Pair]]:
        """Pairs with `wake_at <= now`, the longest due first; if `stuck`, only those with a run on.

        A record that cannot be read is logged and left out.
        """

    def count_due(self, now: datetime) -> int:
        """How many pairs have `wake_at <= now`, those with a run on too."""

    def count_running(self) -> int:
        """How many pairs have a run on."""

    def count_attempted(self, since: datetime) -> int:
        """How many pairs had a call to Telegram begun after this time (`attempted_at`)."""

    def count_refused(self, since: datetime) -> int:
        """How many pairs were refused for their own sake in a call begun after this time (`refused_at`)."""

    def pairs_of_client(self, client_id: str) -> Sequence[Stored[Pair]]:
        """All pairs of a client, ended ones too, by open channel id, the highest first."""

    def pairs_of_channel(self, channel_id: int) -> Sequence[Stored[Pair]]:
        """Pairs that name this channel as their open or their closed one, ended ones too, the oldest first."""

    def all_pairs(self) -> Iterator[Stored[Pair]]:
        """Every pair, by id."""

    def history(self, pair_id: str, *, before: datetime | None, limit: int) -> Sequence[Stored[HistoryEntry]]:
        """Finished runs of a pair claimed before this time, newest first."""


def update(
    store: Store,
    collection: Collection[R],
    id: str,
    decide: Callable[[R, datetime], Decision[R, T]],
    *,
    seen: Stored[R] | None = None,
) -> tuple[R, T]:
    """Read, decide, write if unchanged; a lost race reads and decides again. Returns the record as it is now, and the result.

    `seen` spares the first read. `decide` gets the record and the store's time. Raises NoSuchRecord and StoreUnavailable.
    """
    stored, result = update_stored(store, collection, id, decide, seen=seen)
    return stored.record, result


def update_stored(
    store: Store,
    collection: Collection[R],
    id: str,
    decide: Callable[[R, datetime], Decision[R, T]],
    *,
    seen: Stored[R] | None = None,
) -> tuple[Stored[R], T]:
    """Like update, for whoever writes the same record again soon: with what is stored now, the next write needs no read."""
    for _ in range(MOST_RACES):
        stored = seen if seen is not None else store.get(collection, id)
        seen = None
        if stored is None:
            raise NoSuchRecord(f"there is no record {id} in {collection.name}")
        decision = decide(stored.record, stored.read_at)
        if decision.archive is not None:
            archive(store, decision.archive)
        if decision.record is None:
            return stored, decision.result
        try:
            return store.replace(collection, stored, decision.record), decision.result
        except Changed:
            continue
    raise StoreUnavailable(f"record {id} in {collection.name} changed under the writer {MOST_RACES} times running")


def archive(store: Store, entry: HistoryEntry) -> None:
    """Keep a finished run in the history; of two states of one run the one with the higher revision stays."""
    for _ in range(MOST_RACES):
        try:
            return store.create(HISTORY, entry.run.run_id, entry)
        except AlreadyExists:
            stored = store.get(HISTORY, entry.run.run_id)
        if stored is None:
            continue
        if stored.record.run.revision >= entry.run.revision:
            return None
        try:
            store.replace(HISTORY, stored, entry)
        except Changed:
            continue
        return None
    raise StoreUnavailable(f"run {entry.run.run_id} changed in the history {MOST_RACES} times running")


def read_pace(store: Store) -> Stored[Pace]:
    """The pace document, made when it is first looked for."""
    stored = store.get(PACE, PACE_ID)
    if stored is not None:
        return stored
    try:
        store.create(PACE, PACE_ID, Pace())
    except AlreadyExists:
        log.debug("the pace document was made by another process")
    stored = store.get(PACE, PACE_ID)
    if stored is None:
        raise StoreUnavailable("the pace document was made and is not there")
    return stored


def update_pace(store: Store, decide: Callable[[Pace, datetime], Decision[Pace, T]]) -> T:
    """Read the pace, decide, write if unchanged."""
    return update(store, PACE, PACE_ID, decide, seen=read_pace(store))[1]
