"""A pair's broadcasts as a page lists them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from functions.dashboard.cards import Trouble, message_link, trouble_of
from shared.pair import Cause, Channel, Delivery, DeliveryState, Run

SHOWN = 20


@dataclass(frozen=True)
class Outcome:
    """What became of one message."""

    channel: Channel
    state: DeliveryState
    link: str | None
    sent_at: datetime | None
    note: str | None
    """Why it was called off."""
    trouble: Trouble | None


@dataclass(frozen=True)
class Broadcast:
    """One line of the history."""

    at: datetime
    why: str
    running: bool
    outcomes: tuple[Outcome, Outcome]


@dataclass(frozen=True)
class Past:
    """A page of the history; `older` is where the next one begins."""

    broadcasts: Sequence[Broadcast]
    older: datetime | None


def past(runs: Sequence[Run], *, viewer: str) -> Past:
    """Of up to `SHOWN` + 1 runs, newest first, as whoever is called `viewer` in them sees them."""
    shown = runs[:SHOWN]
    return Past(
        broadcasts=[_broadcast(run, viewer) for run in shown],
        older=shown[-1].claimed_at if len(runs) > SHOWN else None,
    )


def _broadcast(run: Run, viewer: str) -> Broadcast:
    return Broadcast(
        at=run.claimed_at,
        why=_why(run, viewer),
        running=run.finished_at is None,
        outcomes=(_outcome(Channel.OPEN, run.open), _outcome(Channel.CLOSED, run.closed)),
    )


def _why(run: Run, viewer: str) -> str:
    match run.cause:
        case Cause.SCHEDULE:
            return "on schedule"
        case Cause.RETRY:
            return f"retry {run.retry}"
        case Cause.MANUAL:
            return "by you" if run.by == viewer else f"by {run.by}" if run.by else "by hand"


def _outcome(channel: Channel, delivery: Delivery) -> Outcome:
    return Outcome(
        channel=channel,
        state=delivery.state,
        link=None if delivery.message_id is None else message_link(delivery.chat, delivery.message_id),
        sent_at=delivery.sent_at,
        note=delivery.error if delivery.state is DeliveryState.CANCELLED else None,
        trouble=trouble_of(delivery),
    )
