"""The rules of a run: claimed, looked after, finished, repeated.

Pure functions: the time is an argument, nothing is read or written here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shared import taking_down
from shared.decision import Decision, unchanged
from shared.pair import (
    Cause,
    Channel,
    Delivery,
    DeliveryState,
    Fault,
    HistoryEntry,
    Pair,
    Run,
    Undo,
    Verdict,
    replace,
)
from shared.schedule import ScheduleError, next_time

QUEUED_FOR = timedelta(seconds=180)
"""How long a published message may take before it is published again."""
SENDING_FOR = timedelta(seconds=120)
"""How long a call may take before it counts as dead: more than all its time limits together plus clock difference."""
RETRY_DELAYS = tuple(timedelta(minutes=m) for m in (5, 20, 80, 320))
FAILURES_BEFORE_PAUSE = 5
KEPT_IN_HISTORY = timedelta(days=400)
LONGEST_ERROR = 500
"""Characters of `last_error_message`, as in the original's table."""

OVERTAKEN = "overtaken by the next broadcast"
NO_ANSWER = "no answer: the call to Telegram was cut off, so nobody knows whether the message was posted"


@dataclass(frozen=True)
class Policy:
    """The intervals in force: between broadcasts by default, and between two manual ones."""

    interval: timedelta
    manual_interval: timedelta


@dataclass(frozen=True)
class Claimed:
    """There is something to publish for `run_id`: these channels. With `take_down` it is no run: their messages are to go."""

    run_id: str
    channels: tuple[Channel, ...]
    take_down: bool = False


@dataclass(frozen=True)
class NothingToPublish:
    """The pair was looked at; nothing is to be published now."""


def claim(pair: Pair, *, now: datetime, run_id: str, policy: Policy) -> Decision[Pair, Claimed | NothingToPublish]:
    """What the tick does with a pair that is due: begins a run, goes on with a stuck one, closes what is over, or has the messages
    of an ended one taken down.

    A run is gone on with where it stopped: its `run_id` stays, so events still under way remain valid.
    """
    if pair.run is not None and pair.run.run_id == run_id:
        return unchanged(Claimed(run_id, queued_channels(pair.run)))
    if pair.take_down is not None and pair.take_down.attempt_id == run_id:
        return unchanged(Claimed(run_id, taking_down.remaining(pair), take_down=True))
    if pair.wake_at is None or pair.wake_at > now:
        return unchanged(NothingToPublish())
    pair_now = expire(pair, now=now)
    if pair_now.run is not None and pair_now.next_send_time is not None and pair_now.next_send_time <= now:
        pair_now = cancel_queued(pair_now, now=now, why=OVERTAKEN)
    if pair_now.run is not None:
        return take_up(pair_now, now=now)
    if pair_now.wake_at is None or pair_now.wake_at > now:
        return Decision(pair_now, NothingToPublish())
    if pair_now.take_down is not None:
        down = taking_down.claim(pair_now, now=now, attempt_id=run_id)
        result = Claimed(run_id, down.result, take_down=True) if down.result else NothingToPublish()
        return Decision(down.record, result)
    whole = pair_now.next_send_time is not None and pair_now.next_send_time <= now
    cause = Cause.SCHEDULE if whole or pair_now.last_broadcast is None else Cause.RETRY
    return begin(pair_now, cause=cause, now=now, run_id=run_id, by=None, policy=policy)


def begin(
    pair: Pair, *, cause: Cause, now: datetime, run_id: str, by: str | None, policy: Policy
) -> Decision[Pair, Claimed | NothingToPublish]:
    """Start a run for a pair that has none. A retry carries over what is already sent or may be, and queues the rest.

    A pair whose stored schedule cannot be followed is paused with the reason, so that it hurts only itself.
    """
    last = pair.last_broadcast
    if cause is Cause.RETRY:
        assert last is not None
        assert pair.retry_at is not None
        open_ = _carried_over(pair, Channel.OPEN, last, now)
        closed = _carried_over(pair, Channel.CLOSED, last, now)
        due_at, next_send_time, number = pair.retry_at, pair.next_send_time, pair.retry_number
        if not (open_.unsettled or closed.unsettled):
            return Decision(replace(pair, retry_at=None, updated_at=now), NothingToPublish())
    else:
        open_, closed, number = _queued(pair, Channel.OPEN, now), _queued(pair, Channel.CLOSED, now), 0
        due_at = now if cause is Cause.MANUAL or pair.next_send_time is None else pair.next_send_time
        try:
            next_send_time = next_time(pair.schedule, due=due_at, now=now, default_interval=policy.interval)
        except ScheduleError as error:
            return Decision(_pause(pair, now=now, reason=f"paused: {error}"), NothingToPublish())
    undo = None
    if cause is Cause.MANUAL:
        undo = Undo(
            trigger_id=run_id,
            began=True,
            revision=0,
            last_manual_trigger_time=pair.last_manual_trigger_time,
            next_send_time=pair.next_send_time,
            retry_at=pair.retry_at,
            retry_number=pair.retry_number,
        )
    run = Run(
        run_id=run_id,
        cause=cause,
        by=by,
        due_at=due_at,
        claimed_at=now,
        retry=number,
        open=open_,
        closed=closed,
        undo=undo,
    )
    begun = replace(pair, run=run, next_send_time=next_send_time, retry_at=None, retry_number=number, updated_at=now)
    archive = None if last is None else history_entry(pair.id, last)
    return Decision(begun, Claimed(run_id, queued_channels(run)), archive)


def take_up(pair: Pair, *, now: datetime) -> Decision[Pair, Claimed | NothingToPublish]:
    """Go on with the run: what is queued past its `until` is published again, and only its `until` is renewed."""
    assert pair.run is not None
    stuck = tuple(c for c, d in pair.run.deliveries() if d.state is DeliveryState.QUEUED and _past(d, now))
    run = pair.run.evolve(lambda c, d: replace(d, until=now + QUEUED_FOR) if c in stuck else d)
    taken = replace(pair, run=run, updated_at=now)
    return Decision(taken, Claimed(run.run_id, stuck) if stuck else NothingToPublish())


def refuse(pair: Pair, *, run_id: str, error: str, now: datetime) -> Decision[Pair, bool]:
    """Both messages cannot be rendered, so neither goes: what is queued fails, as the pair's own fault. True if it applied."""
    if pair.run is None or pair.run.run_id != run_id:
        return unchanged(False)
    run = pair.run.evolve(
        lambda _, d: (
            settled(d, DeliveryState.FAILED, error=error, fault=Fault.PAIR) if d.state is DeliveryState.QUEUED else d
        )
    )
    if run is pair.run:
        return unchanged(False)
    return Decision(with_run(pair, run, now=now), True)


def expire(pair: Pair, *, now: datetime, dead: bool = False) -> Pair:
    """Deliveries inside a call longer than any call can last become unconfirmed; with `dead`, all that are inside one.

    `dead` is for the single-machine engine, which knows at its start that no other process can be inside a call.
    """
    if pair.run is None:
        return pair
    run = pair.run.evolve(
        lambda _, d: (
            settled(d, DeliveryState.UNCONFIRMED, error=NO_ANSWER)
            if d.state is DeliveryState.SENDING and (dead or _past(d, now))
            else d
        )
    )
    return pair if run is pair.run else with_run(pair, run, now=now)


def hasten(pair: Pair, *, channels: frozenset[Channel], now: datetime) -> Pair:
    """Queued messages of these channels are to be published again now: their events are known to be lost."""
    if pair.run is None:
        return pair
    run = pair.run.evolve(
        lambda c, d: replace(d, until=now) if c in channels and d.state is DeliveryState.QUEUED else d
    )
    return pair if run is pair.run else replace(pair, run=run, updated_at=now)


def cancel_queued(pair: Pair, *, now: datetime, why: str) -> Pair:
    """Deliveries that are still queued are called off; what is inside a call runs on and is still looked after."""
    if pair.run is None:
        return pair
    run = pair.run.evolve(
        lambda _, d: settled(d, DeliveryState.CANCELLED, error=why) if d.state is DeliveryState.QUEUED else d
    )
    return pair if run is pair.run else with_run(pair, run, now=now)


def with_run(pair: Pair, run: Run, *, now: datetime) -> Pair:
    """The pair with its current run changed; finished in the same write once both deliveries are settled."""
    if run.unsettled:
        return replace(pair, run=run, updated_at=now)
    finished = replace(run, finished_at=now, undo=None)
    counted = _account(replace(pair, run=None, last_broadcast=finished), None, finished, now)
    return _plan_retry(counted, now)


def with_last_broadcast(pair: Pair, run: Run, *, now: datetime) -> Pair:
    """The pair with its finished run corrected by a late settle; the counters follow what is now known."""
    assert pair.last_broadcast is not None
    before = pair.last_broadcast.verdict
    counted = _account(replace(pair, last_broadcast=run), before, run, now)
    if pair.run is not None or before is run.verdict:
        return counted
    return _plan_retry(counted, now)


def settled(delivery: Delivery, state: DeliveryState, *, error: str | None, fault: Fault | None = None) -> Delivery:
    """The delivery at its end; `sent` has its own rule, for it comes with a message id."""
    return replace(delivery, state=state, until=None, error=error, fault=fault)


def queued_channels(run: Run) -> tuple[Channel, ...]:
    """The channels whose message still has to be published or is on its way."""
    return tuple(c for c, d in run.deliveries() if d.state is DeliveryState.QUEUED)


def resendable(run: Run | None) -> bool:
    """Whether a retry would have something to send: what was refused or called off, never what may be standing."""
    again = {DeliveryState.FAILED, DeliveryState.CANCELLED}
    return run is not None and any(d.state in again for _, d in run.deliveries())


def history_entry(pair_id: str, run: Run) -> HistoryEntry:
    """The run as the history keeps it."""
    return HistoryEntry(pair_id=pair_id, run=run, expire_at=run.claimed_at + KEPT_IN_HISTORY)


def _pause(pair: Pair, *, now: datetime, reason: str) -> Pair:
    return replace(
        pair, is_active=False, paused_at=now, pause_reason=reason, retry_at=None, retry_number=0, updated_at=now
    )


def _past(delivery: Delivery, now: datetime) -> bool:
    return delivery.until is not None and delivery.until <= now


def _queued(pair: Pair, channel: Channel, now: datetime) -> Delivery:
    return Delivery(state=DeliveryState.QUEUED, chat=pair.chat(channel), until=now + QUEUED_FOR)


def _carried_over(pair: Pair, channel: Channel, last: Run, now: datetime) -> Delivery:
    before = last.delivery(channel)
    if before.state in {DeliveryState.SENT, DeliveryState.UNCONFIRMED}:
        return before
    return _queued(pair, channel, now)


def _account(pair: Pair, before: Verdict | None, run: Run, now: datetime) -> Pair:
    """Count the run; `before` is what it counted as until now, None if it was not counted yet."""
    after = run.verdict
    changes: dict[str, object] = {
        "total_broadcasts": pair.total_broadcasts + (before is None),
        "successful_broadcasts": pair.successful_broadcasts + (after is Verdict.SUCCESS) - (before is Verdict.SUCCESS),
        "failed_broadcasts": pair.failed_broadcasts + (after is Verdict.FAILURE) - (before is Verdict.FAILURE),
        "updated_at": now,
    }
    if after is Verdict.SUCCESS:
        sent = max(d.sent_at for _, d in run.deliveries() if d.sent_at is not None)
        last_sent = sent if pair.last_sent_time is None else max(sent, pair.last_sent_time)
        changes |= {
            "last_sent_time": last_sent,
            "consecutive_failures": 0,
            "last_error_message": None,
            "last_error_time": None,
        }
        if pair.run is None:
            changes |= {"retry_at": None, "retry_number": 0}
        return replace(pair, **changes)
    if after is Verdict.FAILURE and before is not Verdict.FAILURE:
        changes["consecutive_failures"] = pair.consecutive_failures + 1
    error = run_error(run)
    if error is not None:
        changes |= {"last_error_message": error[:LONGEST_ERROR], "last_error_time": now}
    return replace(pair, **changes)


def run_error(run: Run) -> str | None:
    """What went wrong with the run, channel by channel, in Telegram's own words where there are any."""
    wrong = {DeliveryState.FAILED, DeliveryState.UNCONFIRMED}
    words = [f"{c.value.capitalize()} channel: {d.error}" for c, d in run.deliveries() if d.state in wrong]
    return "; ".join(words) or None


def _plan_retry(pair: Pair, now: datetime) -> Pair:
    """After a finished run: pause a pair that keeps failing, else plan the retry of what was refused."""
    run = pair.last_broadcast
    if run is None or not pair.is_active:
        return replace(pair, retry_at=None)
    if pair.consecutive_failures >= FAILURES_BEFORE_PAUSE and run.verdict is Verdict.FAILURE:
        reason = f"paused after {pair.consecutive_failures} failures in a row: {run_error(run)}"
        return _pause(pair, now=now, reason=reason)
    refused = any(d.state is DeliveryState.FAILED for _, d in run.deliveries())
    if not refused or run.retry >= len(RETRY_DELAYS):
        return replace(pair, retry_at=None, retry_number=0)
    retry_at = now + RETRY_DELAYS[run.retry]
    if pair.next_send_time is not None and retry_at >= pair.next_send_time:
        return replace(pair, retry_at=None, retry_number=0)
    return replace(pair, retry_at=retry_at, retry_number=run.retry + 1)
