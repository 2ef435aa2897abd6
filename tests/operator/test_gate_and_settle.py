"""pause-all, resume-all, and what the operator knows of an unconfirmed message."""

import pytest

from shared.deliveries import Posted, Unknown
from shared.pace import PACE_ID, Pace
from shared.pair import Channel, DeliveryState, Pair, PairState
from shared.store import PACE, PAIRS, read_pace
from tests.clocks import NOON
from tests.operator.conftest import Operator
from tests.pairs import a_pair
from tests.runs import CLOSED, OPEN, claimed, delivered, sent


def unconfirmed(operator: Operator) -> Pair:
    """A pair whose open message nobody knows of, and whose closed one was sent."""
    pair = delivered(claimed(a_pair()), OPEN, Unknown("no answer in time"))
    pair = delivered(pair, CLOSED, Posted(21, NOON))
    operator.workspace.store.create(PAIRS, pair.id, pair)
    assert pair.state is PairState.UNCONFIRMED
    return pair


def stored(operator: Operator, pair: Pair) -> Pair:
    found = operator.workspace.store.get(PAIRS, pair.id)
    assert found is not None
    return found.record


def test_everything_is_paused_and_resumed_and_said_in_the_status(operator: Operator) -> None:
    operator.workspace.store.create(PACE, PACE_ID, Pace())

    assert "Everything is paused" in operator.run("pause-all", "--reason", "moving house").stdout
    assert "everything paused for" in operator.run("status").stdout
    assert "moving house" in operator.run("status").stdout
    assert "moving house" in operator.run("status", "--json").stdout
    assert "paused already: moving house" in operator.run("pause-all").stdout
    assert "goes on with the next tick" in operator.run("resume-all").stdout
    assert "Nothing was paused" in operator.run("resume-all").stdout
    assert read_pace(operator.workspace.store).record.paused_all is None


def test_a_message_that_stands_counts_as_sent_and_is_replaced_by_the_next(operator: Operator) -> None:
    pair = unconfirmed(operator)

    done = operator.run("settle", pair.id[:8], "open", "--message-id", "1207")

    after = stored(operator, pair)
    assert after.last_broadcast is not None
    assert after.last_broadcast.delivery(Channel.OPEN).state is DeliveryState.SENT
    assert after.open_live is not None
    assert after.open_live.message_id == 1207
    assert after.successful_broadcasts == 1
    assert "stands as 1207" in done.stdout


def test_a_message_that_is_missing_is_called_off_and_nobodys_failure(operator: Operator) -> None:
    pair = unconfirmed(operator)

    operator.run("settle", pair.id, "open", "--missing")

    after = stored(operator, pair)
    assert after.last_broadcast is not None
    assert after.last_broadcast.delivery(Channel.OPEN).state is DeliveryState.CANCELLED
    assert after.consecutive_failures == 0
    assert after.open_live is None


@pytest.mark.parametrize("channel", ["closed", "open"])
def test_a_message_that_is_not_unconfirmed_is_left_alone(operator: Operator, channel: str) -> None:
    pair = sent(claimed(a_pair()))
    operator.workspace.store.create(PAIRS, pair.id, pair)

    done = operator.run("settle", pair.id, channel, "--missing", status=1)

    assert "is unconfirmed" in done.stderr
    assert stored(operator, pair) == pair


@pytest.mark.parametrize("said", [[], ["--missing", "--message-id", "7"]])
def test_one_of_the_two_must_be_said(operator: Operator, said: list[str]) -> None:
    pair = unconfirmed(operator)

    done = operator.run("settle", pair.id, "open", *said, status=2)

    assert "either --message-id or --missing" in done.stderr
    assert stored(operator, pair) == pair
