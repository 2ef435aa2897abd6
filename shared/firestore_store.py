"""The store on Firestore: a document a record, the record as JSON in one field, the fields of the queries beside it.

The record is text, not a tree of Firestore values: it is the same bytes as on every other engine, needs one index exemption instead
of fifty, and costs a tenth of the time to encode. What the queries need stands beside it;
`infra/terraform/firestore.indexes.json` declares an index for each, and exempts the rest.

The client repeats a commit by itself when the connection breaks, and then stumbles over its own write: FailedPrecondition, or
AlreadyExists. Both are told as they are; whoever gets them reads again and asks "was that me?".
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import msgspec
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud import firestore
from google.cloud.firestore_v1.base_document import DocumentSnapshot
from google.cloud.firestore_v1.base_query import BaseQuery, FieldFilter
from google.cloud.firestore_v1.field_path import FieldPath

from shared.pair import HistoryEntry, Pair
from shared.settings import FIRESTORE_DATABASE, GOOGLE_CLOUD_PROJECT, SettingError, Settings
from shared.store import HISTORY, PAIRS, AlreadyExists, Changed, Collection, Stored, StoreUnavailable

R = TypeVar("R", bound=msgspec.Struct)

SECONDS = 10.0
"""All the time one call may take, its repetitions included; a handler has 100 s (a push subscription waits 150 s)."""
PAGE = 300
RECORD = "record"
CHANNELS = "channels"
RUNNING_UNTIL = "running_until"
"""`wake_at` while a run is on, and not there otherwise: finds what is stuck, and counts what runs, with one single-field index."""

TRANSIENT = (
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.ServiceUnavailable,
    exceptions.Unknown,
)
"""What says that Firestore did not do it, or not in time. Anything else is a fault of ours or of the set-up, and stays loud."""
AGAIN = Retry(
    predicate=if_exception_type(exceptions.Aborted, exceptions.ResourceExhausted, exceptions.ServiceUnavailable),
    initial=0.1,
    maximum=2.0,
    multiplier=2.0,
    timeout=SECONDS,
)


def open_firestore(settings: Settings) -> firestore.Client:
    """The client of the project and database these settings name; the emulator's where FIRESTORE_EMULATOR_HOST says so.

    Raises SettingError without a project or without credentials.
    """
    project = settings.get(GOOGLE_CLOUD_PROJECT)
    if not project:
        raise SettingError("GOOGLE_CLOUD_PROJECT is not set; set it to the id of the Google Cloud project.")
    try:
        return firestore.Client(project=project, database=settings.get(FIRESTORE_DATABASE))
    except DefaultCredentialsError:
        raise SettingError(
            "There are no Google Cloud credentials here; run `gcloud auth application-default login`,"
            " or set GOOGLE_APPLICATION_CREDENTIALS."
        ) from None


class FirestoreStore:
    """A store in one Firestore database. Safe to use from several threads and processes."""

    def __init__(self, client: firestore.Client) -> None:
        self._client = client

    @property
    def describe(self) -> str:
        """Where the records lie, for people."""
        emulator = os.environ.get("FIRESTORE_EMULATOR_HOST")
        where = f" (emulator at {emulator})" if emulator else ""
        return f"Firestore database {self._client._database} of project {self._client.project}{where}"

    def get(self, collection: Collection[R], id: str) -> Stored[R] | None:
        with _answering():
            snapshot = self._document(collection, id).get(retry=AGAIN, timeout=SECONDS)
        return _stored(collection, snapshot) if snapshot.exists else None

    def create(self, collection: Collection[R], id: str, record: R) -> None:
        with _answering():
            try:
                self._document(collection, id).create(
                    _present(_fields(collection, record)), retry=AGAIN, timeout=SECONDS
                )
            except exceptions.AlreadyExists:
                raise AlreadyExists(f"{collection.name} has a record {id} already") from None

    def replace(self, collection: Collection[R], stored: Stored[R], record: R) -> Stored[R]:
        batch = self._client.batch()
        gone = {name: firestore.DELETE_FIELD for name, value in _fields(collection, record).items() if value is None}
        batch.update(
            self._document(collection, stored.id),
            {**_present(_fields(collection, record)), **gone},
            option=self._client.write_option(last_update_time=stored.version),
        )
        with _answering():
            try:
                (result,) = batch.commit(retry=AGAIN, timeout=SECONDS)
            except (exceptions.FailedPrecondition, exceptions.NotFound):
                raise Changed(f"record {stored.id} in {collection.name} is not the one that was read") from None
        return Stored(stored.id, record, result.update_time, _plain(batch.commit_time))

    def due_pairs(self, now: datetime, limit: int, *, stuck: bool = False) -> Sequence[Stored[Pair]]:
        """A page that holds unreadable records is filled up from the next one, so that they never block the way."""
        field = RUNNING_UNTIL if stuck else "wake_at"
        query = self._query(PAIRS).where(filter=FieldFilter(field, "<=", now)).order_by(field)
        found: list[Stored[Pair]] = []
        for page in self._pages(query, limit):
            found += _readable(PAIRS, page)
            if len(found) >= limit:
                break
        return found[:limit]

    def count_due(self, now: datetime) -> int:
        return self._count(self._query(PAIRS).where(filter=FieldFilter("wake_at", "<=", now)).order_by("wake_at"))

    def count_running(self) -> int:
        return self._count(self._query(PAIRS).order_by(RUNNING_UNTIL))

    def count_attempted(self, since: datetime) -> int:
        return self._count_after("attempted_at", since)

    def count_refused(self, since: datetime) -> int:
        return self._count_after("refused_at", since)

    def pairs_of_client(self, client_id: str) -> Sequence[Stored[Pair]]:
        found = self._all(PAIRS, self._query(PAIRS).where(filter=FieldFilter("client_id", "==", client_id)))
        return sorted(found, key=lambda s: s.record.open_channel_id, reverse=True)

    def pairs_of_channel(self, channel_id: int) -> Sequence[Stored[Pair]]:
        found = self._all(PAIRS, self._query(PAIRS).where(filter=FieldFilter(CHANNELS, "array_contains", channel_id)))
        return sorted(found, key=lambda s: (s.record.created_at, s.id))

    def all_pairs(self) -> Iterator[Stored[Pair]]:
        for page in self._pages(self._query(PAIRS).order_by(FieldPath.document_id()), PAGE):
            yield from _readable(PAIRS, page)

    def history(self, pair_id: str, *, before: datetime | None, limit: int) -> Sequence[Stored[HistoryEntry]]:
        query = self._query(HISTORY).where(filter=FieldFilter("pair_id", "==", pair_id))
        if before is not None:
            query = query.where(filter=FieldFilter("claimed_at", "<", before))
        return self._all(HISTORY, query.order_by("claimed_at", direction=firestore.Query.DESCENDING).limit(limit))

    def _count_after(self, field: str, since: datetime) -> int:
        return self._count(self._query(PAIRS).where(filter=FieldFilter(field, ">", since)).order_by(field))

    def _count(self, query: BaseQuery) -> int:
        counting: Any = query.count()
        with _answering():
            ((count,),) = counting.get(retry=AGAIN, timeout=SECONDS)
        return int(count.value)

    def _document(self, collection: Collection[R], id: str) -> Any:
        return self._client.collection(collection.name).document(id)

    def _query(self, collection: Collection[R]) -> BaseQuery:
        return firestore.Query(self._client.collection(collection.name))

    def _pages(self, query: BaseQuery, size: int) -> Iterator[list[DocumentSnapshot[Any]]]:
        page = self._rows(query.limit(size))
        while page:
            yield page
            page = self._rows(query.start_after(page[-1]).limit(size)) if len(page) == size else []

    def _all(self, collection: Collection[R], query: BaseQuery) -> list[Stored[R]]:
        return _readable(collection, self._rows(query))

    def _rows(self, query: Any) -> list[DocumentSnapshot[Any]]:
        with _answering():
            return list(query.stream(retry=AGAIN, timeout=SECONDS))


@contextmanager
def _answering() -> Iterator[None]:
    """What Firestore could not do now becomes StoreUnavailable."""
    try:
        yield
    except (*TRANSIENT, exceptions.RetryError, GoogleAuthError) as error:
        raise StoreUnavailable(f"Firestore did not answer: {type(error).__name__}: {error}.") from error


def _fields(collection: Collection[R], record: R) -> Mapping[str, Any]:
    found = {RECORD: collection.encode(record).decode(), **collection.indexed(record)}
    if isinstance(record, Pair):
        running = found.pop("running")
        found[RUNNING_UNTIL] = record.wake_at if running else None
        found[CHANNELS] = [record.open_channel_id, record.closed_channel_id]
    return found


def _present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A field without a value is left out: it would cost an index entry."""
    return {name: value for name, value in fields.items() if value is not None}


def _readable(collection: Collection[R], snapshots: Sequence[DocumentSnapshot[Any]]) -> list[Stored[R]]:
    found = [collection.read_or_skip(s.id, partial(_decoded, collection, s)) for s in snapshots]
    return [
        Stored(snapshot.id, record, snapshot.update_time, _plain(snapshot.read_time))
        for snapshot, record in zip(snapshots, found, strict=True)
        if record is not None
    ]


def _stored(collection: Collection[R], snapshot: DocumentSnapshot[Any]) -> Stored[R]:
    return Stored(snapshot.id, _decoded(collection, snapshot), snapshot.update_time, _plain(snapshot.read_time))


def _decoded(collection: Collection[R], snapshot: DocumentSnapshot[Any]) -> R:
    raw = (snapshot.to_dict() or {}).get(RECORD)
    return collection.decode(raw.encode() if isinstance(raw, str) else b"")


def _plain(moment: Any) -> datetime:
    """The client's times carry nanoseconds in a class of their own, which records must not inherit."""
    return datetime.combine(moment.date(), moment.timetz())
