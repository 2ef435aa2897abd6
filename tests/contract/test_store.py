"""What every store promises, and what the rules make of a store on a bad day. One suite for all backends."""

import dataclasses
import logging
import types
import typing
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import Any, TypeVar
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.embedded import sqlite_store
from infra.embedded.database import Database
from infra.embedded.sqlite_store import SqliteStore
from shared import firestore_store
from shared.decision import Decision, unchanged
from shared.deliveries import GivenBack, Posted, Settle, Start, settle, start
from shared.firestore_store import RECORD, FirestoreStore
from shared.owner import Accepted, CoolingDown, Running, Trigger, trigger
from shared.pace import PACE_ID, Pace
from shared.pair import DeliveryState, HistoryEntry, Pair, Record, Run, replace
from shared.runs import RETRY_DELAYS, Claimed, NothingToPublish, claim, history_entry
from shared.store import (
    HISTORY,
    MOST_RACES,
    PACE,
    PAIRS,
    AlreadyExists,
    Changed,
    Collection,
    NewerRecord,
    NoSuchRecord,
    Store,
    Stored,
    StoreUnavailable,
    Unreadable,
    archive,
    read_pace,
    update,
    update_pace,
    update_stored,
)
from tests.clocks import NOON, ManualClock
from tests.contract.faulty_store import LetsAnotherWriteFirst, LosesOneAnswer, WrappedStore
from tests.emulators import firestore_client
from tests.memory.store import MemoryStore
from tests.pairs import OUTSIDER, OWNER, a_pair
from tests.runs import CLOSED, KICKED, OPEN, POLICY, at, claimed, delivered, failed, sent, started

R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")


@dataclass(frozen=True)
class Backend:
    """A store, its clock, and a way to place bytes as another version of the code, or a slip by hand, could have left them."""

    store: Store
    clock: ManualClock
    overwrite: Callable[[Collection[Any], str, bytes], None]


def _sqlite(request: pytest.FixtureRequest) -> Iterator[Backend]:
    folder: Path = request.getfixturevalue("tmp_path")
    database, clock = Database(folder / "records.db"), ManualClock()

    def overwrite(collection: Collection[Any], id: str, raw: bytes) -> None:
        assert database.execute(f"UPDATE {collection.name} SET body = ? WHERE id = ?", (raw, id)) == 1

    yield Backend(SqliteStore(database, clock), clock, overwrite)
    database.close()


def _memory(_: pytest.FixtureRequest) -> Iterator[Backend]:
    clock = ManualClock()
    store = MemoryStore(clock)
    yield Backend(store, clock, store.put_raw)


class AtManualTime(WrappedStore):
    """A store whose time is the test's: what it reads says so. That Firestore's own time is read is tested for itself."""

    def __init__(self, inside: Store, clock: ManualClock) -> None:
        super().__init__(inside)
        self._clock = clock

    def get(self, collection: Collection[R], id: str) -> Stored[R] | None:
        stored = super().get(collection, id)
        return None if stored is None else dataclasses.replace(stored, read_at=self._clock.now())

    def replace(self, collection: Collection[R], stored: Stored[R], record: R) -> Stored[R]:
        return dataclasses.replace(super().replace(collection, stored, record), read_at=self._clock.now())


def _firestore(request: pytest.FixtureRequest) -> Iterator[Backend]:
    clock = ManualClock()
    client = firestore_client(request.getfixturevalue("firestore_emulator"))

    def overwrite(collection: Collection[Any], id: str, raw: bytes) -> None:
        text: str | bytes = raw
        with suppress(UnicodeDecodeError):
            text = raw.decode()
        client.collection(collection.name).document(id).update({RECORD: text})

    yield Backend(AtManualTime(FirestoreStore(client), clock), clock, overwrite)
    client.close()  # type: ignore[no-untyped-call]  # the library has no types here


FIRESTORE = pytest.param(_firestore, marks=[pytest.mark.server, pytest.mark.xdist_group("firestore")], id="firestore")


@pytest.fixture(params=[pytest.param(_memory, id="memory"), pytest.param(_sqlite, id="sqlite"), FIRESTORE])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    yield from request.param(request)


@pytest.fixture
def store(backend: Backend) -> Store:
    return backend.store


def put(store: Store, *pairs: Pair) -> None:
    for pair in pairs:
        store.create(PAIRS, pair.id, pair)


def read(store: Store, pair: Pair) -> Stored[Pair]:
    stored = store.get(PAIRS, pair.id)
    assert stored is not None
    return stored


def run_of(store: Store, pair: Pair) -> Run:
    run = read(store, pair).record.run
    assert run is not None
    return run


def together(*actions: Callable[[], T]) -> list[T | Exception]:
    """Run the actions in threads that all begin at the same moment; what each returned or raised."""
    barrier = Barrier(len(actions), timeout=10)

    def act(action: Callable[[], T]) -> T | Exception:
        barrier.wait()
        try:
            return action()
        except Exception as error:  # noqa: BLE001  it is the result
            return error

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(act, actions))


def pressed(pair: Pair) -> Decision[Pair, None]:
    return Decision(replace(pair, manual_trigger_count=pair.manual_trigger_count + 1), None)


# --- records ----------------------------------------------------------------------------------------------------------


def test_what_was_created_is_read_with_the_stores_time(backend: Backend) -> None:
    pair = a_pair()

    put(backend.store, pair)
    backend.clock.advance(7)

    stored = read(backend.store, pair)
    assert stored.id == pair.id
    assert stored.record == pair
    assert stored.read_at == at(seconds=7)


def test_an_id_nobody_created_is_none(store: Store) -> None:
    assert store.get(PAIRS, a_pair().id) is None


def test_collections_do_not_mix(store: Store) -> None:
    pair = a_pair()

    put(store, pair)

    assert store.get(HISTORY, pair.id) is None


def test_an_id_is_created_once_and_the_first_record_stays(store: Store) -> None:
    pair = a_pair()
    put(store, pair)

    with pytest.raises(AlreadyExists):
        store.create(PAIRS, pair.id, replace(pair, open_channel_title="Another"))

    assert read(store, pair).record == pair


def test_a_record_is_replaced_if_it_is_as_it_was_read(store: Store) -> None:
    pair = a_pair()
    put(store, pair)

    store.replace(PAIRS, read(store, pair), replace(pair, open_channel_title="Another"))

    assert read(store, pair).record.open_channel_title == "Another"


def test_a_record_is_not_replaced_if_it_changed_meanwhile(store: Store) -> None:
    pair = a_pair()
    put(store, pair)
    seen = read(store, pair)
    store.replace(PAIRS, seen, replace(pair, open_channel_title="Theirs"))

    with pytest.raises(Changed):
        store.replace(PAIRS, seen, replace(pair, open_channel_title="Mine"))

    assert read(store, pair).record.open_channel_title == "Theirs"


def test_a_record_changed_there_and_back_is_still_changed(store: Store) -> None:
    pair = a_pair()
    put(store, pair)
    seen = read(store, pair)
    store.replace(PAIRS, seen, replace(pair, open_channel_title="Another"))
    store.replace(PAIRS, read(store, pair), pair)

    with pytest.raises(Changed):
        store.replace(PAIRS, seen, pair)


def test_a_record_that_is_not_there_is_not_replaced(store: Store) -> None:
    there, pair = a_pair(1), a_pair(2)
    put(store, there)

    with pytest.raises(Changed):
        store.replace(PAIRS, dataclasses.replace(read(store, there), id=pair.id), pair)

    assert store.get(PAIRS, pair.id) is None


def test_what_replace_answers_is_good_for_the_next_write(backend: Backend) -> None:
    store, pair = backend.store, a_pair()
    put(store, pair)
    backend.clock.advance(3)

    written = store.replace(PAIRS, read(store, pair), replace(pair, open_channel_title="Second"))
    store.replace(PAIRS, written, replace(written.record, open_channel_title="Third"))

    assert written == Stored(pair.id, replace(pair, open_channel_title="Second"), written.version, at(seconds=3))
    assert read(store, pair).record.open_channel_title == "Third"


def _values(kind: Any) -> st.SearchStrategy[Any]:
    """Every value a field of this type can hold in a record."""
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text(),
        int: st.integers(-(2**63), 2**63 - 1),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
        type(None): st.none(),
        datetime: st.datetimes(timezones=st.just(UTC)),
        Decimal: st.decimals(allow_nan=False, allow_infinity=False),
    }
    if kind in simple:
        return simple[kind]
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        return st.one_of(*map(_values, typing.get_args(kind)))
    if typing.get_origin(kind) is tuple:
        return st.lists(_values(typing.get_args(kind)[0]), max_size=3).map(tuple)
    return st.sampled_from(list(kind)) if issubclass(kind, Enum) else _records(kind)


def _records(kind: type[Record]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    fields = {name: st.just(1) if name == "v" else _values(hint) for name, hint in hints.items()}
    return st.builds(kind, **fields)


RECORDS = {collection.name: _records(collection.kind) for collection in (PAIRS, HISTORY, PACE)}


@pytest.mark.parametrize("collection", [PAIRS, HISTORY, PACE], ids=lambda c: c.name)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_record_comes_back_byte_for_byte_in_every_field(
    store: Store, collection: Collection[Any], data: st.DataObject
) -> None:
    before, after = data.draw(RECORDS[collection.name]), data.draw(RECORDS[collection.name])
    id = str(uuid4())

    store.create(collection, id, before)
    created = store.get(collection, id)
    assert created is not None
    store.replace(collection, created, after)
    replaced = store.get(collection, id)

    assert replaced is not None
    assert (created.record, replaced.record) == (before, after)
    assert collection.encode(created.record) == collection.encode(before)
    assert collection.encode(replaced.record) == collection.encode(after)


def test_texts_prices_and_microseconds_come_back_as_they_were(store: Store) -> None:
    pair = a_pair(
        open_channel_title="⚓️ Häfen 港 מעגן \u0000 '\"<&>",
        sub_1_price=Decimal("5.00"),
        next_send_time=NOON.replace(microsecond=123457),
    )

    put(store, pair)

    record = read(store, pair).record
    assert record.open_channel_title == "⚓️ Häfen 港 מעגן \u0000 '\"<&>"
    assert str(record.sub_1_price) == "5.00"
    assert record.next_send_time == datetime(2026, 6, 1, 12, 0, 0, 123457, tzinfo=UTC)


# --- queries ----------------------------------------------------------------------------------------------------------


def due(store: Store, now: datetime = NOON, limit: int = 100) -> list[str]:
    return [stored.record.open_channel_title for stored in store.due_pairs(now, limit)]


def named(title: str, number: int, **changes: Any) -> Pair:
    return a_pair(number, open_channel_title=title, **changes)


def test_due_pairs_come_longest_due_first(store: Store) -> None:
    put(
        store,
        named("second", 1, next_send_time=at(minutes=-2)),
        named("third", 2, next_send_time=at(minutes=-1)),
        named("first", 3, next_send_time=at(minutes=-3)),
    )

    assert due(store) == ["first", "second", "third"]


def test_no_more_due_pairs_come_than_asked_for(store: Store) -> None:
    put(store, *(named(str(n), n, next_send_time=at(minutes=n - 9)) for n in range(5)))

    assert due(store, limit=2) == ["0", "1"]
    assert due(store, limit=5) == ["0", "1", "2", "3", "4"]


def test_stuck_are_the_due_pairs_with_a_run_on_however_many_others_are_longer_due(store: Store) -> None:
    put(
        store,
        *(named(str(n), n, next_send_time=at(hours=-9)) for n in range(5)),
        named("stuck", 5, next_send_time=at(hours=-1)),
        named("under way", 6, next_send_time=at(hours=-1)),
    )
    for title, began in (("stuck", at(minutes=-10)), ("under way", NOON)):
        (stored,) = [s for s in store.all_pairs() if s.record.open_channel_title == title]
        begun = claim(stored.record, now=began, run_id=title, policy=POLICY).record
        assert begun is not None
        store.replace(PAIRS, stored, begun)

    found = store.due_pairs(NOON, 2, stuck=True)

    assert [s.record.open_channel_title for s in found] == ["stuck"]


def test_a_pair_is_due_at_its_very_microsecond_and_not_before(store: Store) -> None:
    put(store, named("now", 1, next_send_time=at(microseconds=1)))

    assert due(store, at(microseconds=1)) == ["now"]
    assert due(store, NOON) == []


def test_a_pair_without_a_time_is_never_due(store: Store) -> None:
    put(store, named("paused", 1, is_active=False), named("timeless", 2, next_send_time=None))

    assert due(store, at(days=5000)) == []


def test_a_running_pair_is_due_when_the_first_of_its_deliveries_is(store: Store) -> None:
    running = started(claimed(named("running", 1)), OPEN, now=at(seconds=10))
    put(store, running)

    assert due(store, at(seconds=129)) == []
    assert due(store, at(seconds=130)) == ["running"]


def test_a_written_pair_is_due_by_what_was_written_last(store: Store) -> None:
    pair = named("moved", 1, next_send_time=at(hours=1))
    put(store, pair)

    store.replace(PAIRS, read(store, pair), replace(pair, next_send_time=at(minutes=-1)))

    assert due(store) == ["moved"]


NEWER = msgspec.json.encode(a_pair()).replace(b'"v":1', b'"v":2')
NAIVE = msgspec.json.encode(a_pair()).replace(
    b'"next_send_time":"2026-06-01T12:00:00Z"', b'"next_send_time":"2026-06-01T12:00:00"'
)
UNREADABLE = {
    "a newer version": NEWER,
    "no version there ever was": NEWER.replace(b'"v":2', b'"v":0'),
    "half a record": NEWER[:40],
    "no JSON": b"<html>",
    "no UTF-8": b'{"v":1,"id":"\xff"}',
    "a list": b"[]",
    "a missing field": b'{"v":1,"id":"x"}',
    "a field of another type": NEWER.replace(b'"v":2', b'"v":1').replace(b'"sub_1_time":30', b'"sub_1_time":"thirty"'),
    "a time without a zone": NAIVE,
}


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_records_that_cannot_be_read_are_logged_and_hold_no_other_pair_up(
    backend: Backend, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    broken = [a_pair(n, next_send_time=at(hours=-n)) for n in range(1, 4)]
    put(backend.store, *broken, named("good", 9), named("better", 8, next_send_time=at(minutes=-1)))
    for pair in broken:
        backend.overwrite(PAIRS, pair.id, raw)

    with caplog.at_level(logging.ERROR):
        found = due(backend.store, limit=2)

    assert found == ["better", "good"]
    assert all(any(pair.id in line for line in caplog.messages) for pair in broken)


def test_a_record_that_cannot_be_read_is_refused_when_it_is_asked_for(backend: Backend) -> None:
    pair = a_pair()
    put(backend.store, pair)
    backend.overwrite(PAIRS, pair.id, UNREADABLE["half a record"])

    with pytest.raises(Unreadable, match="a record in pairs cannot be read"):
        backend.store.get(PAIRS, pair.id)


def test_as_many_pairs_are_counted_as_due_as_there_are(store: Store) -> None:
    put(store, a_pair(1), a_pair(2, next_send_time=at(seconds=1)), a_pair(3, next_send_time=None), claimed(a_pair(4)))

    for moment, due_then in ((at(seconds=-1), 0), (NOON, 1), (at(seconds=1), 2), (at(seconds=181), 3)):
        assert store.count_due(moment) == len(store.due_pairs(moment, 10)) == due_then


def test_runs_on_are_counted_and_finished_ones_are_not(store: Store) -> None:
    put(store, claimed(a_pair(1)), started(claimed(a_pair(2)), OPEN), sent(claimed(a_pair(3))), a_pair(4))

    assert store.count_running() == 2


def test_pairs_tried_and_pairs_refused_are_counted_from_a_moment_on(store: Store) -> None:
    put(
        store,
        failed(claimed(a_pair(1)), NOON),
        failed(claimed(a_pair(2)), at(seconds=1)),
        sent(claimed(a_pair(3)), now=at(seconds=1)),
        started(claimed(a_pair(4)), OPEN, at(seconds=2)),
        claimed(a_pair(5)),
    )

    assert (store.count_attempted(at(microseconds=-1)), store.count_refused(at(microseconds=-1))) == (4, 2)
    assert (store.count_attempted(NOON), store.count_refused(NOON)) == (3, 1)
    assert (store.count_attempted(at(seconds=1)), store.count_refused(at(seconds=1))) == (1, 0)
    assert (store.count_attempted(at(seconds=2)), store.count_refused(at(seconds=2))) == (0, 0)


def test_a_pair_that_was_posted_after_all_is_not_counted_as_refused_any_more(store: Store) -> None:
    pair = failed(claimed(a_pair()), NOON)
    put(store, pair)
    later = NOON + RETRY_DELAYS[0]
    posted = delivered(claimed(pair, "run-2", later), CLOSED, Posted(12, later), later)

    store.replace(PAIRS, read(store, pair), posted)

    assert store.count_refused(at(days=-1)) == 0
    assert store.count_attempted(NOON) == 1


def test_a_client_sees_all_pairs_of_its_own_with_the_highest_channel_first(store: Store) -> None:
    put(store, a_pair(2), a_pair(1), a_pair(3, ended_at=NOON, is_active=False), a_pair(4, client_id=OUTSIDER))

    found = [stored.record.open_channel_id for stored in store.pairs_of_client(OWNER)]

    assert found == [a_pair(n).open_channel_id for n in (1, 2, 3)]


def test_all_pairs_come_once_and_by_id_however_many_pages_they_fill(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_store, "PAGE", 3)
    monkeypatch.setattr(firestore_store, "PAGE", 3)
    pairs = sorted((a_pair(n) for n in range(11)), key=lambda pair: pair.id)
    put(backend.store, *pairs)
    for pair in pairs[3:6]:
        backend.overwrite(PAIRS, pair.id, b"a page that cannot be read")

    found = [stored.id for stored in backend.store.all_pairs()]

    assert found == [pair.id for pair in pairs[:3] + pairs[6:]]


def ran(pair: Pair, run_id: str, **elapsed: float) -> HistoryEntry:
    now = at(**elapsed)
    finished = sent(claimed(replace(pair, next_send_time=now), run_id, now), now=now)
    assert finished.last_broadcast is not None
    return history_entry(pair.id, finished.last_broadcast)


@pytest.fixture
def runs(store: Store) -> list[str]:
    """Five runs of one pair, one of another."""
    entries = [ran(a_pair(1), f"run-{n}", days=n) for n in (3, 1, 5, 2, 4)]
    for entry in (*entries, ran(a_pair(2), "theirs", days=3)):
        archive(store, entry)
    return [entry.run.run_id for entry in entries]


@pytest.mark.usefixtures("runs")
def test_history_comes_newest_first_and_of_one_pair(store: Store) -> None:
    found = store.history(a_pair(1).id, before=None, limit=10)

    assert [s.record.run.run_id for s in found] == ["run-5", "run-4", "run-3", "run-2", "run-1"]
    assert all(s.id == s.record.run.run_id for s in found)


@pytest.mark.usefixtures("runs")
def test_history_can_be_paged_without_a_run_twice_or_missing(store: Store) -> None:
    first = store.history(a_pair(1).id, before=None, limit=2)
    second = store.history(a_pair(1).id, before=first[-1].record.run.claimed_at, limit=2)

    assert [s.id for s in first] == ["run-5", "run-4"]
    assert [s.id for s in second] == ["run-3", "run-2"]


@pytest.mark.usefixtures("runs")
def test_a_run_that_cannot_be_read_is_left_out_of_the_history(backend: Backend) -> None:
    backend.overwrite(HISTORY, "run-5", b"{}")

    found = backend.store.history(a_pair(1).id, before=None, limit=10)

    assert [s.id for s in found] == ["run-4", "run-3", "run-2", "run-1"]


# --- several writers --------------------------------------------------------------------------------------------------


def test_of_two_who_replace_what_both_read_exactly_one_wins(store: Store) -> None:
    pair = a_pair()
    put(store, pair)

    for number in range(20):
        seen = read(store, pair)
        mine, theirs = (replace(pair, open_channel_title=f"{who} {number}") for who in ("mine", "theirs"))
        results = together(partial(store.replace, PAIRS, seen, mine), partial(store.replace, PAIRS, seen, theirs))

        winners = [r for r in results if isinstance(r, Stored)]
        assert [type(r) for r in results if r not in winners] == [Changed]
        assert read(store, pair).record == winners[0].record


def test_of_many_who_create_one_id_exactly_one_wins(store: Store) -> None:
    for number in range(5):
        pair = a_pair(number)
        authors = [replace(pair, created_by=f"importer {n}") for n in range(8)]

        results = together(*(partial(store.create, PAIRS, pair.id, record) for record in authors))

        assert [type(r) for r in results if r is not None] == [AlreadyExists] * 7
        assert read(store, pair).record == authors[results.index(None)]


def test_no_update_is_lost_among_many_at_once(store: Store) -> None:
    pair = a_pair()
    put(store, pair)

    for _ in range(5):
        results = together(*[lambda: update(store, PAIRS, pair.id, lambda p, _: pressed(p))] * 8)
        assert not [r for r in results if isinstance(r, Exception)]

    assert read(store, pair).record.manual_trigger_count == 40


# --- read, decide, write ----------------------------------------------------------------------------------------------


def test_an_update_answers_the_record_as_it_is_now_and_the_result(backend: Backend) -> None:
    store, pair = backend.store, a_pair()
    put(store, pair)
    backend.clock.advance(5)

    record, result = update(store, PAIRS, pair.id, lambda p, now: Decision(pressed(p).record, now))

    assert record == read(store, pair).record
    assert record.manual_trigger_count == 1
    assert result == at(seconds=5)


def test_an_update_that_changes_nothing_writes_nothing(store: Store) -> None:
    pair = a_pair()
    put(store, pair)
    before = read(store, pair)

    record, result = update(store, PAIRS, pair.id, lambda _, __: unchanged("as it was"))

    assert (record, result) == (pair, "as it was")
    assert read(store, pair).version == before.version


def test_an_update_after_another_writer_decides_on_what_that_one_left(store: Store) -> None:
    pair = a_pair()
    put(store, pair)
    raced = LetsAnotherWriteFirst(store, lambda s: update(s, PAIRS, pair.id, lambda p, _: pressed(p)))

    record, _ = update(raced, PAIRS, pair.id, lambda p, _: pressed(p))

    assert record.manual_trigger_count == 2


def test_an_update_of_what_was_seen_before_reads_only_after_a_lost_race(store: Store) -> None:
    pair = a_pair()
    put(store, pair)
    seen = read(store, pair)
    update(store, PAIRS, pair.id, lambda p, _: pressed(p))

    written, _ = update_stored(store, PAIRS, pair.id, lambda p, _: pressed(p), seen=seen)
    update_stored(_Blind(store), PAIRS, pair.id, lambda p, _: pressed(p), seen=written)

    assert read(store, pair).record.manual_trigger_count == 3


class _Blind(WrappedStore):
    def get(self, collection: Collection[R], id: str) -> Stored[R] | None:
        raise AssertionError(f"{id} in {collection.name} was read")


def test_an_update_of_a_record_that_is_not_there_says_so(store: Store) -> None:
    with pytest.raises(NoSuchRecord, match="no record nobody in pairs"):
        update(store, PAIRS, "nobody", lambda p, _: pressed(p))


def test_an_update_that_always_loses_gives_up_as_unavailable(store: Store) -> None:
    pair = a_pair()
    put(store, pair)

    def meanwhile(pair: Pair, _: datetime) -> Decision[Pair, None]:
        seen = read(store, pair)
        store.replace(PAIRS, seen, replace(seen.record, total_broadcasts=seen.record.total_broadcasts + 1))
        return pressed(pair)

    with pytest.raises(StoreUnavailable, match=f"{MOST_RACES} times running"):
        update(store, PAIRS, pair.id, meanwhile)

    assert read(store, pair).record.manual_trigger_count == 0


def test_the_pace_document_is_made_once_by_whoever_looks_first(store: Store) -> None:
    found = together(*[lambda: read_pace(store)] * 6)

    assert {repr(s.record) if isinstance(s, Stored) else s for s in found} == {repr(Pace())}
    assert update_pace(store, lambda pace, _: Decision(replace(pace, next_slot=NOON), "reserved")) == "reserved"
    assert read_pace(store).record.next_slot == NOON


# --- was that me? -----------------------------------------------------------------------------------------------------

LOST = pytest.mark.parametrize("unavailable", [False, True], ids=["answered changed", "not answered"])


def decide(store: Store, pair: Pair, rule: Callable[..., Decision[Pair, T]]) -> T:
    """Read, decide, write; a store that did not answer is asked once more, as a handler is when its event comes again."""

    def step(pair: Pair, now: datetime) -> Decision[Pair, T]:
        return rule(pair, now=now)

    try:
        return update(store, PAIRS, pair.id, step)[1]
    except StoreUnavailable:
        return update(store, PAIRS, pair.id, step)[1]


def claim_by(run_id: str) -> Callable[..., Decision[Pair, Claimed | NothingToPublish]]:
    return partial(claim, run_id=run_id, policy=POLICY)


def trigger_by(run_id: str) -> Callable[..., Decision[Pair, Trigger]]:
    return partial(trigger, run_id=run_id, by=OWNER, policy=POLICY)


def start_by(attempt_id: str) -> Callable[..., Decision[Pair, Start]]:
    return partial(start, run_id="run-1", channel=OPEN, attempt_id=attempt_id)


def ended(attempt_id: str, outcome: Any) -> Callable[..., Decision[Pair, Settle]]:
    return partial(settle, channel=OPEN, attempt_id=attempt_id, outcome=outcome)


@LOST
def test_a_claim_whose_answer_was_lost_is_recognised_and_made_once(store: Store, unavailable: bool) -> None:
    pair = a_pair()
    put(store, pair)

    result = decide(LosesOneAnswer(store, unavailable=unavailable), pair, claim_by("mine"))

    assert result == Claimed("mine", (OPEN, CLOSED))
    assert run_of(store, pair).run_id == "mine"


def test_anothers_claim_is_not_taken_for_ones_own(store: Store) -> None:
    pair = a_pair()
    put(store, pair)
    raced = LetsAnotherWriteFirst(store, lambda s: decide(s, pair, claim_by("theirs")))

    result = decide(raced, pair, claim_by("mine"))

    assert result == NothingToPublish()
    assert run_of(store, pair).run_id == "theirs"


def test_of_many_who_claim_at_once_exactly_one_publishes(store: Store) -> None:
    for number in range(5):
        pair = a_pair(number)
        put(store, pair)

        results = together(*(partial(decide, store, pair, claim_by(f"run-{n}")) for n in range(6)))

        winners = [r for r in results if isinstance(r, Claimed)]
        assert [type(r) for r in results if r not in winners] == [NothingToPublish] * 5
        assert [w.run_id for w in winners] == [run_of(store, pair).run_id]


@LOST
def test_a_trigger_whose_answer_was_lost_is_accepted_and_counted_once(store: Store, unavailable: bool) -> None:
    pair = a_pair()
    put(store, pair)

    result = decide(LosesOneAnswer(store, unavailable=unavailable), pair, trigger_by("mine"))

    assert result == Accepted("mine", (OPEN, CLOSED))
    assert read(store, pair).record.manual_trigger_count == 1
    assert run_of(store, pair).run_id == "mine"


@LOST
def test_a_trigger_that_took_up_a_stuck_run_is_recognised_as_well(backend: Backend, unavailable: bool) -> None:
    store, pair = backend.store, a_pair()
    put(store, pair)
    decide(store, pair, trigger_by("first"))
    backend.clock.advance(301)

    result = decide(LosesOneAnswer(store, unavailable=unavailable), pair, trigger_by("second"))

    assert result == Accepted("first", (OPEN, CLOSED))
    assert read(store, pair).record.manual_trigger_count == 2


@pytest.mark.parametrize(
    ("theirs", "refusal"),
    [(trigger_by("theirs"), CoolingDown(300)), (claim_by("theirs"), Running())],
    ids=["another click", "the tick"],
)
def test_anothers_run_is_not_taken_for_ones_own_trigger(
    store: Store, theirs: Callable[..., Decision[Pair, object]], refusal: Trigger
) -> None:
    pair = a_pair()
    put(store, pair)
    raced = LetsAnotherWriteFirst(store, lambda s: decide(s, pair, theirs))

    result = decide(raced, pair, trigger_by("mine"))

    assert result == refusal
    assert run_of(store, pair).run_id == "theirs"


@LOST
def test_a_start_whose_answer_was_lost_goes_and_counts_one_try(store: Store, unavailable: bool) -> None:
    pair = claimed(a_pair())
    put(store, pair)

    result = decide(LosesOneAnswer(store, unavailable=unavailable), pair, start_by("mine"))

    assert result is Start.GO
    assert (run_of(store, pair).open.attempt_id, run_of(store, pair).open.tries) == ("mine", 1)


def test_anothers_start_is_not_taken_for_ones_own(store: Store) -> None:
    pair = claimed(a_pair())
    put(store, pair)
    raced = LetsAnotherWriteFirst(store, lambda s: decide(s, pair, start_by("theirs")))

    result = decide(raced, pair, start_by("mine"))

    assert result is Start.STALE
    assert (run_of(store, pair).open.attempt_id, run_of(store, pair).open.tries) == ("theirs", 1)


@LOST
def test_a_settle_whose_answer_was_lost_counts_once(store: Store, unavailable: bool) -> None:
    before = delivered(claimed(sent(claimed(a_pair(), "run-0"), (1, 2)), "run-1", at(days=1)), CLOSED, Posted(22, NOON))
    pair = started(before, OPEN, now=at(days=1), attempt_id="mine")
    put(store, pair)

    result = decide(LosesOneAnswer(store, unavailable=unavailable), pair, ended("mine", Posted(12, at(days=1))))

    record = read(store, pair).record
    assert result is Settle.SETTLED
    assert record.total_broadcasts == 2
    assert record.open_live is not None
    assert record.open_live.message_id == 12
    assert [(r.message_id, r.named) for r in record.open_replaced] == [(1, 1)]


@LOST
def test_a_refusal_whose_answer_was_lost_is_one_failure(store: Store, unavailable: bool) -> None:
    pair = started(delivered(claimed(a_pair()), CLOSED, Posted(22, NOON)), OPEN, attempt_id="mine")
    put(store, pair)

    result = decide(LosesOneAnswer(store, unavailable=unavailable), pair, ended("mine", KICKED))

    assert result is Settle.SETTLED
    assert read(store, pair).record.consecutive_failures == 1


@LOST
def test_a_message_given_back_stays_queued_though_the_answer_was_lost(store: Store, unavailable: bool) -> None:
    pair = started(claimed(a_pair()), OPEN, attempt_id="mine")
    put(store, pair)
    given_back = GivenBack(until=at(seconds=35), why="Too Many Requests: retry after 35")

    decide(LosesOneAnswer(store, unavailable=unavailable), pair, ended("mine", given_back))

    assert run_of(store, pair).open.state is DeliveryState.QUEUED
    assert run_of(store, pair).open.until == at(seconds=35)


def test_settles_of_both_messages_at_once_are_both_recorded(store: Store) -> None:
    for number in range(5):
        pair = started(started(claimed(a_pair(number)), OPEN, attempt_id="a"), CLOSED, attempt_id="b")
        put(store, pair)
        closed = partial(settle, channel=CLOSED, attempt_id="b", outcome=Posted(21, NOON))

        results = together(
            partial(decide, store, pair, ended("a", Posted(11, NOON))), partial(decide, store, pair, closed)
        )

        assert results == [Settle.SETTLED, Settle.SETTLED]
        assert read(store, pair).record.successful_broadcasts == 1


# --- history ----------------------------------------------------------------------------------------------------------


@LOST
@pytest.mark.parametrize("rule", [claim_by("mine"), trigger_by("mine")], ids=["claim", "trigger"])
def test_the_run_before_is_in_the_history_once_whatever_answer_was_lost(
    backend: Backend, rule: Callable[..., Decision[Pair, object]], unavailable: bool
) -> None:
    store, pair = backend.store, sent(claimed(a_pair(), "before"))
    put(store, pair)
    backend.clock.advance(24 * 3600)

    decide(LosesOneAnswer(store, unavailable=unavailable), pair, rule)

    assert [s.id for s in store.history(pair.id, before=None, limit=10)] == ["before"]
    assert run_of(store, pair).run_id == "mine"


def revised(revision: int) -> HistoryEntry:
    entry = ran(a_pair(), "run-1")
    return replace(entry, run=replace(entry.run, revision=revision, by=f"revision {revision}"))


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_of_several_states_of_one_run_the_newest_stays(store: Store, order: tuple[int, ...]) -> None:
    for revision in order:
        archive(store, revised(revision))

    stored = store.get(HISTORY, "run-1")

    assert stored is not None
    assert stored.record == revised(3)


def test_the_newest_state_stays_though_another_writer_comes_first(store: Store) -> None:
    archive(store, revised(1))

    archive(LetsAnotherWriteFirst(store, lambda s: archive(s, revised(2))), revised(3))
    archive(LetsAnotherWriteFirst(store, lambda s: archive(s, revised(5))), revised(4))

    stored = store.get(HISTORY, "run-1")
    assert stored is not None
    assert stored.record == revised(5)


def test_of_many_who_archive_at_once_the_newest_state_stays(store: Store) -> None:
    together(*(partial(archive, store, revised(n)) for n in range(8)))

    stored = store.get(HISTORY, "run-1")
    assert stored is not None
    assert stored.record == revised(7)


# --- versions ---------------------------------------------------------------------------------------------------------


class Lamp(Record, frozen=True, kw_only=True):
    """A record that has had three forms: `lit: 0/1`, `lit: bool`, `state: on/off`."""

    v: int = 3
    state: str


def _to_bool(plain: dict[str, Any]) -> dict[str, Any]:
    return {**plain, "v": 2, "lit": bool(plain["lit"])}


def _to_words(plain: dict[str, Any]) -> dict[str, Any]:
    return {"v": 3, "state": "on" if plain["lit"] is True else "off"}


LAMPS: Collection[Lamp] = Collection("pace", Lamp, 3, lambda _: {}, upgrades={1: _to_bool, 2: _to_words})


def planted(backend: Backend, raw: bytes) -> Store:
    backend.store.create(PACE, PACE_ID, Pace())
    backend.overwrite(PACE, PACE_ID, raw)
    return backend.store


@pytest.mark.parametrize(
    "raw",
    [b'{"lit":1}', b'{"v":1,"lit":1}', b'{"v":2,"lit":true}', b'{"v":3,"state":"on"}'],
    ids=["before versions", "first", "second", "third"],
)
def test_an_older_record_is_brought_up_to_date_when_it_is_read(backend: Backend, raw: bytes) -> None:
    stored = planted(backend, raw).get(LAMPS, PACE_ID)

    assert stored is not None
    assert stored.record == Lamp(state="on")


def test_an_upgraded_record_is_written_in_its_new_form(backend: Backend) -> None:
    store = planted(backend, b'{"v":1,"lit":0}')

    update(store, LAMPS, PACE_ID, lambda lamp, _: Decision(replace(lamp, state=lamp.state + "!"), None))

    newest: Collection[Lamp] = Collection("pace", Lamp, 3, lambda _: {})
    stored = store.get(newest, PACE_ID)
    assert stored is not None
    assert stored.record == Lamp(state="off!")


def test_a_newer_record_is_refused_with_a_sentence_and_left_as_it_is(backend: Backend) -> None:
    store = planted(backend, b'{"v":4,"glow":7}')

    with pytest.raises(NewerRecord, match="in pace has version 4 and this code knows 3; deploy the newer code"):
        update(store, LAMPS, PACE_ID, lambda lamp, _: Decision(lamp, None))

    with pytest.raises(NewerRecord):
        store.get(LAMPS, PACE_ID)


@pytest.mark.parametrize("raw", [b'{"v":1,"dark":1}', b'{"v":0,"lit":1}', b'{"v":3,"lit":1}'])
def test_an_older_record_that_cannot_be_brought_up_to_date_is_unreadable(backend: Backend, raw: bytes) -> None:
    with pytest.raises(Unreadable, match="a record in pace cannot be read"):
        planted(backend, raw).get(LAMPS, PACE_ID)


@pytest.mark.parametrize("version", ["2", None, 0])
def test_plain_data_with_no_sensible_version_is_unreadable(version: object) -> None:
    with pytest.raises(Unreadable, match=f"{version!r} is no version"):
        LAMPS.restore({"v": version, "lit": True})


def test_a_channel_finds_every_pair_that_names_it(backend: Backend) -> None:
    first, second = (
        a_pair(1),
        a_pair(2, closed_channel_id=a_pair(1).open_channel_id, created_at=NOON.replace(year=2027)),
    )
    for pair in (second, first, a_pair(3)):
        backend.store.create(PAIRS, pair.id, pair)

    assert [s.id for s in backend.store.pairs_of_channel(first.open_channel_id)] == [first.id, second.id]
    assert [s.id for s in backend.store.pairs_of_channel(first.closed_channel_id)] == [first.id]
    assert list(backend.store.pairs_of_channel(-1009999999999)) == []


def test_a_record_that_cannot_be_read_hides_no_pair_of_a_channel(backend: Backend) -> None:
    pair = a_pair(1)
    for id in (pair.id, "broken"):
        backend.store.create(PAIRS, id, pair)
    backend.overwrite(PAIRS, "broken", b"{")

    assert [s.id for s in backend.store.pairs_of_channel(pair.open_channel_id)] == [pair.id]
