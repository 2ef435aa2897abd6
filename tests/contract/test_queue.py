"""What every event queue promises. One suite for all backends."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event, Thread

import pytest

from infra.embedded import database as database_module
from infra.embedded.database import Database
from infra.embedded.event_queue import LEASE, MOST_ATTEMPTS, EventQueue, Taken
from infra.embedded.sqlite_queue import SqliteQueue
from shared.bus import BusUnavailable
from shared.events import BroadcastEvent, MessageEvent, TickEvent, Topic, decode
from shared.pair import Channel
from shared.store import StoreUnavailable
from tests.clocks import NOON, ManualClock
from tests.memory.queue import MemoryQueue

SHORT = 0.02
"""Seconds; a real wait in a test."""
LONG = 10.0
"""Seconds that no passing test waits for."""


@dataclass(frozen=True)
class Backend:
    """A queue and its clock."""

    queue: EventQueue
    clock: ManualClock


def _sqlite(folder: Path) -> Iterator[Backend]:
    database, clock = Database(folder / "records.db"), ManualClock()
    yield Backend(SqliteQueue(database, clock), clock)
    database.close()


def _memory(_: Path) -> Iterator[Backend]:
    clock = ManualClock()
    yield Backend(MemoryQueue(clock), clock)


@pytest.fixture(params=[_memory, _sqlite], ids=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    yield from request.param(tmp_path)


@pytest.fixture
def queue(backend: Backend) -> EventQueue:
    return backend.queue


@pytest.fixture
def clock(backend: Backend) -> ManualClock:
    return backend.clock


def message(name: str) -> MessageEvent:
    return MessageEvent(pair_id=name, run_id="run-1", channel=Channel.OPEN, slot=NOON)


def names(taken: list[Taken]) -> list[str]:
    return [decode(MessageEvent, event.data).pair_id for event in taken]


def take(queue: EventQueue, limit: int = 100) -> list[Taken]:
    return queue.take(Topic.MESSAGES, limit)


def take_one(queue: EventQueue) -> Taken:
    (taken,) = take(queue)
    return taken


def wear_out(queue: EventQueue, clock: ManualClock, error: str = "500") -> None:
    """Fail the one event of the queue as often as it is delivered."""
    for _ in range(MOST_ATTEMPTS):
        queue.give_back(take_one(queue), error)
        clock.advance(60)


# --- publish and take -------------------------------------------------------------------------------------------------


def test_an_event_is_taken_as_it_was_published(queue: EventQueue, clock: ManualClock) -> None:
    clock.advance(0.123457)
    event = message("港 ⚓️")
    queue.publish([event])
    clock.advance(5)

    taken = take_one(queue)

    assert decode(MessageEvent, taken.data) == event
    assert taken.topic is Topic.MESSAGES
    assert taken.published_at == NOON + timedelta(seconds=0.123457)
    assert taken.attempt == 1


def test_the_oldest_events_are_taken_first_and_no_more_than_asked_for(queue: EventQueue, clock: ManualClock) -> None:
    queue.publish([message("a"), message("b")])
    clock.advance(1)
    queue.publish([message("c")])

    assert names(take(queue, 2)) == ["a", "b"]
    assert names(take(queue, 2)) == ["c"]
    assert take(queue, 2) == []


def test_what_is_taken_together_comes_in_the_order_of_publication(queue: EventQueue, clock: ManualClock) -> None:
    queue.publish([message("a"), message("b")])
    (first,) = take(queue, 1)
    clock.advance(1)
    queue.give_back(first, "503")
    clock.advance(1)

    assert names(take(queue)) == ["a", "b"]


def test_topics_do_not_mix(queue: EventQueue) -> None:
    queue.publish([TickEvent(), message("a")])
    queue.publish([BroadcastEvent(pair_id="b", run_id="run-1", slots={})])

    assert [t.topic for t in queue.take(Topic.TICKS, 10)] == [Topic.TICKS]
    assert [t.topic for t in queue.take(Topic.BROADCASTS, 10)] == [Topic.BROADCASTS]
    assert names(take(queue)) == ["a"]


def test_however_many_are_published_at_once_all_come_in_order(queue: EventQueue) -> None:
    many = [str(number) for number in range(9_000)]

    queue.publish([message(name) for name in many])

    assert names(take(queue, len(many) + 1)) == many


def test_publishing_nothing_is_no_event(queue: EventQueue) -> None:
    queue.publish([])

    assert queue.waiting() == {}


def test_consumers_at_once_never_take_the_same_event(queue: EventQueue) -> None:
    queue.publish([message(str(n)) for n in range(60)])
    barrier = Barrier(4, timeout=LONG)

    def consume(_: int) -> list[str]:
        barrier.wait()
        return [name for _ in range(10) for name in names(take(queue, 3))]

    with ThreadPoolExecutor(4) as threads:
        shares = list(threads.map(consume, range(4)))

    assert sorted(int(name) for share in shares for name in share) == list(range(60))


def test_the_waiting_are_counted_by_topic_with_those_in_hand_and_without_the_dead(
    queue: EventQueue, clock: ManualClock
) -> None:
    queue.publish([message("dies")])
    wear_out(queue, clock)
    queue.publish([message("a"), message("b"), message("c"), TickEvent()])
    queue.acknowledge(take(queue, 1)[0])
    take(queue, 1)

    assert queue.waiting() == {Topic.MESSAGES: 2, Topic.TICKS: 1}


# --- leases -----------------------------------------------------------------------------------------------------------


def test_a_taken_event_does_not_come_again_before_its_lease_is_over(queue: EventQueue, clock: ManualClock) -> None:
    queue.publish([message("a")])
    take_one(queue)

    clock.advance(LEASE.total_seconds() - 0.001)

    assert take(queue) == []


def test_a_taken_event_comes_again_when_its_lease_is_over(queue: EventQueue, clock: ManualClock) -> None:
    queue.publish([message("a")])
    take_one(queue)

    clock.advance(LEASE.total_seconds())

    assert (names([again := take_one(queue)]), again.attempt) == (["a"], 2)


def test_an_acknowledged_event_never_comes_again(queue: EventQueue, clock: ManualClock) -> None:
    queue.publish([message("a")])
    queue.acknowledge(take_one(queue))

    clock.advance(10 * LEASE.total_seconds())

    assert take(queue) == []
    assert queue.waiting() == {}


def test_acknowledging_twice_is_no_error(queue: EventQueue) -> None:
    queue.publish([message("a"), message("b")])
    taken = take(queue, 1)[0]

    queue.acknowledge(taken)
    queue.acknowledge(taken)

    assert names(take(queue)) == ["b"]


def test_giving_back_what_another_consumer_acknowledged_brings_nothing_back(
    queue: EventQueue, clock: ManualClock
) -> None:
    queue.publish([message("a")])
    slow = take_one(queue)
    clock.advance(LEASE.total_seconds())
    queue.acknowledge(take_one(queue))

    queue.give_back(slow, "too late")
    clock.advance(3600)

    assert take(queue) == []


def test_freed_leases_are_delivered_at_once(queue: EventQueue, clock: ManualClock) -> None:
    queue.publish([message("a"), message("b"), message("c")])
    take(queue, 2)
    clock.advance(1)

    assert queue.free_leases() == 2

    assert sorted(names(take(queue))) == ["a", "b", "c"]


def test_freeing_leases_leaves_back_offs_and_dead_letters_alone(queue: EventQueue, clock: ManualClock) -> None:
    queue.publish([message("dead")])
    wear_out(queue, clock)
    queue.publish([message("backing off")])
    queue.give_back(take_one(queue), "503")

    assert queue.free_leases() == 0

    assert take(queue) == []


# --- giving back ------------------------------------------------------------------------------------------------------


def test_the_pauses_grow_from_a_second_to_a_minute(queue: EventQueue, clock: ManualClock) -> None:
    queue.publish([message("a")])

    for pause in (1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60):
        queue.give_back(take_one(queue), "503")
        clock.advance(pause - 0.001)
        assert take(queue) == [], f"it came before {pause} s"
        clock.advance(0.001)

    assert take_one(queue).attempt == MOST_ATTEMPTS


def test_each_delivery_is_counted(queue: EventQueue, clock: ManualClock) -> None:
    queue.publish([message("a")])
    attempts = []

    for _ in range(3):
        taken = take_one(queue)
        attempts.append(taken.attempt)
        queue.give_back(taken, "503")
        clock.advance(60)

    assert attempts == [1, 2, 3]


def test_an_event_that_fails_the_last_time_becomes_a_dead_letter_that_can_be_read(
    queue: EventQueue, clock: ManualClock
) -> None:
    queue.publish([message("a")])

    wear_out(queue, clock, "500: division by zero")

    (dead,) = queue.dead_letters()
    assert take(queue) == []
    assert decode(MessageEvent, dead.data) == message("a")
    assert (dead.topic, dead.error, dead.published_at) == (Topic.MESSAGES, "500: division by zero", NOON)
    assert dead.dead_at == clock.now() - timedelta(seconds=60)


def test_an_event_one_delivery_short_of_the_last_is_no_dead_letter(queue: EventQueue, clock: ManualClock) -> None:
    queue.publish([message("a")])

    for _ in range(MOST_ATTEMPTS - 1):
        queue.give_back(take_one(queue), "503")
        clock.advance(60)

    assert queue.dead_letters() == []
    assert take_one(queue).attempt == MOST_ATTEMPTS


def test_a_dead_letter_put_back_is_delivered_as_if_it_were_new(queue: EventQueue, clock: ManualClock) -> None:
    queue.publish([message("a")])
    wear_out(queue, clock)
    (dead,) = queue.dead_letters()
    put_back = clock.now()

    assert queue.put_back(dead.id)

    taken = take_one(queue)
    assert (names([taken]), taken.attempt, taken.published_at) == (["a"], 1, put_back)
    assert queue.dead_letters() == []


@pytest.mark.parametrize("id", ["12345", "", "-1", "' OR 1=1", "²", "9" * 30])
def test_what_is_no_dead_letter_is_not_put_back(queue: EventQueue, clock: ManualClock, id: str) -> None:
    queue.publish([message("dead")])
    wear_out(queue, clock)

    assert not queue.put_back(id)

    assert len(queue.dead_letters()) == 1


def test_an_event_that_lives_is_not_put_back(queue: EventQueue) -> None:
    queue.publish([message("a")])
    taken = take_one(queue)

    assert not queue.put_back(taken.id)

    assert take(queue) == []


# --- waiting ----------------------------------------------------------------------------------------------------------


def returns_by_itself(wait: Callable[[], None]) -> bool:
    """Whether the wait is over although nobody publishes; a thread that waits on is left to its time-out."""
    over = Event()

    def run() -> None:
        wait()
        over.set()

    Thread(target=run, daemon=True).start()
    return over.wait(LONG / 2)


def test_a_wait_is_over_at_once_if_something_was_published_since_the_last(queue: EventQueue) -> None:
    queue.publish([message("a")])

    assert returns_by_itself(lambda: queue.wait(Topic.MESSAGES, LONG))


def test_a_wait_is_over_when_its_time_is(queue: EventQueue) -> None:
    assert returns_by_itself(lambda: queue.wait(Topic.MESSAGES, SHORT))


@pytest.mark.parametrize("topic", [Topic.TICKS, Topic.MESSAGES], ids=["another topic", "before the last wait"])
def test_a_wait_lasts_while_nothing_is_published_on_its_topic_since_the_last(queue: EventQueue, topic: Topic) -> None:
    over = Event()
    queue.publish([TickEvent() if topic is Topic.TICKS else message("a")])
    if topic is Topic.MESSAGES:
        queue.wait(Topic.MESSAGES, LONG)

    def wait() -> None:
        queue.wait(Topic.MESSAGES, LONG)
        over.set()

    waiting = Thread(target=wait, daemon=True)
    waiting.start()
    lasted = not over.wait(SHORT)
    queue.publish([message("ends it")])
    waiting.join(LONG / 2)

    assert lasted
    assert over.is_set()


def test_publishing_wakes_a_thread_that_waits(queue: EventQueue) -> None:
    took: list[str] = []
    began = Event()

    def consume() -> None:
        began.set()
        queue.wait(Topic.MESSAGES, LONG)
        took.extend(names(take(queue)))

    consumer = Thread(target=consume, daemon=True)
    consumer.start()
    began.wait(LONG)
    queue.publish([message("a")])
    consumer.join(LONG / 2)

    assert took == ["a"]


# --- SQLite alone -----------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


def test_events_are_there_after_the_file_is_opened_again(file: Path) -> None:
    with closing(Database(file)) as database:
        SqliteQueue(database, ManualClock()).publish([message("a")])

    with closing(Database(file)) as database:
        assert names(take(SqliteQueue(database, ManualClock()))) == ["a"]


def test_an_event_is_taken_by_one_of_two_processes(file: Path) -> None:
    with closing(Database(file)) as mine, closing(Database(file)) as theirs:
        queues = [SqliteQueue(mine, ManualClock()), SqliteQueue(theirs, ManualClock())]
        queues[0].publish([message(str(n)) for n in range(40)])
        barrier = Barrier(2, timeout=LONG)

        def consume(queue: SqliteQueue) -> list[str]:
            barrier.wait()
            return [name for _ in range(20) for name in names(take(queue, 2))]

        with ThreadPoolExecutor(2) as threads:
            shares = list(threads.map(consume, queues))

    assert sorted(int(name) for share in shares for name in share) == list(range(40))


def test_events_are_published_all_or_none(file: Path) -> None:
    with closing(Database(file)) as database:
        queue = SqliteQueue(database, ManualClock())
        database.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON events WHEN (SELECT count(*) FROM events) = 2"
            " BEGIN SELECT json('it breaks in the middle'); END"
        )

        with pytest.raises(BusUnavailable):
            queue.publish([message("a"), message("b"), message("c")])

        assert queue.waiting() == {}
        queue.publish([message("d"), message("e")])
        assert names(take(queue)) == ["d", "e"]


def test_a_publication_that_failed_wakes_nobody(file: Path) -> None:
    with closing(Database(file)) as database:
        queue = SqliteQueue(database, ManualClock())
        database.execute("ALTER TABLE events RENAME TO elsewhere")
        over = Event()
        with pytest.raises(BusUnavailable):
            queue.publish([message("a")])

        def wait() -> None:
            queue.wait(Topic.MESSAGES, 5 * SHORT)
            over.set()

        Thread(target=wait).start()
        assert not over.wait(SHORT)
        assert over.wait(LONG)


def test_a_locked_file_takes_no_publication_and_gives_no_event(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 0.02)
    with closing(Database(file)) as database, closing(sqlite3.connect(file, isolation_level=None)) as holder:
        queue = SqliteQueue(database, ManualClock())
        queue.publish([message("a")])
        holder.execute("BEGIN IMMEDIATE")

        with pytest.raises(BusUnavailable, match="database is locked"):
            queue.publish([message("b")])
        with pytest.raises(StoreUnavailable):
            take(queue)
        holder.execute("ROLLBACK")

        assert names(take(queue)) == ["a"]
