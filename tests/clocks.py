"""Clocks for tests: time passes when the test, or a wait, says so."""

from datetime import UTC, datetime, timedelta
from threading import Lock

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


class ManualClock:
    """Starts at `NOON`. A wait moves time on by its length and returns at once."""

    def __init__(self, now: datetime = NOON) -> None:
        self._lock = Lock()
        self._now = now
        self._start = now

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        return (self.now() - self._start).total_seconds()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass."""
        with self._lock:
            self._now += timedelta(seconds=seconds)
