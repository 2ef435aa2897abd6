"""One message: started once, settled truthfully however late, replaced."""

import pytest

from shared import deliveries
from shared.deliveries import GivenBack, Moved, Posted, Settle, Start, Unknown, deletion_failed, postpone, settle, start
from shared.owner import pause
from shared.pair import DeliveryState, Pair
from shared.runs import expire
from tests.clocks import NOON
from tests.pairs import a_pair
from tests.runs import CLOSED, KICKED, OPEN, at, claimed, delivered, failed, sent, settled, started, written


def entered(pair: Pair, run_id: str = "run-1", attempt_id: str = "b") -> Start:
    return start(pair, run_id=run_id, channel=OPEN, attempt_id=attempt_id, now=NOON).result


def test_a_queued_message_is_started_once() -> None:
    pair = claimed(a_pair())

    first = start(pair, run_id="run-1", channel=OPEN, attempt_id="a", now=NOON)

    assert first.result is Start.GO
    run = written(first).run
    assert run is not None
    assert run.open.until == at(seconds=120)
    assert run.open.tries == 1
    assert entered(written(first), attempt_id="b") is Start.STALE


def test_a_start_recognises_its_own_write() -> None:
    pair = started(claimed(a_pair()), OPEN, attempt_id="a")

    decision = start(pair, run_id="run-1", channel=OPEN, attempt_id="a", now=NOON)

    assert decision.result is Start.GO
    assert decision.record is None


@pytest.mark.parametrize("outcome", [KICKED, Unknown("timed out")])
def test_a_settled_message_is_not_started_again(outcome: deliveries.Outcome) -> None:
    pair = delivered(claimed(a_pair()), OPEN, outcome)

    assert entered(pair) is Start.STALE


def test_a_copy_of_an_event_whose_message_is_sent_is_done_also_after_the_run() -> None:
    inside = delivered(claimed(a_pair()), OPEN, Posted(11, NOON))
    after = sent(claimed(a_pair()))

    assert entered(inside) is Start.DONE
    assert entered(after) is Start.DONE


def test_an_event_of_another_run_is_stale() -> None:
    assert entered(claimed(a_pair()), run_id="run-0") is Start.STALE
    assert entered(a_pair()) is Start.STALE


def test_a_message_given_back_is_queued_until_then_and_nobody_has_failed() -> None:
    pair = delivered(claimed(a_pair()), OPEN, GivenBack(at(seconds=40), "Too Many Requests"))

    assert pair.run is not None
    assert pair.run.open.state is DeliveryState.QUEUED
    assert pair.run.open.until == at(seconds=40)
    assert pair.run.open.attempt_id is None
    assert pair.consecutive_failures == 0
    assert entered(pair) is Start.GO


def test_a_message_given_back_on_a_paused_pair_is_called_off() -> None:
    pair = started(claimed(a_pair()), OPEN)
    paused = written(pause(pair, now=NOON, reason="holiday"))
    assert paused.run is not None
    assert paused.run.closed.state is DeliveryState.CANCELLED

    after = settled(paused, OPEN, GivenBack(at(seconds=40), "Too Many Requests"))

    assert after.run is None
    assert after.last_broadcast is not None
    assert after.last_broadcast.open.state is DeliveryState.CANCELLED


def test_a_moved_chat_is_remembered_and_the_message_sent_once_more() -> None:
    pair = started(claimed(a_pair()), OPEN)

    decision = settle(pair, channel=OPEN, attempt_id="run-1-open", outcome=Moved(-100777), now=NOON)

    assert decision.result is Settle.AGAIN
    moved = written(decision)
    assert moved.open_chat_id == -100777
    assert moved.open_channel_id == pair.open_channel_id
    assert moved.run is not None
    assert moved.run.open.chat == -100777
    assert entered(moved) is Start.GO


def test_a_chat_that_moves_twice_within_one_message_fails_it() -> None:
    pair = settled(started(claimed(a_pair()), OPEN), OPEN, Moved(-100777))

    after = settled(started(pair, OPEN, attempt_id="second"), OPEN, Moved(-100778))

    assert after.run is not None
    assert after.run.open.state is DeliveryState.FAILED
    assert after.open_chat_id == -100778


def test_a_late_answer_still_counts_while_the_run_is_on() -> None:
    pair = expire(started(claimed(a_pair()), OPEN), now=at(seconds=120))

    after = settled(pair, OPEN, Posted(11, at(seconds=130)), at(seconds=130))

    assert after.run is not None
    assert after.run.open.state is DeliveryState.SENT
    assert after.open_live is not None
    assert after.open_live.message_id == 11


def test_a_late_answer_corrects_a_finished_run_and_its_counters() -> None:
    pair = expire(started(delivered(claimed(a_pair()), OPEN, Posted(11, NOON)), CLOSED), now=at(seconds=120))
    assert pair.run is None
    assert pair.successful_broadcasts == 0

    after = settled(pair, CLOSED, Posted(21, at(seconds=130)), at(seconds=130), "run-1-closed")

    assert after.last_broadcast is not None
    assert after.last_broadcast.closed.message_id == 21
    assert (after.total_broadcasts, after.successful_broadcasts) == (1, 1)
    assert after.last_error_message is None


def test_a_late_refusal_of_a_finished_run_plans_its_retry() -> None:
    pair = expire(started(delivered(claimed(a_pair()), OPEN, Posted(11, NOON)), CLOSED), now=at(seconds=120))

    after = settled(pair, CLOSED, KICKED, at(seconds=130), "run-1-closed")

    assert after.failed_broadcasts == 1
    assert after.retry_at == at(seconds=130, minutes=5)


def test_a_late_answer_corrects_the_history_of_a_run_that_is_no_longer_the_current_one() -> None:
    pair = expire(started(delivered(claimed(a_pair()), OPEN, Posted(11, NOON)), CLOSED), now=at(seconds=120))
    pair = claimed(pair, "run-2", at(hours=24))

    decision = settle(
        pair, channel=CLOSED, attempt_id="run-1-closed", outcome=Posted(21, at(hours=24)), now=at(hours=24)
    )

    assert decision.archive is not None
    assert decision.archive.run.run_id == "run-1"
    assert decision.archive.run.closed.state is DeliveryState.SENT


def test_a_retry_carries_an_unconfirmed_message_over_and_a_late_answer_reaches_both_runs() -> None:
    pair = delivered(claimed(a_pair()), OPEN, KICKED)
    pair = expire(started(pair, CLOSED), now=at(seconds=120))
    pair = claimed(pair, "run-2", at(minutes=10))
    assert pair.run is not None
    assert pair.run.closed.state is DeliveryState.UNCONFIRMED

    after = settled(pair, CLOSED, Posted(21, at(minutes=10)), at(minutes=10), "run-1-closed")

    assert after.run is not None
    assert after.run.closed.state is DeliveryState.SENT
    assert after.last_broadcast is not None
    assert after.last_broadcast.closed.state is DeliveryState.SENT


def test_an_answer_whose_run_is_gone_leaves_its_message_to_be_deleted() -> None:
    pair = sent(claimed(a_pair()))

    decision = settle(pair, channel=OPEN, attempt_id="long-gone", outcome=Posted(9, NOON), now=NOON)

    assert decision.result is Settle.LATE
    assert [r.message_id for r in written(decision).open_replaced] == [9]
    assert written(decision).open_live == pair.open_live


def test_an_answer_older_than_the_standing_message_does_not_take_its_place() -> None:
    pair = expire(started(claimed(a_pair()), OPEN), now=at(seconds=120))
    pair = delivered(pair, CLOSED, Posted(21, at(seconds=121)), at(seconds=121))
    pair = sent(claimed(pair, "run-2", at(hours=24)), (12, 22), at(hours=24))

    after = settled(pair, OPEN, Posted(11, at(hours=25)), at(hours=25), "run-1-open")

    assert after.open_live is not None
    assert after.open_live.message_id == 12
    assert 11 in {r.message_id for r in after.open_replaced}


def test_an_answer_older_than_the_standing_message_does_not_take_its_place_while_its_run_is_at_hand() -> None:
    pair = expire(started(claimed(a_pair()), OPEN), now=at(seconds=120))
    pair = delivered(pair, CLOSED, Posted(21, at(seconds=121)), at(seconds=121))
    pair = delivered(claimed(pair, "run-2", at(hours=24)), OPEN, Posted(12, at(hours=24)), at(hours=24))

    after = settled(pair, OPEN, Posted(11, at(hours=24)), at(hours=24), "run-1-open")

    assert after.open_live is not None
    assert after.open_live.message_id == 12
    assert [r.message_id for r in after.open_replaced] == [11]
    assert after.last_broadcast is not None
    assert after.last_broadcast.open.state is DeliveryState.SENT


def test_a_late_answer_that_leaves_the_verdict_a_failure_counts_it_once() -> None:
    pair = delivered(claimed(a_pair()), OPEN, KICKED)
    pair = expire(started(pair, CLOSED), now=at(seconds=120))
    assert pair.consecutive_failures == 1

    after = settled(pair, CLOSED, Posted(21, at(seconds=130)), at(seconds=130), "run-1-closed")

    assert (after.consecutive_failures, after.failed_broadcasts) == (1, 1)
    assert after.retry_at == pair.retry_at


def test_a_settle_that_reads_its_own_write_changes_nothing() -> None:
    pair = started(claimed(a_pair()), OPEN, attempt_id="a")
    posted = Posted(11, NOON)
    pair = settled(pair, OPEN, posted, attempt_id="a")

    again = settle(pair, channel=OPEN, attempt_id="a", outcome=posted, now=at(seconds=1))

    assert again.record is None


def test_each_replaced_message_is_named_in_two_deletions_running_and_then_forgotten() -> None:
    pair, named = a_pair(), []
    for day in range(4):
        pair = sent(claimed(pair, f"run-{day}", at(days=day)), (10 + day, 20 + day), at(days=day))
        named.append([r.message_id for r in pair.open_replaced])

    assert named == [[], [10], [10, 11], [11, 12]]


def test_nothing_is_replaced_by_a_message_that_failed_or_may_not_stand() -> None:
    pair = sent(claimed(a_pair()))
    outcomes: tuple[deliveries.Outcome, ...] = (KICKED, Unknown("timed out"))
    for number, outcome in enumerate(outcomes):
        begun = claimed(pair, f"again-{number}", at(days=1))
        after = delivered(begun, OPEN, outcome, at(days=1))
        assert after.open_live == pair.open_live
        assert after.open_replaced == ()


def test_a_failed_deletion_is_written_down_and_named_again() -> None:
    pair = sent(claimed(sent(claimed(a_pair())), "run-2", at(days=1)), (12, 22), at(days=1))

    decision = deletion_failed(
        pair, channel=OPEN, message_ids=frozenset({11}), error="message can't be deleted", now=at(days=1)
    )

    (kept,) = written(decision).open_replaced
    assert (kept.message_id, kept.named, kept.error) == (11, 0, "message can't be deleted")


def test_only_a_queued_message_of_the_current_run_can_be_put_off() -> None:
    pair = claimed(a_pair())

    put_off = postpone(pair, run_id="run-1", channel=OPEN, until=at(minutes=9), now=NOON)
    assert written(put_off).run is not None
    assert written(put_off).wake_at == at(seconds=180)
    assert not postpone(started(pair, OPEN), run_id="run-1", channel=OPEN, until=at(minutes=9), now=NOON).result
    assert not postpone(failed(pair), run_id="run-1", channel=OPEN, until=at(minutes=9), now=NOON).result
