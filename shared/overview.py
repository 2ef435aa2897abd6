"""What is due, in flight and broken, and why: gathered in one pass over the pairs. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from heapq import nlargest

from shared.pair import Pair, PairState, Run
from shared.runs import NO_ANSWER, run_error

MOST_ERRORS = 10
"""Of pairs that still send; the newest ones."""


@dataclass(frozen=True)
class Line:
    """One pair that deserves a look, and why."""

    id: str
    open_channel_id: str
    title: str
    at: datetime | None
    why: str


@dataclass(frozen=True)
class Overview:
    """The state of everything at `now`."""

    now: datetime
    pairs: int
    states: dict[str, int]
    due: int
    oldest_due: datetime | None
    next_due: Line | None
    running: list[Line] = field(default_factory=list)
    paused: list[Line] = field(default_factory=list)
    unconfirmed: list[Line] = field(default_factory=list)
    errors: list[Line] = field(default_factory=list)
    """Of pairs that are not paused, the newest first, at most `MOST_ERRORS`."""


def overview(pairs: Iterable[Pair], now: datetime) -> Overview:
    """Look at every pair once."""
    states: Counter[str] = Counter()
    due, oldest_due = 0, now
    next_due: tuple[datetime, Pair] | None = None
    running: list[Line] = []
    paused: list[Line] = []
    unconfirmed: list[Line] = []
    errors: list[Line] = []
    for pair in pairs:
        states[pair.state.value] += 1
        if pair.wake_at is not None and pair.wake_at <= now:
            due += 1
            oldest_due = min(oldest_due, pair.wake_at)
        elif pair.run is None and pair.wake_at is not None and (next_due is None or pair.wake_at < next_due[0]):
            next_due = pair.wake_at, pair
        if pair.run is not None:
            running.append(_line(pair, pair.run.claimed_at, _progress(pair.run)))
        elif pair.state is PairState.PAUSED:
            paused.append(_line(pair, pair.paused_at, pair.pause_reason or "no reason given"))
        elif pair.state is PairState.UNCONFIRMED:
            unconfirmed.append(_unconfirmed(pair))
        elif pair.last_error_message and pair.ended_at is None:
            errors.append(_line(pair, pair.last_error_time, pair.last_error_message))
    return Overview(
        now=now,
        pairs=states.total(),
        states=dict(states.most_common()),
        due=due,
        oldest_due=oldest_due if due else None,
        next_due=None if next_due is None else _line(next_due[1], next_due[0], next_due[1].state.value),
        running=running,
        paused=paused,
        unconfirmed=unconfirmed,
        errors=nlargest(MOST_ERRORS, errors, key=lambda line: line.at.timestamp() if line.at else 0.0),
    )


def _line(pair: Pair, at: datetime | None, why: str) -> Line:
    return Line(pair.id, str(pair.open_channel_id), pair.open_channel_title, at, why)


def _unconfirmed(pair: Pair) -> Line:
    last = pair.last_broadcast
    if last is None:
        return _line(pair, None, NO_ANSWER)
    return _line(pair, last.finished_at, run_error(last) or NO_ANSWER)


def _progress(run: Run) -> str:
    return f"{run.cause.value}: open {run.open.state.value}, closed {run.closed.state.value}"
