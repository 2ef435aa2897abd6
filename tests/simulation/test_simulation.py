"""Every promise under faults, seed by seed; and bugs put in from outside, each of which a bounded number of seeds must find."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

import functions.fanout.handler as fanout
import functions.send.handler as send
import functions.tick.handler as tick
from functions.send import outcomes
from shared import actions, deliveries, owner, runs, telegram
from shared.decision import Decision, unchanged
from shared.departures import OneOfMany
from shared.pair import Channel, DeliveryState, Fault, Pair, replace
from tests.simulation.failures import shrink, told, try_seed

QUICK_SEEDS, SEEDS, CHUNK = 50, 200, 10
ENOUGH = 60
"""A planted bug must be found within so many seeds."""


def _try(first: int) -> None:
    for seed in range(first, first + CHUNK):
        result = try_seed(seed)
        if result.faults:
            pytest.fail(told(result))


@pytest.mark.parametrize("first", range(0, QUICK_SEEDS, CHUNK))
def test_the_promises_are_kept(first: int) -> None:
    _try(first)


@pytest.mark.server
@pytest.mark.parametrize("first", range(QUICK_SEEDS, SEEDS, CHUNK))
def test_the_promises_are_kept_by_more_seeds(first: int) -> None:
    _try(first)


def test_a_seed_replays_exactly() -> None:
    assert try_seed(7) == try_seed(7)
    assert try_seed(7).trace != try_seed(8).trace


def _double_claim(patch: pytest.MonkeyPatch) -> None:
    def claim(pair: Pair, *, now: datetime, run_id: str, policy: runs.Policy) -> Any:
        if pair.run is not None and pair.wake_at is not None and pair.wake_at <= now:
            pair = replace(pair, run=None, next_send_time=now)
        return runs_claim(pair, now=now, run_id=run_id, policy=policy)

    runs_claim = runs.claim
    patch.setattr("functions.tick.handler.claim", claim)


def _settle_before_send(patch: pytest.MonkeyPatch) -> None:
    call: Any = send.Sender._call

    def early(self: Any, event: Any, started: Any, message: Any, attempt_id: str, *more: Any) -> Any:
        self._settle(event, started, attempt_id, deliveries.Posted(1, event.slot))
        return call(self, event, started, message, attempt_id, *more)

    patch.setattr(send.Sender, "_call", early)


def _lease_of_the_pair(patch: pytest.MonkeyPatch) -> None:
    def expire(pair: Pair, *, now: datetime, dead: bool = False) -> Pair:
        if pair.run is None or dead:
            return pair
        run = pair.run.evolve(lambda c, d: runs._queued(pair, c, now) if d.state is DeliveryState.SENDING else d)
        return pair if run is pair.run else runs.with_run(pair, run, now=now)

    patch.setattr(runs, "expire", expire)


def _own_trigger_taken_for_anothers(patch: pytest.MonkeyPatch) -> None:
    rule = owner.trigger

    def forgetful(pair: Pair, *, now: datetime, run_id: str, by: str, policy: runs.Policy) -> Any:
        mine = pair.run is not None and pair.run.run_id == run_id
        if mine and owner.cooldown(pair, now=now, policy=policy):
            return unchanged(owner.CoolingDown(owner.cooldown(pair, now=now, policy=policy)))
        return rule(pair, now=now, run_id=run_id, by=by, policy=policy)

    patch.setattr(owner, "trigger", forgetful)


def _cooldown_checked_before_it_is_written(patch: pytest.MonkeyPatch) -> None:
    def blind(store: Any, collection: Any, id: str, decide: Any, *, seen: Any = None) -> Any:
        stored = seen or store.get(collection, id)
        decision = decide(stored.record, stored.read_at)
        if decision.record is not None:
            fresh = store.get(collection, id)
            store.replace(collection, fresh, decision.record)
        return decision.record or stored.record, decision.result

    patch.setattr(actions, "update", blind)


def _blind_resend_after_a_timeout(patch: pytest.MonkeyPatch) -> None:
    rule = outcomes.settled_as

    def settled_as(outcome: telegram.Outcome, *, now: datetime, tries: int) -> Any:
        if isinstance(outcome, telegram.Unconfirmed):
            return deliveries.GivenBack(now, outcome.why)
        return rule(outcome, now=now, tries=tries)

    patch.setattr(send, "settled_as", settled_as)


def _bad_day_counted_against_the_pair(patch: pytest.MonkeyPatch) -> None:
    rule = outcomes.settled_as

    def settled_as(outcome: telegram.Outcome, *, now: datetime, tries: int) -> Any:
        if isinstance(outcome, telegram.Throttled):
            return deliveries.Refused(outcome.error, Fault.PAIR)
        return rule(outcome, now=now, tries=tries)

    patch.setattr(send, "settled_as", settled_as)


def _partial_broadcast_sent_again_whole(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runs, "_carried_over", lambda pair, channel, last, now: runs._queued(pair, channel, now))  # noqa: ARG005


def _old_message_deleted_first(patch: pytest.MonkeyPatch) -> None:
    call: Any = send.Sender._call

    def delete_first(self: Any, event: Any, started: Any, *more: Any) -> Any:
        live = started.record.live(event.channel)
        if live is not None:
            self._engine.telegram.delete_messages(live.chat, [live.message_id])
        return call(self, event, started, *more)

    patch.setattr(send.Sender, "_call", delete_first)


def _late_settle_dropped(patch: pytest.MonkeyPatch) -> None:
    rule = deliveries.settle

    def settle(pair: Pair, *, channel: Channel, attempt_id: str, outcome: Any, now: datetime) -> Any:
        run = pair.run
        if run is None or run.delivery(channel).attempt_id != attempt_id:
            return Decision(None, deliveries.Settle.LATE)
        return rule(pair, channel=channel, attempt_id=attempt_id, outcome=outcome, now=now)

    patch.setattr(send, "settle", settle)


def _replaced_message_left_standing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(send, "delete_replaced", lambda *_: None)


def _late_slot_used_all_the_same(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(OneOfMany, "place", lambda self, slot, tempo, *, needs: slot)  # noqa: ARG005 - the rule's
    patch.setattr(OneOfMany, "leave", lambda *_: True)


def _sent_again_when_its_event_returns(patch: pytest.MonkeyPatch) -> None:
    rule = deliveries.start

    def start(pair: Pair, *, run_id: str, channel: Channel, attempt_id: str, now: datetime) -> Any:
        run = pair.run
        if run is not None and run.run_id == run_id and run.delivery(channel).state is DeliveryState.SENT:
            back = runs._queued(pair, channel, now)
            pair = replace(pair, run=run.evolve(lambda c, d: back if c is channel else d))
        return rule(pair, run_id=run_id, channel=channel, attempt_id=attempt_id, now=now)

    patch.setattr(send, "start", start)


def _pause_strands_a_message(patch: pytest.MonkeyPatch) -> None:
    def pause(pair: Pair, *, now: datetime, reason: str) -> Decision[Pair, None]:
        if not pair.is_active:
            return unchanged(None)
        run = None if pair.run is None else pair.run.evolve(lambda _, d: replace(d, until=None))
        stopped = replace(pair, run=run, is_active=False, paused_at=now, pause_reason=reason, updated_at=now)
        return Decision(stopped, None)

    patch.setattr(owner, "pause", pause)


def _refusals_never_counted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(tick, "_refused_widely", lambda *_: False)


def _refused_probe_counted_against_its_pair(patch: pytest.MonkeyPatch) -> None:
    message = fanout._message

    def unforgiven(event: Any, channel: Channel) -> Any:
        return replace(message(event, channel), forgiven=False)

    patch.setattr(fanout, "_message", unforgiven)


@pytest.mark.server
@pytest.mark.parametrize(
    ("bug", "words"),
    [
        (_double_claim, "no record knows its attempt"),
        (_settle_before_send, "is 'sent' with id 1; Telegram has"),
        (_lease_of_the_pair, "no record knows its attempt"),
        (_own_trigger_taken_for_anothers, "its owner was answered 429"),
        (_sent_again_when_its_event_returns, "no record knows its attempt"),
        (_cooldown_checked_before_it_is_written, "no record knows its attempt"),
        (_blind_resend_after_a_timeout, "no record knows its attempt"),
        (_bad_day_counted_against_the_pair, "Telegram refused nothing"),
        (_partial_broadcast_sent_again_whole, "messages were sent for run"),
        (_old_message_deleted_first, "was left empty"),
        (_late_settle_dropped, "the record forgot it"),
        (_pause_strands_a_message, "its run is not finished"),
        (_replaced_message_left_standing, "nobody will delete it"),
        (_late_slot_used_all_the_same, "messages reached Telegram within"),
        (_refusals_never_counted, "it was switched off on a bad day"),
        (_refused_probe_counted_against_its_pair, "it was switched off on a bad day"),
    ],
)
def test_a_planted_bug_is_found(
    bug: Callable[[pytest.MonkeyPatch], None], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)
    assert any(words in fault for seed in range(ENOUGH) for fault in try_seed(seed).faults)


@pytest.mark.server
def test_a_failure_is_shrunk_and_still_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    _blind_resend_after_a_timeout(monkeypatch)
    failed = next(result for result in map(try_seed, range(ENOUGH)) if result.faults)
    shortest = shrink(failed)
    assert shortest.faults
    assert len(shortest.events) < len(failed.events)
    assert try_seed(failed.seed, frozenset(shortest.events)).faults == shortest.faults
