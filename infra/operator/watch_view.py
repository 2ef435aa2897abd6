"""How a backlog goes down, for `broadcastctl status --watch`: from counts alone, so that 100,000 pairs cost what ten do. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from infra.operator.status_view import gate_words
from infra.operator.text import counted, duration, listing
from shared.pace import Pace

RATE_OVER = 10
"""Looks that a rate is taken over."""


@dataclass(frozen=True)
class Look:
    """What was counted at `now`; `tried` and `refused` since the watch began."""

    now: datetime
    due: int
    running: int
    tried: int
    refused: int
    pace: Pace | None


def rate(looks: Sequence[Look]) -> float:
    """Pairs tried a second, over the last looks; 0 for a single one."""
    last, first = looks[-1], looks[-RATE_OVER:][0]
    seconds = (last.now - first.now).total_seconds()
    return (last.tried - first.tried) / seconds if seconds > 0 else 0.0


def line(looks: Sequence[Look]) -> str:
    """The last look in one line, for a file or a pipe."""
    seen = looks[-1]
    parts = (f"due {seen.due}", f"in flight {seen.running}", f"tried {seen.tried}", f"refused {seen.refused}")
    return f"{seen.now.astimezone(UTC):%H:%M:%S}  {', '.join(parts)}, {rate(looks):.1f} pairs/s, {_gate(seen)}"


def block(looks: Sequence[Look], *, records: str) -> str:
    """The last look for a terminal."""
    seen, began = looks[-1], looks[0].now
    tried = f"{counted(seen.tried, 'pair')} in {duration(seen.now - began)}, {seen.refused} of them refused"
    return listing(
        [
            ("Records", records),
            ("Gate", gate_words(seen.pace, seen.now)),
            ("Due", f"{seen.due}{_left(seen.due, rate(looks))}"),
            ("In flight", str(seen.running)),
            ("Tried", tried),
            ("Rate", f"{rate(looks):.1f} pairs/s"),
        ]
    )


def _left(due: int, pairs_per_second: float) -> str:
    if not due or pairs_per_second <= 0:
        return ""
    return f", done in about {duration(timedelta(seconds=due / pairs_per_second))}"


def _gate(seen: Look) -> str:
    if seen.pace is not None and seen.pace.paused_all is not None:
        return "everything paused"
    gate = None if seen.pace is None else seen.pace.gate
    return "gate open" if gate is None else f"gate closed: {gate.reason.value}"
