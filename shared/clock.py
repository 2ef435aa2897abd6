"""Time, handed in: no rule and no handler asks the machine for it directly."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

TOLERATED = timedelta(milliseconds=50)
"""Between two machines' clocks; the spread of the slots allows for it."""


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


def wrong_by(before: datetime, theirs: datetime, after: datetime) -> timedelta:
    """How far this machine's clock, read before and after it asked for the store's time, is ahead of that; negative if behind.

    Only what the trip cannot explain counts, and differences a slot allows for do not.
    """
    if before - theirs > TOLERATED:
        return before - theirs
    if theirs - after > TOLERATED:
        return after - theirs
    return timedelta(0)


def aware(moment: datetime) -> datetime:
    """The moment itself if it knows its zone; a naive one is a ValueError, for nobody can say when it is."""
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ValueError(f"the time {moment.isoformat()} has no time zone; add one, for example {moment.isoformat()}Z")
    return moment
