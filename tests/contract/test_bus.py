"""What every bus promises. One suite for all backends; how the embedded engine's queues are consumed is test_queue.py's."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from google.api_core.retry import Retry

from infra.embedded.database import Database
from infra.embedded.event_queue import EventQueue
from infra.embedded.sqlite_queue import SqliteQueue
from infra.rehearsal.emulators import Emulator
from infra.rehearsal.pubsub import Pubsub, Pulled, declared
from shared import pubsub_bus
from shared.bus import Bus, BusUnavailable
from shared.events import BroadcastEvent, Event, MessageEvent, TickEvent, Topic, encode
from shared.pair import Channel
from shared.pubsub_bus import PubsubBus, open_pubsub
from shared.settings import SettingError, Settings
from tests.clocks import NOON, ManualClock
from tests.memory.queue import MemoryQueue

FROZEN_SECONDS = 0.5


@dataclass(frozen=True)
class Backend:
    """A bus, and what it delivers on a topic: at least `count` events are waited for."""

    bus: Bus
    delivered: Callable[[Topic, int], list[bytes]]


def _of_queue(queue: EventQueue) -> Backend:
    return Backend(queue, lambda topic, _: [taken.data for taken in queue.take(topic, 5000)])


def _memory(_: pytest.FixtureRequest) -> Iterator[Backend]:
    yield _of_queue(MemoryQueue(ManualClock()))


def _sqlite(request: pytest.FixtureRequest) -> Iterator[Backend]:
    folder: Path = request.getfixturevalue("tmp_path")
    with closing(Database(folder / "events.db")) as database:
        yield _of_queue(SqliteQueue(database, ManualClock()))


def _pubsub(request: pytest.FixtureRequest) -> Iterator[Backend]:
    emulator: Emulator = request.getfixturevalue("pubsub_emulator")
    with closing(Pubsub(emulator.host, f"test-{uuid4()}")) as pubsub:
        pubsub.create(declared())

        def delivered(topic: Topic, count: int) -> list[bytes]:
            found: dict[str, bytes] = {}
            while len(found) < count:
                found |= {pulled.message_id: pulled.data for pulled in pubsub.pull(topic, 1000)}
            return list(found.values())

        yield Backend(PubsubBus(pubsub.publisher, pubsub.project), delivered)


EMULATED = [pytest.mark.server, pytest.mark.xdist_group("pubsub")]


@pytest.fixture(
    params=[
        pytest.param(_memory, id="memory"),
        pytest.param(_sqlite, id="sqlite"),
        pytest.param(_pubsub, id="pubsub", marks=EMULATED),
    ]
)
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    yield from request.param(request)


def message(name: str) -> MessageEvent:
    return MessageEvent(pair_id=name, run_id="run-1", channel=Channel.OPEN, slot=NOON)


BROADCAST = BroadcastEvent(pair_id="pair-1", run_id="run-1", slots={Channel.OPEN: NOON})


def test_events_of_one_call_reach_each_its_own_topic(backend: Backend) -> None:
    events: list[Event] = [message("a"), TickEvent(), BROADCAST, message("b")]

    backend.bus.publish(events)

    assert sorted(backend.delivered(Topic.MESSAGES, 2)) == [encode(message("a")), encode(message("b"))]
    assert backend.delivered(Topic.BROADCASTS, 1) == [encode(BROADCAST)]
    assert backend.delivered(Topic.TICKS, 1) == [encode(TickEvent())]


def test_nothing_to_publish_is_no_fault(backend: Backend) -> None:
    backend.bus.publish([])

    backend.bus.publish([TickEvent()])
    assert len(backend.delivered(Topic.TICKS, 1)) == 1


def test_more_events_than_one_request_may_carry_all_arrive(backend: Backend) -> None:
    events = [message(str(number)) for number in range(pubsub_bus.MOST_IN_REQUEST + 5)]

    backend.bus.publish(events)

    assert sorted(backend.delivered(Topic.MESSAGES, len(events))) == sorted(encode(event) for event in events)


def test_publications_of_many_threads_all_arrive(backend: Backend) -> None:
    names = [str(number) for number in range(40)]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: backend.bus.publish([message(name)]), names))

    assert sorted(backend.delivered(Topic.MESSAGES, 40)) == sorted(encode(message(name)) for name in names)


# --- Pub/Sub alone ----------------------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pubsub_bus, "SECONDS", FROZEN_SECONDS)
    monkeypatch.setattr(pubsub_bus, "AGAIN", Retry(predicate=pubsub_bus.AGAIN._predicate, timeout=FROZEN_SECONDS))


@pytest.mark.server
@pytest.mark.xdist_group("pubsub")
@pytest.mark.usefixtures("impatient")
def test_a_publication_that_is_not_confirmed_in_time_is_unavailable(pubsub_emulator: Emulator) -> None:
    with closing(Pubsub(pubsub_emulator.host, f"test-{uuid4()}")) as pubsub:
        pubsub.create(declared())
        pubsub_emulator.freeze()
        try:
            with pytest.raises(BusUnavailable, match=r"did not confirm 1 events on .*broadcast-manager-ticks"):
                PubsubBus(pubsub.publisher, pubsub.project).publish([TickEvent()])
        finally:
            pubsub_emulator.thaw()


@pytest.mark.server
@pytest.mark.xdist_group("pubsub")
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("host", ["there", "gone"])
def test_a_topic_or_a_service_that_is_not_there_is_unavailable(pubsub_emulator: Emulator, host: str) -> None:
    at = pubsub_emulator.host if host == "there" else "127.0.0.1:1"
    with closing(Pubsub(at, f"test-{uuid4()}")) as pubsub, pytest.raises(BusUnavailable, match="did not confirm"):
        PubsubBus(pubsub.publisher, pubsub.project).publish([TickEvent()])


def test_without_a_project_no_bus_is_opened() -> None:
    with pytest.raises(SettingError, match="GOOGLE_CLOUD_PROJECT"):
        open_pubsub(Settings({}))


@pytest.mark.server
@pytest.mark.xdist_group("pubsub")
def test_an_event_comes_again_until_it_is_acknowledged(pubsub_emulator: Emulator) -> None:
    with closing(Pubsub(pubsub_emulator.host, f"test-{uuid4()}")) as pubsub:
        pubsub.create(declared())
        PubsubBus(pubsub.publisher, pubsub.project).publish([message("a")])
        (first,) = _pulled(pubsub)

        pubsub.give_back(Topic.MESSAGES, [first.ack_id])
        (second,) = _pulled(pubsub)
        pubsub.acknowledge(Topic.MESSAGES, [second.ack_id])

        assert (first.attempt, second.attempt) == (1, 2)
        assert (second.message_id, second.published_at) == (first.message_id, first.published_at)
        assert pubsub.pull(Topic.MESSAGES, 10) == []


def _pulled(pubsub: Pubsub) -> list[Pulled]:
    while not (found := pubsub.pull(Topic.MESSAGES, 10)):
        pass
    return found
