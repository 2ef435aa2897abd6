"""A run: claimed, gone on with, finished, repeated."""

from datetime import timedelta

import pytest

from shared import deliveries, runs
from shared.pair import BroadcastStatus, Cause, DeliveryState, Fault, PairState, Schedule, replace
from shared.runs import Claimed, NothingToPublish, claim
from tests.clocks import NOON
from tests.pairs import a_pair
from tests.runs import CLOSED, KICKED, OPEN, POLICY, STRANGE, at, claimed, delivered, failed, sent, started, written


def test_a_due_pair_is_claimed_with_both_messages_queued_and_its_next_time_moved_on() -> None:
    decision = claim(a_pair(), now=NOON, run_id="run-1", policy=POLICY)

    assert decision.result == Claimed("run-1", (OPEN, CLOSED))
    pair = written(decision)
    assert pair.next_send_time == at(hours=24)
    assert pair.wake_at == at(seconds=180)
    assert pair.broadcast_status is BroadcastStatus.IN_PROGRESS
    assert pair.state is PairState.QUEUED


def test_a_pair_whose_time_has_not_come_is_left_alone() -> None:
    decision = claim(a_pair(), now=at(seconds=-1), run_id="run-1", policy=POLICY)

    assert decision.record is None
    assert decision.result == NothingToPublish()


def test_a_claim_that_reads_its_own_write_is_claimed_and_writes_nothing_again() -> None:
    pair = claimed(a_pair())

    decision = claim(pair, now=NOON, run_id="run-1", policy=POLICY)

    assert decision.record is None
    assert decision.result == Claimed("run-1", (OPEN, CLOSED))


def test_a_claim_that_reads_another_ones_write_publishes_nothing() -> None:
    pair = claimed(a_pair())

    decision = claim(pair, now=NOON, run_id="run-2", policy=POLICY)

    assert decision.record is None
    assert decision.result == NothingToPublish()


def test_a_claim_archives_the_last_run_before_it_is_written() -> None:
    pair = sent(claimed(a_pair()))

    decision = claim(pair, now=at(hours=24), run_id="run-2", policy=POLICY)

    assert decision.archive is not None
    assert decision.archive.run == pair.last_broadcast
    assert decision.archive.expire_at == NOON + timedelta(days=400)


def test_what_was_missed_is_sent_once() -> None:
    pair = claimed(a_pair(), now=at(days=3, hours=5))

    assert pair.next_send_time == at(days=4)


def test_a_stuck_run_is_taken_up_where_it_stopped() -> None:
    pair = delivered(claimed(a_pair()), OPEN, deliveries.Posted(11, NOON))

    decision = claim(pair, now=at(seconds=180), run_id="other", policy=POLICY)

    assert decision.result == Claimed("run-1", (CLOSED,))
    taken = written(decision).run
    assert taken is not None
    assert taken.open.message_id == 11
    assert taken.closed.until == at(seconds=360)


def test_only_a_call_past_its_own_time_becomes_unconfirmed() -> None:
    pair = started(started(claimed(a_pair()), OPEN), CLOSED, now=at(seconds=60))

    looked = written(claim(pair, now=at(seconds=120), run_id="x", policy=POLICY))

    assert looked.run is not None
    assert looked.run.open.state is DeliveryState.UNCONFIRMED
    assert looked.run.closed.state is DeliveryState.SENDING


def test_at_a_start_every_call_of_the_dead_process_becomes_unconfirmed_at_once() -> None:
    pair = started(claimed(a_pair()), OPEN)

    assert runs.expire(pair, now=NOON) is pair
    after = runs.expire(pair, now=NOON, dead=True)

    assert after.run is not None
    assert after.run.open.state is DeliveryState.UNCONFIRMED
    assert after.run.closed.state is DeliveryState.QUEUED


def test_an_unconfirmed_message_is_neither_success_nor_failure_and_is_not_sent_again() -> None:
    pair = failed(claimed(a_pair()), outcome=deliveries.Unknown("timed out"))

    assert (pair.total_broadcasts, pair.successful_broadcasts, pair.failed_broadcasts) == (1, 0, 0)
    assert pair.consecutive_failures == 0
    assert pair.retry_at is None
    assert pair.wake_at == at(hours=24)
    assert pair.state is PairState.UNCONFIRMED
    assert pair.last_error_message == "Closed channel: timed out"


def test_both_sent_is_a_success() -> None:
    pair = sent(claimed(a_pair(last_error_message="old", consecutive_failures=3)))

    assert (pair.total_broadcasts, pair.successful_broadcasts, pair.failed_broadcasts) == (1, 1, 0)
    assert pair.consecutive_failures == 0
    assert pair.last_error_message is None
    assert pair.last_sent_time == NOON
    assert pair.broadcast_status is BroadcastStatus.COMPLETED
    assert pair.state is PairState.SENT


def test_a_refusal_of_the_pairs_own_is_retried_for_the_refused_message_alone() -> None:
    pair = failed(claimed(a_pair()))
    assert pair.retry_at == at(minutes=5)
    assert pair.state is PairState.PARTLY_SENT

    decision = claim(pair, now=at(minutes=5), run_id="run-2", policy=POLICY)

    assert decision.result == Claimed("run-2", (CLOSED,))
    retry = written(decision).run
    assert retry is not None
    assert retry.cause is Cause.RETRY
    assert retry.retry == 1
    assert retry.open == pair.last_broadcast.open if pair.last_broadcast else None
    assert written(decision).next_send_time == pair.next_send_time


def test_a_retry_that_completes_the_broadcast_is_a_success() -> None:
    pair = claimed(failed(claimed(a_pair())), "run-2", at(minutes=5))

    pair = delivered(pair, CLOSED, deliveries.Posted(22, at(minutes=5)), at(minutes=5))

    assert pair.successful_broadcasts == 1
    assert pair.consecutive_failures == 0
    assert pair.retry_at is None


def test_five_failures_in_a_row_pause_the_pair_with_telegrams_words_over_hours() -> None:
    pair, now, delays = a_pair(), NOON, []
    for number in range(5):
        pair = claimed(pair, f"run-{number}", now)
        for channel in runs.queued_channels(pair.run) if pair.run else ():
            pair = delivered(pair, channel, KICKED, now)
        if pair.retry_at is not None:
            delays.append(pair.retry_at - now)
            now = pair.retry_at

    assert delays == [timedelta(minutes=m) for m in (5, 20, 80, 320)]
    assert not pair.is_active
    assert pair.wake_at is None
    assert pair.pause_reason is not None
    assert "bot was kicked from the channel chat" in pair.pause_reason
    assert pair.state is PairState.PAUSED


def test_a_refusal_in_unknown_words_does_not_count_and_is_not_retried_for_ever() -> None:
    pair, now = a_pair(), NOON
    retries = 0
    while True:
        pair = claimed(pair, f"run-{retries}", now)
        for channel in runs.queued_channels(pair.run) if pair.run else ():
            pair = delivered(pair, channel, STRANGE, now)
        if pair.retry_at is None:
            break
        retries, now = retries + 1, pair.retry_at

    assert retries == 4
    assert pair.consecutive_failures == 0
    assert pair.is_active
    assert pair.wake_at == at(hours=24)


def test_a_retry_never_comes_later_than_the_next_whole_broadcast() -> None:
    pair = failed(claimed(a_pair(schedule=Schedule(interval_hours=0.05))))

    assert pair.retry_at is None
    assert pair.wake_at == at(minutes=3)


def test_a_run_unfinished_at_its_next_time_is_closed_and_the_new_one_begins() -> None:
    pair = delivered(claimed(a_pair()), OPEN, deliveries.Posted(11, NOON))
    pair = delivered(pair, CLOSED, deliveries.GivenBack(at(hours=24), "no connection"))

    decision = claim(pair, now=at(hours=24), run_id="run-2", policy=POLICY)

    assert decision.result == Claimed("run-2", (OPEN, CLOSED))
    closed = written(decision).last_broadcast
    assert closed is not None
    assert closed.closed.state is DeliveryState.CANCELLED
    assert written(decision).failed_broadcasts == 0


def test_a_run_inside_a_call_at_its_next_time_is_waited_for() -> None:
    pair = delivered(claimed(a_pair()), OPEN, deliveries.GivenBack(at(hours=24), "no connection"))
    pair = started(pair, CLOSED, now=at(hours=24, seconds=-10))

    decision = claim(pair, now=at(hours=24), run_id="run-2", policy=POLICY)

    assert decision.result == NothingToPublish()
    after = written(decision)
    assert after.run is not None
    assert after.run.open.state is DeliveryState.CANCELLED
    assert after.wake_at == at(hours=24, seconds=110)


def test_neither_message_goes_if_one_cannot_be_made() -> None:
    pair = claimed(a_pair())

    decision = runs.refuse(pair, run_id="run-1", error="Tier 1 has no price.", now=NOON)

    after = written(decision)
    assert after.run is None
    assert after.failed_broadcasts == 1
    assert after.last_error_message == "Open channel: Tier 1 has no price.; Closed channel: Tier 1 has no price."
    assert after.last_broadcast is not None
    assert after.last_broadcast.open.fault is Fault.PAIR


def test_a_refusal_to_make_messages_of_another_run_changes_nothing() -> None:
    pair = claimed(a_pair())

    assert runs.refuse(pair, run_id="run-0", error="…", now=NOON).record is None


def test_a_pair_with_a_schedule_nobody_can_follow_is_paused_and_says_why() -> None:
    pair = a_pair(schedule=Schedule(cron="not a cron"))

    decision = claim(pair, now=NOON, run_id="run-1", policy=POLICY)

    assert decision.result == NothingToPublish()
    assert written(decision).wake_at is None
    assert "cron" in (written(decision).pause_reason or "")


@pytest.mark.parametrize(
    ("open_state", "closed_state", "expected"),
    [
        (DeliveryState.SENT, DeliveryState.SENT, BroadcastStatus.COMPLETED),
        (DeliveryState.SENT, DeliveryState.FAILED, BroadcastStatus.FAILED),
        (DeliveryState.SENT, DeliveryState.UNCONFIRMED, BroadcastStatus.FAILED),
        (DeliveryState.CANCELLED, DeliveryState.CANCELLED, BroadcastStatus.SKIPPED),
        (DeliveryState.SENT, DeliveryState.CANCELLED, BroadcastStatus.SKIPPED),
    ],
)
def test_the_five_words_follow_from_what_happened(
    open_state: DeliveryState, closed_state: DeliveryState, expected: BroadcastStatus
) -> None:
    pair = sent(claimed(a_pair()))
    assert pair.last_broadcast is not None
    run = replace(
        pair.last_broadcast,
        open=replace(pair.last_broadcast.open, state=open_state),
        closed=replace(pair.last_broadcast.closed, state=closed_state),
    )

    assert replace(pair, last_broadcast=run).broadcast_status is expected
    assert a_pair().broadcast_status is BroadcastStatus.PENDING
