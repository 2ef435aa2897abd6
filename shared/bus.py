"""Where events are published."""

from collections.abc import Sequence
from typing import Protocol

from shared.events import Event


class BusUnavailable(Exception):
    """Raised when a publication was not confirmed in time; the events may or may not be delivered."""


class Bus(Protocol):
    """Delivers at least once, in any order, sometimes late; consumers ask the document what an event still means."""

    def publish(self, events: Sequence[Event]) -> None:
        """Publish each event on its topic and wait for the confirmation of all. Raises BusUnavailable."""
