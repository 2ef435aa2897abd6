"""What is derived from a pair: when it was last tried, and when it was last refused for its own sake."""

from shared import owner
from shared.deliveries import GivenBack, Posted, Unknown
from shared.runs import RETRY_DELAYS, refuse
from tests.pairs import a_pair
from tests.runs import CLOSED, OPEN, STRANGE, at, claimed, delivered, failed, sent, started, written


def test_a_pair_that_was_never_tried_has_neither_time() -> None:
    pair = claimed(a_pair())

    assert (pair.attempted_at, pair.refused_at) == (None, None)


def test_a_pair_was_tried_when_its_last_call_began() -> None:
    pair = started(claimed(a_pair()), OPEN, at(seconds=1))
    assert pair.attempted_at == at(seconds=1)

    pair = delivered(claimed(a_pair()), OPEN, Posted(11, at(seconds=2)), at(seconds=1))
    assert started(pair, CLOSED, at(seconds=3)).attempted_at == at(seconds=3)


def test_a_message_that_was_given_back_was_not_tried() -> None:
    pair = delivered(claimed(a_pair()), OPEN, GivenBack(at(seconds=30), "429"), at(seconds=1))

    assert pair.attempted_at is None


def test_a_pair_was_refused_when_the_refused_call_began_and_while_its_retry_runs() -> None:
    pair = failed(claimed(a_pair()), at(seconds=1))
    assert (pair.attempted_at, pair.refused_at) == (at(seconds=1), at(seconds=1))

    later = at(seconds=1) + RETRY_DELAYS[0]
    retried = started(claimed(pair, "run-2", later), CLOSED, later)
    assert (retried.attempted_at, retried.refused_at) == (later, at(seconds=1))


def test_a_pair_whose_retry_was_posted_is_not_refused_any_more() -> None:
    pair = failed(claimed(a_pair()), at(seconds=1))
    later = at(seconds=1) + RETRY_DELAYS[0]

    posted = delivered(claimed(pair, "run-2", later), CLOSED, Posted(12, later), later)

    assert posted.refused_at is None


def test_what_is_not_the_pairs_own_is_no_refusal_of_it() -> None:
    assert failed(claimed(a_pair()), outcome=STRANGE).refused_at is None
    assert failed(claimed(a_pair()), outcome=Unknown("no answer")).refused_at is None
    assert sent(claimed(a_pair())).refused_at is None


def test_texts_that_cannot_be_sent_were_refused_by_nobody() -> None:
    pair = claimed(a_pair())
    assert pair.run is not None

    spoiled = written(refuse(pair, run_id=pair.run.run_id, error="no tiers", now=at(seconds=1)))

    assert spoiled.failed_broadcasts == 1
    assert spoiled.refused_at is None


def test_a_pause_changes_nothing_of_what_happened() -> None:
    pair = failed(claimed(a_pair()), at(seconds=1))

    paused = written(owner.pause(pair, now=at(seconds=5), reason="tests"))

    assert paused.refused_at == at(seconds=1)
