"""Handing events from the queue to the functions."""

import sys
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cloudevents.http import CloudEvent
from functions_framework import create_app
from werkzeug.exceptions import ServiceUnavailable

from infra.embedded.dispatch import Dispatcher, EventFunction, cloud_event_of, hand_over
from infra.embedded.event_queue import Taken
from shared.events import TickEvent, Topic, encode
from tests.clocks import NOON, ManualClock
from tests.functions.posting import post
from tests.functions.world import TOKEN
from tests.memory.queue import MemoryQueue


def fine(event: CloudEvent) -> None:
    assert event["type"] == "google.cloud.pubsub.topic.v1.messagePublished"


def unavailable(_: CloudEvent) -> None:
    raise ServiceUnavailable("the store is down")


def surprised(_: CloudEvent) -> None:
    raise RuntimeError(f"surprise: {TOKEN}")


def surprised_at_length(_: CloudEvent) -> None:
    raise RuntimeError("a" * 260 + f" {TOKEN}")


class Queue(MemoryQueue):
    """Tells when an event was acknowledged or given back."""

    def __init__(self, stop: Event) -> None:
        super().__init__(ManualClock())
        self.stop = stop
        self.done: list[str] = []

    def acknowledge(self, taken: Taken) -> None:
        super().acknowledge(taken)
        self.done.append("acknowledged")
        self.stop.set()

    def give_back(self, taken: Taken, error: str) -> None:
        super().give_back(taken, error)
        self.done.append(error)
        self.stop.set()


@pytest.mark.parametrize(
    ("function", "done"),
    [
        (fine, "acknowledged"),
        (unavailable, "503: the store is down"),
        (surprised, "500: RuntimeError: surprise: <token>"),
        (surprised_at_length, f"500: RuntimeError: {'a' * 260} <token>"),
    ],
)
def test_returning_is_the_acknowledgement_and_what_was_raised_is_kept_without_secrets(
    function: EventFunction, done: str
) -> None:
    stop = Event()
    queue = Queue(stop)
    queue.publish([TickEvent()])
    dispatcher = Dispatcher(queue, Topic.TICKS, function, workers=2, stop=stop)

    dispatcher.start()
    assert stop.wait(30)
    dispatcher.join()

    assert queue.done == [done]


def test_an_unexpected_error_of_a_function_is_loud(caplog: pytest.LogCaptureFixture) -> None:
    taken = Taken("7", Topic.TICKS, encode(TickEvent()), NOON, 1)

    assert hand_over(surprised, taken) is not None
    assert hand_over(unavailable, taken) is not None

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "surprise" in caplog.text


def test_a_function_gets_the_event_that_the_framework_reads_from_a_request(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "import functions_framework\nseen = []\n@functions_framework.cloud_event\ndef keep(event): seen.append(event)\n"
    )
    app = create_app("keep", str(tmp_path / "main.py"))
    taken = Taken("7", Topic.TICKS, encode(TickEvent()), NOON, 1)

    post(app, taken)

    (posted,) = sys.modules["main"].seen
    assert posted.get_data() == cloud_event_of(taken).get_data()
    assert posted.get_attributes() == cloud_event_of(taken).get_attributes()


def test_a_queue_that_breaks_does_not_stop_the_topic(caplog: pytest.LogCaptureFixture) -> None:
    stop = Event()
    queue = Queue(stop)
    take = queue.take
    broken = [True]

    def once_broken(topic: Topic, limit: int) -> list[Taken]:
        if broken:
            broken.clear()
            raise RuntimeError("surprise")
        return take(topic, limit)

    queue.take = once_broken  # type: ignore[method-assign]  # breaks once, as a database can
    queue.publish([TickEvent()])
    dispatcher = Dispatcher(queue, Topic.TICKS, fine, workers=1, stop=stop)

    dispatcher.start()
    assert stop.wait(30)
    dispatcher.join()

    assert queue.done == ["acknowledged"]
    assert "surprise" in caplog.text


def test_an_event_that_cannot_be_handed_to_a_thread_takes_no_room_from_the_next(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Event()
    queue = Queue(stop)
    dispatcher = Dispatcher(queue, Topic.TICKS, fine, workers=1, stop=stop)
    submit = dispatcher._pool.submit

    def refuses_once(*_call: Any) -> Any:
        monkeypatch.setattr(dispatcher._pool, "submit", submit)
        queue.publish([TickEvent()])
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(dispatcher._pool, "submit", refuses_once)
    queue.publish([TickEvent()])

    dispatcher.start()
    assert stop.wait(30)
    dispatcher.join()

    assert queue.done == ["acknowledged"]
    assert "can't start new thread" in caplog.text


def test_a_dispatcher_that_was_never_started_can_be_joined() -> None:
    stop = Event()
    stop.set()

    Dispatcher(Queue(stop), Topic.TICKS, fine, workers=1, stop=stop).join()
