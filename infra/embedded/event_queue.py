"""What the embedded engine asks of its event queue: at least once, with acknowledgement, back-off and dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from shared.events import Event, Topic

LEASE = timedelta(seconds=150)
"""How long a taken event may stay unacknowledged before it is delivered again; longer than any handler may take."""
FIRST_BACK_OFF = timedelta(seconds=1)
LONGEST_BACK_OFF = timedelta(seconds=60)
MOST_ATTEMPTS = 12
"""After so many deliveries an event is put aside as a dead letter. Nothing is lost by it: documents bring their work up again."""


@dataclass(frozen=True)
class Taken:
    """One delivery of an event, leased to whoever took it; `attempt` counts from 1."""

    id: str
    topic: Topic
    data: bytes
    published_at: datetime
    attempt: int


@dataclass(frozen=True)
class DeadLetter:
    """An event that was put aside, with the last thing that was said about it."""

    id: str
    topic: Topic
    data: bytes
    published_at: datetime
    dead_at: datetime
    error: str


def back_off(attempt: int) -> timedelta:
    """The pause after the so-manieth failed delivery."""
    doubled: timedelta = FIRST_BACK_OFF * 2 ** min(attempt - 1, 16)
    return min(doubled, LONGEST_BACK_OFF)


class EventQueue(Protocol):
    """A bus that is consumed from the same place."""

    def publish(self, events: Sequence[Event]) -> None:
        """Keep the events durably and wake whoever waits. Raises BusUnavailable."""

    def take(self, topic: Topic, limit: int) -> list[Taken]:
        """Lease up to `limit` events that may be delivered now, the oldest first."""

    def acknowledge(self, taken: Taken) -> None:
        """The event is done with."""

    def give_back(self, taken: Taken, error: str) -> None:
        """The event comes again after a growing pause, or becomes a dead letter."""

    def wait(self, topic: Topic, seconds: float) -> None:
        """Return when something may have been published on the topic since the last wait, at the latest after so many seconds.

        For one consumer a topic.
        """

    def free_leases(self) -> int:
        """Deliver at once what a dead process had taken, for a process that knows it is alone. How many there were.

        A delivery that was cut off did not fail, so it does not count as an attempt.
        """

    def contents(self, topic: Topic) -> list[bytes]:
        """The data of every event the topic holds, dead letters apart."""

    def waiting(self) -> dict[Topic, int]:
        """How many events each topic holds, dead letters apart."""

    def dead_letters(self) -> list[DeadLetter]:
        """What was put aside, the oldest first."""

    def put_back(self, id: str) -> bool:
        """Deliver a dead letter again, as if it were new. False if there is none of this id."""
