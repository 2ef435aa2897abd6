"""Time, handed in: no rule and no handler asks the machine for it directly."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What a handler may know of time."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never jump; for waiting and for measuring."""

    def sleep(self, seconds: float) -> None:
        """Wait; zero or less returns at once. Raises Stopping when the process is asked to stop meanwhile."""


class Stopping(Exception):
    """Raised when a wait is cut short because the process is going down; the event at hand returns to its queue."""


class MachineClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)


def aware(moment: datetime) -> datetime:
    """The moment itself if it knows its zone; a naive one is a ValueError, for nobody can say when it is."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError(f"the time {moment.isoformat()} has no time zone; add one, for example {moment.isoformat()}Z")
    return moment
