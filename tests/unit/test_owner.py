"""What an owner does: resend, pause, resume, edit, end."""

from datetime import timedelta
from decimal import Decimal

import pytest

from shared import owner
from shared.deliveries import Posted, Unknown
from shared.owner import Accepted, CoolingDown, Paused, Running, cooldown, edit, end, pause, resume, trigger, undo
from shared.pair import Cause, DeliveryState, Pair, PairState, Schedule
from tests.clocks import NOON
from tests.pairs import OWNER, a_pair
from tests.runs import CLOSED, OPEN, POLICY, at, claimed, delivered, failed, sent, settled, started, written


def pressed(pair: Pair, **elapsed: float) -> owner.Trigger:
    return trigger(pair, now=at(**elapsed), run_id="manual-2", by=OWNER, policy=POLICY).result


def triggered(pair: Pair, run_id: str = "manual-1", **elapsed: float) -> Pair:
    return written(trigger(pair, now=at(**elapsed), run_id=run_id, by=OWNER, policy=POLICY))


def test_a_trigger_begins_a_run_and_restarts_the_interval() -> None:
    pair = triggered(a_pair(next_send_time=at(hours=9)), hours=1)

    assert pair.run is not None
    assert pair.run.cause is Cause.MANUAL
    assert pair.run.by == OWNER
    assert pair.next_send_time == at(hours=25)
    assert pair.manual_trigger_count == 1
    assert pair.last_manual_trigger_time == at(hours=1)


def test_a_trigger_leaves_a_cron_schedule_on_the_wall_clock() -> None:
    pair = triggered(a_pair(schedule=Schedule(cron="0 18 * * *"), next_send_time=at(hours=6)))

    assert pair.next_send_time == at(hours=6)


def test_the_cooldown_lasts_exactly_its_interval_and_is_rounded_up() -> None:
    pair = sent(triggered(a_pair()))

    assert pressed(pair, seconds=0.5) == CoolingDown(300)
    assert pressed(pair, seconds=299.1) == CoolingDown(1)
    assert isinstance(pressed(pair, seconds=300), Accepted)


def test_a_clock_that_runs_behind_never_shows_more_than_the_interval() -> None:
    pair = sent(triggered(a_pair()))

    assert cooldown(pair, now=at(hours=-1), policy=POLICY) == 300


def test_refusals_come_in_the_contracts_order() -> None:
    running = triggered(a_pair())
    paused = written(pause(running, now=NOON, reason="holiday"))

    assert pressed(paused, seconds=1) == Paused("holiday")
    assert pressed(running, seconds=1) == CoolingDown(299)
    assert pressed(claimed(a_pair()), seconds=1) == Running()


def test_a_run_stuck_past_its_time_is_taken_up_instead_of_refused() -> None:
    pair = claimed(a_pair())

    decision = trigger(pair, now=at(seconds=180), run_id="manual-1", by=OWNER, policy=POLICY)

    assert decision.result == Accepted("run-1", (OPEN, CLOSED))
    assert written(decision).last_manual_trigger_time == at(seconds=180)


def test_a_run_with_one_message_still_in_its_time_is_refused() -> None:
    pair = started(claimed(a_pair()), OPEN, now=at(seconds=100))

    assert pressed(pair, seconds=180) == Running()


@pytest.mark.parametrize("stuck", [False, True])
def test_a_trigger_recognises_its_own_write(stuck: bool) -> None:
    before, seconds = (claimed(a_pair()), 180) if stuck else (a_pair(), 0)
    pair = triggered(before, seconds=seconds)

    again = trigger(pair, now=at(seconds=seconds), run_id="manual-1", by=OWNER, policy=POLICY)

    assert again.record is None
    assert isinstance(again.result, Accepted)


def test_what_cannot_be_published_is_taken_back_whole() -> None:
    before = failed(claimed(a_pair()))
    pair = triggered(before, minutes=1)

    restored = written(undo(pair, run_id="manual-1", now=at(minutes=1)))

    assert restored.run is None
    assert (restored.next_send_time, restored.retry_at) == (before.next_send_time, before.retry_at)
    assert restored.last_manual_trigger_time is None
    assert restored.manual_trigger_count == 0
    assert restored.last_broadcast == before.last_broadcast


def test_a_trigger_that_is_under_way_is_not_taken_back() -> None:
    pair = triggered(a_pair())

    assert not undo(started(pair, OPEN), run_id="manual-1", now=NOON).result
    assert not undo(sent(pair), run_id="manual-1", now=NOON).result
    assert not undo(pair, run_id="another", now=NOON).result


def test_taking_back_a_take_up_gives_the_cooldown_back_and_keeps_the_run() -> None:
    pair = triggered(claimed(a_pair()), seconds=180)

    restored = written(undo(pair, run_id="run-1", now=at(seconds=180)))

    assert restored.run is not None
    assert restored.run.run_id == "run-1"
    assert restored.last_manual_trigger_time is None


def test_a_pause_calls_off_what_is_queued_and_looks_after_what_is_inside_a_call() -> None:
    pair = written(pause(started(claimed(a_pair()), OPEN), now=NOON, reason="holiday"))

    assert pair.run is not None
    assert pair.run.open.state is DeliveryState.SENDING
    assert pair.run.closed.state is DeliveryState.CANCELLED
    assert pair.wake_at == at(seconds=120)
    finished = settled(pair, OPEN, Posted(11, at(seconds=1)), at(seconds=1))
    assert finished.wake_at is None
    assert finished.state is PairState.PAUSED


def test_pausing_twice_and_resuming_twice_changes_nothing_more() -> None:
    paused = written(pause(a_pair(), now=NOON, reason="holiday"))

    assert pause(paused, now=at(hours=1), reason="again").record is None
    assert resume(a_pair(), now=NOON, policy=POLICY).record is None


def test_a_resumed_pair_whose_last_run_failed_retries_at_once_what_was_not_sent() -> None:
    paused = written(pause(failed(claimed(a_pair())), now=NOON, reason="x"))

    pair = written(resume(paused, now=at(hours=1), policy=POLICY))

    assert pair.consecutive_failures == 0
    assert pair.wake_at == at(hours=1)
    again = claimed(pair, "run-2", at(hours=1))
    assert again.run is not None
    assert again.run.open.state is DeliveryState.SENT
    assert again.run.closed.state is DeliveryState.QUEUED


def test_a_resumed_pair_whose_last_run_succeeded_waits_for_its_time() -> None:
    paused = written(pause(sent(claimed(a_pair())), now=NOON, reason="x"))

    assert written(resume(paused, now=at(hours=1), policy=POLICY)).wake_at == at(hours=24)


def test_a_resumed_pair_does_not_send_an_unconfirmed_message_again() -> None:
    run = delivered(delivered(claimed(a_pair()), OPEN, Posted(11, NOON)), CLOSED, Unknown("timed out"))
    paused = written(pause(run, now=NOON, reason="x"))

    assert written(resume(paused, now=at(hours=1), policy=POLICY)).wake_at == at(hours=24)


def test_a_resumed_pair_whose_time_passed_is_due_at_once() -> None:
    paused = written(pause(sent(claimed(a_pair())), now=NOON, reason="x"))

    assert written(resume(paused, now=at(hours=30), policy=POLICY)).wake_at == at(hours=30)


def test_pausing_and_resuming_is_no_way_around_the_cooldown() -> None:
    for before in (sent(triggered(a_pair())), failed(triggered(a_pair()))):
        overdue = written(pause(before, now=at(seconds=10), reason="x"))
        pair = written(resume(overdue, now=at(seconds=20), policy=POLICY))
        assert pair.wake_at is not None
        assert pair.wake_at >= at(seconds=300)


def test_editing_a_pair_whose_last_run_failed_makes_its_retry_due_now() -> None:
    pair = failed(claimed(a_pair()))

    edited = written(edit(pair, now=at(minutes=1), changes={"sub_1_price": Decimal("6.00")}, policy=POLICY))

    assert edited.retry_at == at(minutes=1)
    assert edited.sub_1_price == Decimal("6.00")


def test_editing_a_pair_that_is_well_changes_no_time() -> None:
    pair = sent(claimed(a_pair()))

    edited = written(edit(pair, now=at(minutes=1), changes={"open_channel_title": "Pier"}, policy=POLICY))

    assert edited.wake_at == pair.wake_at


def test_an_edit_that_changes_nothing_writes_nothing() -> None:
    pair = failed(claimed(a_pair()))

    decision = edit(pair, now=at(minutes=1), changes={"open_channel_title": "Harbor 1"}, policy=POLICY)

    assert decision.record is None


def test_a_shorter_interval_counts_from_the_last_beginning() -> None:
    pair = sent(claimed(a_pair()))

    soon = edit(pair, now=at(hours=1), changes={"schedule": Schedule(interval_hours=6)}, policy=POLICY)
    past = edit(pair, now=at(hours=9), changes={"schedule": Schedule(interval_hours=6)}, policy=POLICY)

    assert written(soon).next_send_time == at(hours=6)
    assert written(past).next_send_time == at(hours=9)


def test_an_ended_pair_sends_nothing_cannot_be_resumed_and_goes_after_thirty_days() -> None:
    pair = written(end(claimed(a_pair()), now=NOON, take_down=False))

    assert pair.run is None
    assert pair.wake_at is None
    assert pair.state is PairState.ENDED
    assert pair.expire_at == NOON + timedelta(days=30)
    assert resume(pair, now=at(hours=1), policy=POLICY).record is None


def test_ending_with_take_down_names_the_standing_messages_for_deletion() -> None:
    pair = sent(claimed(a_pair()))

    kept = written(end(pair, now=NOON, take_down=False))
    taken = written(end(pair, now=NOON, take_down=True))

    assert kept.open_live is not None
    assert taken.open_live is None
    assert [r.message_id for r in taken.open_replaced] == [11]
    assert [r.message_id for r in taken.closed_replaced] == [21]
