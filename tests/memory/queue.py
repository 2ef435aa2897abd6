"""An event queue in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Condition

from infra.embedded.event_queue import LEASE, MOST_ATTEMPTS, DeadLetter, Taken, back_off
from shared.clock import Clock
from shared.events import Event, Topic, encode


@dataclass(frozen=True)
class _Kept:
    topic: Topic
    data: bytes
    published_at: datetime
    deliver_at: datetime
    attempts: int = 0
    leased: bool = False
    dead_at: datetime | None = None
    error: str = ""


class MemoryQueue:
    """Keeps events in order of publication."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._condition = Condition()
        self._events: dict[int, _Kept] = {}
        self._last_id = 0
        self._news = dict.fromkeys(Topic, False)

    def publish(self, events: Sequence[Event]) -> None:
        now = self._clock.now()
        with self._condition:
            for event in events:
                self._last_id += 1
                self._events[self._last_id] = _Kept(event.topic, encode(event), now, now)
                self._news[event.topic] = True
            self._condition.notify_all()

    def take(self, topic: Topic, limit: int) -> list[Taken]:
        now = self._clock.now()
        with self._condition:
            ready = sorted(
                (e.deliver_at, id)
                for id, e in self._events.items()
                if e.topic is topic and e.dead_at is None and e.deliver_at <= now
            )
            taken = []
            for id in sorted(id for _, id in ready[:limit]):
                event = self._events[id]
                event = replace(event, attempts=event.attempts + 1, leased=True, deliver_at=now + LEASE)
                self._events[id] = event
                taken.append(Taken(str(id), topic, event.data, event.published_at, event.attempts))
            return taken

    def acknowledge(self, taken: Taken) -> None:
        with self._condition:
            self._events.pop(int(taken.id), None)

    def give_back(self, taken: Taken, error: str) -> None:
        now = self._clock.now()
        with self._condition:
            if int(taken.id) not in self._events:
                return
            event = replace(self._events[int(taken.id)], leased=False, error=error)
            if taken.attempt >= MOST_ATTEMPTS:
                self._events[int(taken.id)] = replace(event, dead_at=now)
            else:
                self._events[int(taken.id)] = replace(event, deliver_at=now + back_off(taken.attempt))

    def wait(self, topic: Topic, seconds: float) -> None:
        with self._condition:
            if not self._news[topic]:
                self._condition.wait(seconds)
            self._news[topic] = False

    def free_leases(self) -> int:
        now = self._clock.now()
        with self._condition:
            leased = [id for id, e in self._events.items() if e.leased and e.dead_at is None]
            for id in leased:
                self._events[id] = replace(
                    self._events[id], leased=False, attempts=self._events[id].attempts - 1, deliver_at=now
                )
            return len(leased)

    def contents(self, topic: Topic) -> list[bytes]:
        with self._condition:
            return [e.data for e in self._events.values() if e.topic is topic and e.dead_at is None]

    def waiting(self) -> dict[Topic, int]:
        with self._condition:
            alive = [e.topic for e in self._events.values() if e.dead_at is None]
            return {topic: alive.count(topic) for topic in Topic if topic in alive}

    def dead_letters(self) -> list[DeadLetter]:
        with self._condition:
            return [
                DeadLetter(str(id), e.topic, e.data, e.published_at, e.dead_at, e.error)
                for id, e in sorted(self._events.items())
                if e.dead_at is not None
            ]

    def put_back(self, id: str) -> bool:
        now = self._clock.now()
        with self._condition:
            event = self._events.get(int(id)) if id.isdecimal() else None
            if event is None or event.dead_at is None:
                return False
            self._events[int(id)] = replace(event, dead_at=None, error="", attempts=0, deliver_at=now, published_at=now)
            return True
