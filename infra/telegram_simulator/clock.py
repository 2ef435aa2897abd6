"""The little the simulator wants to know of time; any object with these two methods will do."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """What dates messages (`now`) and what rate limits are measured with (`monotonic`)."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never jump."""
        ...
