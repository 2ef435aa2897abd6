"""The pace: slots that keep every window, one tick in charge, a gate that a probe opens."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decision import Decision
from shared.pace import (
    Gate,
    GateReason,
    Pace,
    Tempo,
    TickInCharge,
    bot_unusable,
    probe_sent,
    release_probe,
    reserve,
    reserve_pairs,
    take_charge,
    throttle,
)
from tests.clocks import NOON
from tests.runs import at

TEMPO = Tempo(rate=25, spread=0.015, lead=0.1, prepare=0.02)


def written(decision: Decision[Pace, Any]) -> Pace:
    assert decision.record is not None
    return decision.record


def gate(**changes: Any) -> Gate:
    fields = {
        "reason": GateReason.THROTTLED,
        "since": NOON,
        "blocked_until": NOON,
        "block_seconds": 30,
        "detail": "429",
    }
    return Gate(**{**fields, **changes})


def a_tick(seconds: float = 0, event_id: str = "1") -> TickInCharge:
    return TickInCharge(published_at=at(seconds=seconds), event_id=event_id)


@given(rate=st.floats(1, 150), spread=st.floats(0.001, 0.2), data=st.data())
def test_a_rate_and_one_more_messages_never_fit_into_a_second(rate: float, spread: float, data: st.DataObject) -> None:
    tempo = Tempo(rate=rate, spread=spread, lead=0.1, prepare=0.02)
    count = int(rate) + 1
    slots = reserve(Pace(), count=count, now=NOON, tempo=tempo).result
    first_is_late = data.draw(st.floats(0, spread / 2))
    last_is_early = data.draw(st.floats(0, spread / 2))

    span = (slots[-1] - slots[0]).total_seconds() - first_is_late - last_is_early

    assert span >= int(rate) / rate * (1 + spread) - spread - 1e-4
    if rate == int(rate):
        assert span > 1 - 1e-4


def test_slots_go_on_where_the_last_ones_ended_and_never_start_before_the_lead() -> None:
    first = reserve(Pace(), count=2, now=NOON, tempo=TEMPO)
    second = reserve(written(first), count=1, now=NOON, tempo=TEMPO)
    later = reserve(written(first), count=1, now=at(seconds=60), tempo=TEMPO)

    assert first.result[0] == at(seconds=0.1)
    assert second.result[0] == first.result[1] + TEMPO.step
    assert later.result[0] == at(seconds=60.1)


def test_a_batch_gives_open_channels_the_first_slots_and_closed_ones_the_last() -> None:
    opens, closeds = reserve_pairs(Pace(), opens=12, closeds=12, now=NOON, tempo=TEMPO).result

    assert max(opens) < min(closeds)
    assert all(c - o >= timedelta(seconds=0.48) for o, c in zip(opens, closeds, strict=True))


def test_the_two_messages_of_a_single_pair_are_half_a_second_apart() -> None:
    (open_,), (closed,) = reserve_pairs(Pace(), opens=1, closeds=1, now=NOON, tempo=TEMPO).result

    assert closed - open_ >= timedelta(seconds=0.5)


@pytest.mark.parametrize(("seconds", "late"), [(0, False), (0.0075, False), (0.008, True)])
def test_a_message_is_late_half_a_spread_after_its_slot(seconds: float, late: bool) -> None:
    assert TEMPO.late(NOON, at(seconds=seconds)) is late


@pytest.mark.parametrize(
    ("tick", "takes"),
    [(a_tick(1), True), (a_tick(0, "2"), True), (a_tick(), True), (a_tick(0, "0"), False), (a_tick(-1), False)],
)
def test_a_tick_takes_charge_if_it_is_newer_or_in_charge_already(tick: TickInCharge, takes: bool) -> None:
    decision = take_charge(Pace(tick=a_tick()), tick)

    assert decision.result is takes
    assert (decision.record is not None) is (takes and tick != a_tick())


def test_a_429_holds_everybody_for_thirty_seconds_at_most() -> None:
    short = written(throttle(Pace(), now=NOON, retry_after=4, probe=False, detail=""))
    hours = written(throttle(Pace(), now=NOON, retry_after=10072, probe=False, detail=""))

    assert short.gate is not None
    assert hours.gate is not None
    assert short.gate.blocked_until == at(seconds=4)
    assert hours.gate.blocked_until == at(seconds=30)


def test_a_429_of_the_probe_holds_everybody_for_the_whole_time() -> None:
    closed = Pace(gate=gate(probing=True))

    after = written(throttle(closed, now=NOON, retry_after=10072, probe=True, detail="")).gate

    assert after is not None
    assert after.blocked_until == at(seconds=10072)
    assert not after.probing


def test_a_block_is_never_shortened_and_another_reason_stays() -> None:
    long = Pace(gate=gate(blocked_until=at(hours=2)))
    other = Pace(gate=gate(reason=GateReason.BOT_UNUSABLE))

    assert throttle(long, now=NOON, retry_after=1, probe=False, detail="").record is None
    assert throttle(other, now=NOON, retry_after=1, probe=False, detail="").record is None


def test_a_bot_that_stays_unusable_is_tried_less_and_less_up_to_every_fifteen_minutes() -> None:
    pace = written(bot_unusable(Pace(), now=NOON, probe=False, detail="Unauthorized"))
    blocks = []
    for _ in range(7):
        assert pace.gate is not None
        blocks.append(pace.gate.block_seconds)
        pace = written(bot_unusable(pace, now=NOON, probe=True, detail="Unauthorized"))

    assert blocks == [30, 60, 120, 240, 480, 900, 900]


def test_messages_under_way_when_the_bot_became_unusable_do_not_prolong_the_block() -> None:
    pace = written(bot_unusable(Pace(), now=NOON, probe=False, detail="Unauthorized"))

    assert bot_unusable(pace, now=NOON, probe=False, detail="Unauthorized").record is None


def test_one_probe_is_released_when_the_block_is_over_and_not_before() -> None:
    closed = Pace(gate=gate(blocked_until=at(seconds=30)))

    assert not release_probe(closed, now=at(seconds=29)).result
    released = release_probe(closed, now=at(seconds=30))
    assert released.result
    assert not release_probe(written(released), now=at(seconds=31)).result
    assert release_probe(written(released), now=at(seconds=90)).result


def test_a_probe_that_was_sent_opens_the_gate() -> None:
    assert written(probe_sent(Pace(gate=gate()))).gate is None
    assert probe_sent(Pace()).record is None
