"""The rules of one message: started, settled (also late), given back, replaced.

Pure functions: the time is an argument, nothing is read or written here.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from shared.decision import Decision, unchanged
from shared.pair import (
    UNSETTLED,
    Channel,
    Delivery,
    DeliveryState,
    Fault,
    Live,
    Pair,
    Replaced,
    Run,
    channel_fields,
    replace,
)
from shared.runs import QUEUED_FOR, SENDING_FOR, history_entry, settled, with_last_broadcast, with_run
from shared.taking_down import include_late

DELETIONS_NAMED = 2
"""A replaced message is named in so many deletions running, then forgotten, since a deletion's success is not written."""
MOST_REPLACED = 100
"""deleteMessages takes at most 100 ids (Bot API); older ones leave first."""

CALLED_OFF = "called off: the pair was paused or ended meanwhile"


@dataclass(frozen=True)
class Posted:
    """Telegram has the message: it answered with this id."""

    message_id: int
    at: datetime


@dataclass(frozen=True)
class Refused:
    """Telegram said no, in these words; it has no such message."""

    error: str
    fault: Fault


@dataclass(frozen=True)
class GivenBack:
    """The message did not reach Telegram, and nobody is at fault: to be published again at `until`."""

    until: datetime
    why: str


@dataclass(frozen=True)
class Moved:
    """The chat has another id now; the message did not arrive and is to be sent once more."""

    chat: int


@dataclass(frozen=True)
class Unknown:
    """Whether Telegram has the message is unknown; it has at most one."""

    why: str


Outcome = Posted | Refused | GivenBack | Moved | Unknown


class Start(Enum):
    """What a handler may do with the message its event names."""

    GO = auto()
    DONE = auto()
    """Already sent: repeat the deletion of what it replaced, then acknowledge."""
    STALE = auto()
    """The event means nothing any more."""


class Settle(Enum):
    """What became of a settle."""

    SETTLED = auto()
    AGAIN = auto()
    """The chat moved: send once more, to its new id."""
    LATE = auto()
    """The run is gone; a message id, if there was one, is kept for deletion."""


def start(pair: Pair, *, run_id: str, channel: Channel, attempt_id: str, now: datetime) -> Decision[Pair, Start]:
    """Enter the call to Telegram. Only a queued delivery of the current run can be started, and only once."""
    run = pair.run if pair.run is not None and pair.run.run_id == run_id else None
    if run is None:
        last = pair.last_broadcast
        done = last is not None and last.run_id == run_id and last.delivery(channel).state is DeliveryState.SENT
        return unchanged(Start.DONE if done else Start.STALE)
    delivery = run.delivery(channel)
    if delivery.state is DeliveryState.SENDING and delivery.attempt_id == attempt_id:
        return unchanged(Start.GO)
    if delivery.state is DeliveryState.SENT:
        return unchanged(Start.DONE)
    if delivery.state is not DeliveryState.QUEUED:
        return unchanged(Start.STALE)
    begun = replace(
        delivery,
        state=DeliveryState.SENDING,
        attempt_id=attempt_id,
        started_at=now,
        until=now + SENDING_FOR,
        tries=delivery.tries + 1,
        error=None,
    )
    return Decision(with_run(pair, _with(run, channel, begun), now=now), Start.GO)


def postpone(pair: Pair, *, run_id: str, channel: Channel, until: datetime, now: datetime) -> Decision[Pair, bool]:
    """Put off a queued message whose slot is too far away to wait for. True if it applied."""
    if pair.run is None or pair.run.run_id != run_id:
        return unchanged(False)
    delivery = pair.run.delivery(channel)
    if delivery.state is not DeliveryState.QUEUED:
        return unchanged(False)
    put_off = replace(delivery, until=until)
    return Decision(with_run(pair, _with(pair.run, channel, put_off), now=now), True)


def settle(pair: Pair, *, channel: Channel, attempt_id: str, outcome: Outcome, now: datetime) -> Decision[Pair, Settle]:
    """Record how a call ended.

    The attempt is looked for in the current run and in the finished one (a retry carries an unconfirmed delivery over, so it
    can be in both). Where it is nowhere any more, a message id still joins those to be deleted: it is never thrown away.
    """
    changed, found, again, archive = pair, False, False, None
    last, run = pair.last_broadcast, pair.run
    if last is not None and last.delivery(channel).attempt_id == attempt_id:
        found = True
        corrected = _with(last, channel, _ended(pair, last.delivery(channel), outcome, finished=True))
        if corrected is not last:
            changed = with_last_broadcast(changed, corrected, now=now)
            archive = history_entry(pair.id, corrected) if run is not None else None
    if run is not None and run.delivery(channel).attempt_id == attempt_id:
        found = True
        ended = _with(run, channel, _ended(pair, run.delivery(channel), outcome, finished=False))
        again = isinstance(outcome, Moved) and ended.delivery(channel).state is DeliveryState.QUEUED
        if ended is not run:
            changed = with_run(changed, ended, now=now)
    if isinstance(outcome, Moved) and found:
        changed = replace(changed, **{f"{channel.value}_chat_id": outcome.chat})
    if isinstance(outcome, Posted):
        changed = _posted(changed, pair, channel, attempt_id, outcome, now)
        if changed is not pair and changed.live(channel) is not None:
            changed = include_late(changed, now=now)
    result = Settle.AGAIN if again else Settle.SETTLED if found else Settle.LATE
    return unchanged(result) if changed == pair else Decision(changed, result, archive)


def deletion_failed(
    pair: Pair, *, channel: Channel, message_ids: frozenset[int], error: str, now: datetime
) -> Decision[Pair, None]:
    """Keep these ids for the next deletions, with the reason: only a failure is written down."""
    kept = tuple(replace(r, named=0, error=error) if r.message_id in message_ids else r for r in pair.replaced(channel))
    if kept == pair.replaced(channel):
        return unchanged(None)
    return Decision(replace(pair, **channel_fields(channel, replaced=kept), updated_at=now), None)


def _ended(pair: Pair, delivery: Delivery, outcome: Outcome, *, finished: bool) -> Delivery:
    """The delivery after its call; one that is settled for good stays as it is."""
    if delivery.state not in UNSETTLED and delivery.state is not DeliveryState.UNCONFIRMED:
        return delivery
    match outcome:
        case Posted(message_id, at):
            return replace(
                delivery,
                state=DeliveryState.SENT,
                until=None,
                message_id=message_id,
                sent_at=at,
                error=None,
                fault=None,
            )
        case Refused(error, fault):
            return settled(delivery, DeliveryState.FAILED, error=error, fault=fault)
        case Unknown(why):
            return settled(delivery, DeliveryState.UNCONFIRMED, error=why)
        case Moved(chat) if delivery.migrated or chat == delivery.chat:
            error = f"the channel moved twice while one message was sent; the next goes to its new id {chat}"
            return settled(delivery, DeliveryState.FAILED, error=error, fault=Fault.PAIR)
        case GivenBack() | Moved() if finished or not pair.is_active:
            return settled(delivery, DeliveryState.CANCELLED, error=CALLED_OFF)
        case GivenBack(until, why):
            return replace(
                delivery, state=DeliveryState.QUEUED, attempt_id=None, started_at=None, until=until, error=why
            )
        case Moved(chat):
            assert delivery.started_at is not None
            return replace(
                delivery,
                state=DeliveryState.QUEUED,
                chat=chat,
                migrated=True,
                attempt_id=None,
                started_at=None,
                until=delivery.started_at + QUEUED_FOR,
            )


def _posted(changed: Pair, before: Pair, channel: Channel, attempt_id: str, posted: Posted, now: datetime) -> Pair:
    """Which message stands in the channel now, and which ones it replaces.

    The newer of two stands: a settle so late that another message was sent after this one began only adds an id to delete.
    """
    live, replaced = before.live(channel), before.replaced(channel)
    delivery = _find(before, channel, attempt_id)
    message = Live(
        chat=before.chat(channel) if delivery is None else delivery.chat,
        message_id=posted.message_id,
        sent_at=posted.at,
    )
    known = {(r.chat, r.message_id) for r in replaced}
    if live is not None:
        known.add((live.chat, live.message_id))
    if (message.chat, message.message_id) in known:
        return changed
    began = None if delivery is None else delivery.started_at
    if live is not None and (began is None or began < live.sent_at):
        kept = (*replaced, _replaced(message, named=0))
        return replace(changed, **channel_fields(channel, replaced=kept[-MOST_REPLACED:]), updated_at=now)
    kept = tuple(replace(r, named=r.named + 1) for r in replaced if r.named < DELETIONS_NAMED)
    if live is not None:
        kept = (*kept, _replaced(live, named=1))
    return replace(changed, **channel_fields(channel, live=message, replaced=kept[-MOST_REPLACED:]), updated_at=now)


def _replaced(message: Live, *, named: int) -> Replaced:
    return Replaced(chat=message.chat, message_id=message.message_id, sent_at=message.sent_at, named=named)


def _find(pair: Pair, channel: Channel, attempt_id: str) -> Delivery | None:
    for run in (pair.run, pair.last_broadcast):
        if run is not None and run.delivery(channel).attempt_id == attempt_id:
            return run.delivery(channel)
    return None


def _with(run: Run, channel: Channel, delivery: Delivery) -> Run:
    return run.evolve(lambda c, d: delivery if c is channel else d)
