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


def past(runs: Sequence[Run], *, client_id: str) -> Past:
    """Of up to `SHOWN` + 1 runs, newest first, as the pair's owner sees them."""
    shown = runs[:SHOWN]
    return Past(
        broadcasts=[_broadcast(run, client_id) for run in shown],
        older=shown[-1].claimed_at if len(runs) > SHOWN else None,
    )


def _broadcast(run: Run, client_id: str) -> Broadcast:
    return Broadcast(
        at=run.claimed_at,
        why=_why(run, client_id),
        running=run.finished_at is None,
        outcomes=(_outcome(Channel.OPEN, run.open), _outcome(Channel.CLOSED, run.closed)),
    )


def _why(run: Run, client_id: str) -> str:
    match run.cause:
        case Cause.SCHEDULE:
            return "on schedule"
        case Cause.RETRY:
            return f"retry {run.retry}"
        case Cause.MANUAL:
            return "by you" if run.by == client_id else f"by {run.by}" if run.by else "by hand"


def _outcome(channel: Channel, delivery: Delivery) -> Outcome:
    return Outcome(
        channel=channel,
        state=delivery.state,
        link=None if delivery.message_id is None else message_link(delivery.chat, delivery.message_id),
        sent_at=delivery.sent_at,
        note=delivery.error if delivery.state is DeliveryState.CANCELLED else None,
        trouble=trouble_of(delivery),
    )
