"""Handing events from the queue to the functions."""

from collections.abc import Callable, Iterable
from threading import Event
from typing import Any

import pytest

from infra.embedded.dispatch import Dispatcher
from infra.embedded.event_queue import Taken
from shared.events import TickEvent, Topic
from tests.clocks import ManualClock
from tests.memory.queue import MemoryQueue


class Function:
    """A WSGI app that answers as told."""

    def __init__(self, answer: Callable[[], str]) -> None:
        self._answer = answer

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        assert environ["HTTP_CE_TYPE"] == "google.cloud.pubsub.topic.v1.messagePublished"
        start_response(self._answer(), [])
        return [b""]


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
    ("status", "done"), [("200 OK", "acknowledged"), ("204 No Content", "acknowledged"), ("503 Unavailable", "503: ")]
)
def test_an_answer_in_the_two_hundreds_is_the_acknowledgement(status: str, done: str) -> None:
    stop = Event()
    queue = Queue(stop)
    queue.publish([TickEvent()])
    dispatcher = Dispatcher(queue, Topic.TICKS, Function(lambda: status), workers=2, stop=stop)

    dispatcher.start()
    assert stop.wait(30)
    dispatcher.join()

    assert queue.done == [done]


def test_a_function_that_cannot_even_answer_is_loud_and_the_next_event_is_handled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stop = Event()
    queue = Queue(stop)
    broken = [True]

    def answer() -> str:
        if broken:
            broken.clear()
            raise RuntimeError("surprise")
        return "200 OK"

    queue.publish([TickEvent(), TickEvent()])
    dispatcher = Dispatcher(queue, Topic.TICKS, Function(answer), workers=1, stop=stop)

    dispatcher.start()
    assert stop.wait(30)
    dispatcher.join()

    assert queue.done == ["acknowledged"]
    assert "surprise" in caplog.text


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
    dispatcher = Dispatcher(queue, Topic.TICKS, Function(lambda: "200 OK"), workers=1, stop=stop)

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
    dispatcher = Dispatcher(queue, Topic.TICKS, Function(lambda: "200 OK"), workers=1, stop=stop)
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

    Dispatcher(Queue(stop), Topic.TICKS, Function(lambda: "200 OK"), workers=1, stop=stop).join()
