"""When a message leaves its process: the last word on its slot, spoken where the request's first byte is about to go.

Moments in here are readings of the monotonic clock, in seconds: what is waited for must not jump with the wall clock.
"""

from threading import Lock
from typing import Protocol

from shared.clock import Clock
from shared.pace import Tempo


class Departures(Protocol):
    """What a sender asks before a message leaves. Safe to use from several threads."""

    def place(self, slot: float, tempo: Tempo, *, needs: float) -> float | None:
        """The moment to leave for a message of this slot that needs so many seconds before it can.

        None if the slot is missed: another one must be reserved.
        """

    def leave(self, moment: float, tempo: Tempo) -> bool:
        """Whether a message that was given this moment may leave now. If so, it counts as gone."""


class OneOfMany:
    """For a process beside others: only the slots keep them apart, so a message leaves in its slot or not at all."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def place(self, slot: float, tempo: Tempo, *, needs: float) -> float | None:
        return None if self._clock.monotonic() + needs > slot + tempo.spread / 2 else slot

    def leave(self, moment: float, tempo: Tempo) -> bool:
        return self._clock.monotonic() <= moment + tempo.spread / 2


class Alone:
    """For the only process that sends: what it lets go is all that Telegram sees, so a missed slot is not lost.

    Whoever is late leaves in the next gap. A new slot would be one more wait and two more trips to the store, which on a busy
    machine make the next message late: the more there is to do, the less would be done.

    Departures are spaced as slots are, by the generic cell rate algorithm (ITU-T I.371): one step apart, and half a spread may be
    caught up; so rate + 1 of them always take longer than a second.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._next_place = float("-inf")
        self._next_departure = float("-inf")
        """When the next message may leave, had each before it left as early as it might."""

    def place(self, slot: float, tempo: Tempo, *, needs: float) -> float | None:
        step = tempo.step.total_seconds()
        # It may come late for its moment; `leave` keeps the distance all the same, and where steps are short, waiting for all it
        # needs costs more departures than it saves.
        ready = self._clock.monotonic() + min(needs, step)
        with self._lock:
            moment = max(slot, ready, self._next_place)
            self._next_place = moment + step
            return moment

    def leave(self, moment: float, tempo: Tempo) -> bool:  # noqa: ARG002 - a moment that has passed is no reason to wait longer
        with self._lock:
            now, tolerated = self._clock.monotonic(), tempo.spread / 2
            if now < self._next_departure - tolerated:
                return False
            self._next_departure = max(now, self._next_departure) + tempo.step.total_seconds()
            self._next_place = max(self._next_place, self._next_departure - tolerated)
            return True
