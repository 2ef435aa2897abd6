"""The rules of what an owner or an operator does to a pair: resend, pause, resume, edit, end.

Pure functions: the time is an argument, nothing is read or written here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from shared import taking_down
from shared.decision import Decision, unchanged
from shared.pair import Cause, Channel, DeliveryState, Pair, Undo, replace
from shared.runs import (
    NothingToPublish,
    Policy,
    begin,
    cancel_queued,
    expire,
    queued_channels,
    resendable,
    take_up,
)
from shared.schedule import next_time

KEPT_AFTER_END = timedelta(days=30)

PAUSED = "called off: the pair was paused"
ENDED = "called off: the pair was ended"


@dataclass(frozen=True)
class Accepted:
    """The trigger began a run, or took up a stuck one: publish these channels."""

    run_id: str
    channels: tuple[Channel, ...]


@dataclass(frozen=True)
class Paused:
    """Refused: the pair is paused or ended."""

    reason: str


@dataclass(frozen=True)
class CoolingDown:
    """Refused: too soon after the last manual broadcast."""

    seconds: int


@dataclass(frozen=True)
class Running:
    """Refused: a broadcast is already on its way."""


Trigger = Accepted | Paused | CoolingDown | Running


def cooldown(pair: Pair, *, now: datetime, policy: Policy) -> int:
    """Whole seconds until the next manual broadcast is allowed, rounded up; never more than the interval, never below 0."""
    if pair.last_manual_trigger_time is None:
        return 0
    remaining = pair.last_manual_trigger_time + policy.manual_interval - now
    return ceil(min(max(remaining, timedelta(0)), policy.manual_interval).total_seconds())


def cooldown_until(pair: Pair, *, now: datetime, policy: Policy) -> datetime | None:
    """When the next manual broadcast is allowed, while it is not; the same rule as `cooldown`."""
    if cooldown(pair, now=now, policy=policy) == 0 or pair.last_manual_trigger_time is None:
        return None
    return min(pair.last_manual_trigger_time, now) + policy.manual_interval


def trigger(pair: Pair, *, now: datetime, run_id: str, by: str, policy: Policy) -> Decision[Pair, Trigger]:
    """A manual broadcast: a claim with its own cause. Refusals in the contract's order: paused, cooling down, running.

    A scheduled broadcast that was due is thereby done. A run stuck past its time is gone on with instead of refused.
    """
    if pair.run is not None and pair.run.undo is not None and pair.run.undo.trigger_id == run_id:
        return unchanged(Accepted(pair.run.run_id, queued_channels(pair.run)))
    if pair.last_broadcast is not None and pair.last_broadcast.run_id == run_id:
        return unchanged(Accepted(run_id, ()))
    if not pair.is_active:
        return unchanged(Paused(pair.pause_reason or "paused"))
    seconds = cooldown(pair, now=now, policy=policy)
    if seconds > 0:
        return unchanged(CoolingDown(seconds))
    if pair.run is not None and any(d.until is not None and d.until > now for _, d in pair.run.deliveries()):
        return unchanged(Running())
    looked = expire(pair, now=now)
    if not looked.is_active:
        return Decision(looked, Paused(looked.pause_reason or "paused"))
    if looked.run is None:
        decision = begin(looked, cause=Cause.MANUAL, now=now, run_id=run_id, by=by, policy=policy)
    else:
        decision = take_up(looked, now=now)
    if decision.record is None or isinstance(decision.result, NothingToPublish):
        reason = "paused" if decision.record is None else decision.record.pause_reason or "paused"
        return Decision(decision.record, Paused(reason))
    return Decision(
        _count_trigger(decision.record, looked, run_id, now),
        Accepted(decision.result.run_id, decision.result.channels),
        decision.archive,
    )


def undo(pair: Pair, *, run_id: str, now: datetime) -> Decision[Pair, bool]:
    """Take a manual trigger back whose run could not be published. False: it is under way, and stays.

    The cooldown is given back; a run that the trigger began is gone as if it had never been.
    """
    run = pair.run
    if run is None or run.run_id != run_id or run.undo is None or run.undo.revision != run.revision:
        return unchanged(False)
    was = run.undo
    restored = replace(
        pair,
        last_manual_trigger_time=was.last_manual_trigger_time,
        manual_trigger_count=pair.manual_trigger_count - 1,
        updated_at=now,
    )
    if not was.began:
        return Decision(replace(restored, run=replace(run, undo=None)), True)
    return Decision(
        replace(
            restored,
            run=None,
            next_send_time=was.next_send_time,
            retry_at=was.retry_at,
            retry_number=was.retry_number,
        ),
        True,
    )


def pause(pair: Pair, *, now: datetime, reason: str) -> Decision[Pair, None]:
    """Nothing more is sent for the pair; what is queued is called off in the same write."""
    if not pair.is_active:
        return unchanged(None)
    stopped = replace(
        pair,
        is_active=False,
        paused_at=now,
        pause_reason=reason,
        retry_at=None,
        retry_number=0,
        updated_at=now,
    )
    return Decision(cancel_queued(stopped, now=now, why=PAUSED), None)


def resume(pair: Pair, *, now: datetime, policy: Policy) -> Decision[Pair, None]:
    """The pair is active again, with no failures counted.

    Due at once if the last run left something unsent or the time passed meanwhile, but never inside the manual cooldown: pausing
    and resuming is no way around it. An ended pair stays ended.
    """
    if pair.is_active or pair.ended_at is not None:
        return unchanged(None)
    earliest = now + timedelta(seconds=cooldown(pair, now=now, policy=policy))
    next_send_time = earliest if pair.next_send_time is None or pair.next_send_time <= now else pair.next_send_time
    active = replace(
        pair,
        is_active=True,
        paused_at=None,
        pause_reason=None,
        consecutive_failures=0,
        next_send_time=next_send_time,
        retry_at=earliest if resendable(pair.last_broadcast) and pair.run is None else None,
        retry_number=0,
        updated_at=now,
    )
    return Decision(active, None)


def edit(pair: Pair, *, now: datetime, changes: dict[str, Any], policy: Policy) -> Decision[Pair, bool]:
    """Change texts, tiers, notification or schedule; True if anything changed.

    If the last run was refused, its retry is due now: the owner has probably mended what was wrong.
    """
    edited = replace(pair, **changes)
    if edited == pair:
        return unchanged(False)
    if edited.schedule != pair.schedule:
        edited = replace(edited, next_send_time=_rescheduled(edited, now, policy))
    last = pair.last_broadcast
    refused = last is not None and any(d.state is DeliveryState.FAILED for _, d in last.deliveries())
    if refused and pair.run is None and pair.is_active:
        edited = replace(edited, retry_at=now, retry_number=0)
    return Decision(replace(edited, updated_at=now), True)


def end(pair: Pair, *, now: datetime, take_down: bool) -> Decision[Pair, None]:
    """The pair is over: a mark with the effect of a pause. With `take_down` its standing messages are taken out of the channels;
    that can be asked for afterwards as well."""
    if pair.ended_at is not None:
        wished = take_down and pair.take_down is None
        return Decision(taking_down.wish(pair, now=now), None) if wished else unchanged(None)
    stopped = pause(pair, now=now, reason="ended").record or pair
    ended = replace(
        cancel_queued(stopped, now=now, why=ENDED),
        ended_at=now,
        expire_at=now + KEPT_AFTER_END,
        updated_at=now,
    )
    return Decision(taking_down.wish(ended, now=now) if take_down else ended, None)


def _count_trigger(pair: Pair, before: Pair, trigger_id: str, now: datetime) -> Pair:
    run = pair.run
    assert run is not None
    if run.undo is None or run.undo.trigger_id != trigger_id:
        taken_up = Undo(
            trigger_id=trigger_id,
            began=False,
            revision=run.revision,
            last_manual_trigger_time=before.last_manual_trigger_time,
            next_send_time=before.next_send_time,
            retry_at=before.retry_at,
            retry_number=before.retry_number,
        )
        run = replace(run, undo=taken_up)
    return replace(pair, run=run, last_manual_trigger_time=now, manual_trigger_count=pair.manual_trigger_count + 1)


def _rescheduled(pair: Pair, now: datetime, policy: Policy) -> datetime:
    """A new schedule's first time: a cron's next one; an interval after the last beginning, but not before now."""
    if pair.schedule.cron is not None:
        return next_time(pair.schedule, due=now, now=now, default_interval=policy.interval)
    last = pair.run or pair.last_broadcast
    if last is None:
        return now if pair.next_send_time is None else pair.next_send_time
    following = next_time(pair.schedule, due=last.claimed_at, now=last.claimed_at, default_interval=policy.interval)
    return max(following, now)
