"""Records from a backup: what may have been sent since is unconfirmed, whatever else they say stays."""

from datetime import timedelta

import pytest

from infra.operator.restored_command import WHY
from shared.pair import Channel, DeliveryState, Pair, PairState
from shared.store import HISTORY
from tests.clocks import NOON
from tests.operator.conftest import Operator
from tests.pairs import a_pair
from tests.runs import CLOSED, KICKED, OPEN, claimed, delivered, failed, sent, started


@pytest.fixture
def stopped(operator: Operator) -> Operator:
    operator.workspace.service_running = False
    return operator


def states(pair: Pair) -> list[DeliveryState]:
    assert pair.run is None
    assert pair.last_broadcast is not None
    return [pair.last_broadcast.delivery(channel).state for channel in Channel]


def test_a_pair_that_fell_due_since_is_unconfirmed_and_goes_on_with_its_next_time(stopped: Operator) -> None:
    pair = a_pair(next_send_time=NOON - timedelta(hours=2))
    stopped.keep(pair)

    done = stopped.run("restored")

    after = stopped.stored(pair)
    assert states(after) == [DeliveryState.UNCONFIRMED, DeliveryState.UNCONFIRMED]
    assert after.next_send_time == NOON + timedelta(hours=22)
    assert after.wake_at == after.next_send_time
    assert after.consecutive_failures == 0
    assert after.last_error_message is not None
    assert WHY in after.last_error_message
    assert "1 pair may have been sent" in done.stdout


def test_of_a_broadcast_that_was_on_its_way_only_what_had_no_end_is_unconfirmed(stopped: Operator) -> None:
    halfway = delivered(claimed(a_pair()), OPEN, KICKED)
    inside = started(claimed(a_pair(2)), CLOSED)
    stopped.keep(halfway, inside)

    stopped.run("restored")

    assert states(stopped.stored(halfway)) == [DeliveryState.FAILED, DeliveryState.UNCONFIRMED]
    assert states(stopped.stored(inside)) == [DeliveryState.UNCONFIRMED, DeliveryState.UNCONFIRMED]


def test_a_retry_that_fell_due_keeps_what_was_sent_and_the_run_before_is_history(stopped: Operator) -> None:
    pair = failed(claimed(a_pair()))
    stopped.keep(pair)
    stopped.workspace.clock.advance(600)

    stopped.run("restored")

    after = stopped.stored(pair)
    assert states(after) == [DeliveryState.SENT, DeliveryState.UNCONFIRMED]
    assert after.open_live == pair.open_live
    assert stopped.workspace.store.get(HISTORY, "run-1") is not None


def test_what_is_not_due_or_does_not_send_is_left_alone(stopped: Operator) -> None:
    later = sent(claimed(a_pair()))
    paused = a_pair(2, next_send_time=NOON - timedelta(hours=2), is_active=False)
    stopped.keep(later, paused)

    done = stopped.run("restored")

    assert stopped.stored(later) == later
    assert stopped.stored(paused) == paused
    assert "0 pairs" in done.stdout


def test_a_second_time_changes_nothing(stopped: Operator) -> None:
    pair = a_pair(next_send_time=NOON - timedelta(hours=2))
    stopped.keep(pair)
    stopped.run("restored")
    once = stopped.stored(pair)

    stopped.run("restored")

    assert stopped.stored(pair) == once


def test_somebody_who_looked_can_say_what_became_of_it(stopped: Operator) -> None:
    pair = a_pair(next_send_time=NOON - timedelta(hours=2))
    stopped.keep(pair)
    stopped.run("restored")

    stopped.run("settle", pair.id, "open", "--message-id", "1207")
    stopped.run("settle", pair.id, "closed", "--missing")

    after = stopped.stored(pair)
    assert states(after) == [DeliveryState.SENT, DeliveryState.CANCELLED]
    assert after.open_live is not None
    assert after.open_live.message_id == 1207
    assert after.state is PairState.PARTLY_SENT


def test_where_messages_are_being_sent_it_is_refused_until_everything_is_paused(operator: Operator) -> None:
    pair = a_pair(next_send_time=NOON - timedelta(hours=2))
    operator.keep(pair)

    refused = operator.run("restored", status=1)

    assert "stop the service or broadcastctl pause-all first" in refused.stderr
    assert operator.stored(pair) == pair
    operator.run("pause-all")
    operator.run("restored")
    assert operator.stored(pair).state is PairState.UNCONFIRMED
