"""Short ways to bring a pair into a state, for tests of the rules."""

from datetime import datetime, timedelta
from typing import Any

from shared import deliveries, runs
from shared.decision import Decision
from shared.pair import Channel, Fault, Pair
from tests.clocks import NOON

POLICY = runs.Policy(interval=timedelta(hours=24), manual_interval=timedelta(minutes=5))
OPEN, CLOSED = Channel.OPEN, Channel.CLOSED
KICKED = deliveries.Refused("Forbidden: bot was kicked from the channel chat", Fault.PAIR)
STRANGE = deliveries.Refused("Bad Request: SOMETHING_NEW", Fault.UNKNOWN)


def at(**elapsed: float) -> datetime:
    """So long after NOON: `at(minutes=5)`."""
    return NOON + timedelta(**elapsed)


def written(decision: Decision[Pair, Any]) -> Pair:
    """The record a rule wants written."""
    assert decision.record is not None
    return decision.record


def claimed(pair: Pair, run_id: str = "run-1", now: datetime = NOON) -> Pair:
    """The pair with a run begun, or taken up."""
    decision = runs.claim(pair, now=now, run_id=run_id, policy=POLICY)
    assert isinstance(decision.result, runs.Claimed)
    return written(decision)


def started(pair: Pair, channel: Channel, now: datetime = NOON, attempt_id: str | None = None) -> Pair:
    """The pair inside the call for this channel; the attempt's id is `<run>-<channel>` unless given."""
    assert pair.run is not None
    run_id = pair.run.run_id
    attempt = attempt_id or f"{run_id}-{channel.value}"
    decision = deliveries.start(pair, run_id=run_id, channel=channel, attempt_id=attempt, now=now)
    assert decision.result is deliveries.Start.GO
    return written(decision)


def settled(
    pair: Pair, channel: Channel, outcome: deliveries.Outcome, now: datetime = NOON, attempt_id: str | None = None
) -> Pair:
    """The pair with this channel's call ended."""
    attempt = attempt_id
    if attempt is None:
        assert pair.run is not None
        attempt = pair.run.delivery(channel).attempt_id
        assert attempt is not None
    decision = deliveries.settle(pair, channel=channel, attempt_id=attempt, outcome=outcome, now=now)
    return pair if decision.record is None else decision.record


def delivered(pair: Pair, channel: Channel, outcome: deliveries.Outcome, now: datetime = NOON) -> Pair:
    """The pair after a whole call for this channel."""
    return settled(started(pair, channel, now), channel, outcome, now)


def sent(pair: Pair, message_ids: tuple[int, int] = (11, 21), now: datetime = NOON) -> Pair:
    """The pair after both messages of its run were posted."""
    pair = delivered(pair, OPEN, deliveries.Posted(message_ids[0], now), now)
    return delivered(pair, CLOSED, deliveries.Posted(message_ids[1], now), now)


def failed(pair: Pair, now: datetime = NOON, outcome: deliveries.Outcome = KICKED) -> Pair:
    """The pair after its open message was posted and the closed one refused."""
    pair = delivered(pair, OPEN, deliveries.Posted(11, now), now)
    return delivered(pair, CLOSED, outcome, now)
