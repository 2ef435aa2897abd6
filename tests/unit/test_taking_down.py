"""The rules of taking an ended pair's messages down."""

from datetime import timedelta

from shared import taking_down
from shared.deliveries import Posted
from shared.owner import end
from shared.pair import Pair
from shared.runs import Claimed, NothingToPublish, claim
from tests.clocks import NOON
from tests.pairs import a_pair
from tests.runs import CLOSED, KICKED, OPEN, POLICY, at, claimed, delivered, sent, settled, started, written

STANDING = sent(claimed(a_pair()))


def ended(pair: Pair = STANDING) -> Pair:
    return written(end(pair, now=NOON, take_down=True))


def attempted(pair: Pair, id: str = "attempt-1", **later: float) -> Pair:
    return written(claim(pair, now=at(**later), run_id=id, policy=POLICY))


def test_somebody_must_see_to_it_at_once() -> None:
    assert ended().wake_at == NOON
    assert ended().run is None


def test_without_the_wish_nobody_looks_at_an_ended_pair() -> None:
    assert written(end(STANDING, now=NOON, take_down=False)).wake_at is None


def test_a_pair_of_which_nothing_stands_is_done_at_once() -> None:
    assert ended(a_pair()).wake_at is None


def test_it_can_be_asked_for_after_the_end() -> None:
    kept = written(end(STANDING, now=NOON, take_down=False))

    later = written(end(kept, now=at(hours=1), take_down=True))

    assert later.wake_at == at(hours=1)
    assert later.ended_at == NOON
    assert end(later, now=at(hours=2), take_down=True).record is None


def test_a_claim_names_the_channels_and_is_due_again_should_it_be_lost() -> None:
    decision = claim(ended(), now=NOON, run_id="attempt-1", policy=POLICY)

    assert decision.result == Claimed("attempt-1", (OPEN, CLOSED), take_down=True)
    assert written(decision).run is None
    assert written(decision).wake_at == at(minutes=3)


def test_a_claim_whose_answer_was_lost_knows_itself() -> None:
    decision = claim(attempted(ended()), now=NOON, run_id="attempt-1", policy=POLICY)

    assert decision.record is None
    assert decision.result == Claimed("attempt-1", (OPEN, CLOSED), take_down=True)


def test_before_its_time_nothing_is_claimed() -> None:
    assert claim(attempted(ended()), now=at(minutes=2), run_id="attempt-2", policy=POLICY).result == NothingToPublish()


def test_each_attempt_waits_twice_as_long_and_the_tenth_is_the_last() -> None:
    pair, now = ended(), NOON
    waits = []
    while pair.wake_at is not None:
        now = pair.wake_at
        pair = written(claim(pair, now=now, run_id=f"attempt-{now}", policy=POLICY))
        if pair.wake_at is not None:
            waits.append((pair.wake_at - now) / timedelta(minutes=3))

    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert [r.message_id for r in pair.open_replaced] == [11]


def test_what_is_gone_is_written_down_and_the_last_one_ends_it() -> None:
    first = taking_down.gone(attempted(ended()), channel=OPEN, message_ids=frozenset({11}), now=NOON)
    second = taking_down.gone(written(first), channel=CLOSED, message_ids=frozenset({21}), now=NOON)

    assert (first.result, second.result) == (False, True)
    assert written(first).wake_at == at(minutes=3)
    assert written(second).wake_at is None


def test_the_same_deletion_told_twice_writes_nothing() -> None:
    first = written(taking_down.gone(attempted(ended()), channel=OPEN, message_ids=frozenset({11}), now=NOON))

    assert taking_down.gone(first, channel=OPEN, message_ids=frozenset({11}), now=NOON).record is None


def test_a_pause_that_telegram_asks_for_is_kept_and_costs_no_attempt() -> None:
    pair = written(taking_down.put_off(attempted(ended()), until=at(hours=5), now=NOON))

    assert pair.wake_at == at(hours=5)
    assert pair.take_down is not None
    assert pair.take_down.tries == 0


def test_a_message_that_was_inside_its_call_at_the_end_goes_as_well() -> None:
    sending = started(claimed(STANDING, "run-2", at(hours=24)), OPEN, at(hours=24))
    pair = written(end(sending, now=at(hours=24), take_down=True))
    assert pair.wake_at == at(hours=24, seconds=120)

    posted = settled(pair, OPEN, Posted(31, at(hours=24, seconds=5)), at(hours=24, seconds=5))

    assert {r.message_id for r in posted.open_replaced} == {11, 31}
    assert posted.open_live is None
    assert posted.wake_at == at(hours=24, seconds=5)


def test_a_late_message_stays_where_the_others_were_to_stay() -> None:
    sending = started(claimed(STANDING, "run-2", at(hours=24)), OPEN, at(hours=24))
    pair = written(end(sending, now=at(hours=24), take_down=False))

    posted = settled(pair, OPEN, Posted(31, at(hours=24, seconds=5)), at(hours=24, seconds=5))

    assert posted.open_live is not None
    assert posted.wake_at is None


def test_a_refused_pair_that_ends_has_its_standing_message_taken_down() -> None:
    broken = delivered(claimed(STANDING, "run-2", at(hours=24)), CLOSED, KICKED, at(hours=24))

    assert [r.message_id for r in ended(broken).closed_replaced] == [21]
