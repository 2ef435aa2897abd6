"""The pace: slots that keep Telegram's windows, one tick in charge, and a gate that ends by a probe."""

from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decision import Decision
from shared.pace import (
    CHANNELS_APART,
    FEWEST_REFUSED,
    FIRST_BLOCK,
    LONGEST_BLOCK,
    LONGEST_HOLD,
    PROBE_FOR,
    REFUSALS_COUNTED,
    Gate,
    GateReason,
    Pace,
    Tempo,
    TickInCharge,
    bot_unusable,
    pause_all,
    probe_refused,
    probe_sent,
    probe_void,
    refusals_since,
    refused_widely,
    release_probe,
    reserve,
    reserve_pairs,
    resume_all,
    take_charge,
    throttle,
    unreachable,
)
from shared.pair import replace
from shared.runs import RETRY_DELAYS
from tests.clocks import NOON
from tests.runs import at

T = TypeVar("T")
SECOND = timedelta(seconds=1)
EMBEDDED = Tempo(rate=25, spread=0.015, lead=0.25, prepare=0.02)


def tempo(rate: float, spread: float = 0.015, lead: float = 0.25) -> Tempo:
    return Tempo(rate=rate, spread=spread, lead=lead, prepare=0.02)


def after(pace: Pace, decision: Decision[Pace, T]) -> Pace:
    return pace if decision.record is None else decision.record


# --- slots ------------------------------------------------------------------------------------------------------------


def test_the_first_slot_leaves_time_to_prepare() -> None:
    assert reserve(Pace(), count=1, now=NOON, tempo=EMBEDDED).result == (at(seconds=0.25),)


def test_slots_go_on_where_the_last_reservation_ended() -> None:
    first = reserve(Pace(), count=3, now=NOON, tempo=EMBEDDED)
    second = reserve(after(Pace(), first), count=2, now=NOON, tempo=EMBEDDED)

    slots = first.result + second.result
    assert {later - earlier for earlier, later in pairwise(slots)} == {EMBEDDED.step}


def test_slots_that_passed_unused_are_not_made_up_for() -> None:
    idle = after(Pace(), reserve(Pace(), count=50, now=NOON, tempo=EMBEDDED))

    assert reserve(idle, count=1, now=at(minutes=5), tempo=EMBEDDED).result == (at(minutes=5, seconds=0.25),)


@given(rate=st.integers(1, 1000), spread=st.floats(0, 0.2), data=st.data())
def test_one_message_more_than_the_rate_always_takes_longer_than_a_second(
    rate: int, spread: float, data: st.DataObject
) -> None:
    slots = reserve(Pace(), count=2 * rate + 1, now=NOON, tempo=tempo(rate, spread)).result
    first = data.draw(st.integers(0, rate))

    leaves_latest = slots[first] + timedelta(seconds=spread / 2)
    leaves_earliest = slots[first + rate] - timedelta(seconds=spread / 2)

    assert leaves_earliest - leaves_latest > SECOND


@given(
    rate=st.floats(0.1, 1000),
    spread=st.floats(0.001, 0.2),
    reservations=st.lists(st.tuples(st.integers(1, 9), st.floats(0, 2)), min_size=1, max_size=30),
)
def test_no_two_slots_are_nearer_than_a_step_however_they_are_reserved(
    rate: float, spread: float, reservations: list[tuple[int, float]]
) -> None:
    pace, now, chosen = Pace(), NOON, tempo(rate, spread)
    slots: list[datetime] = []

    for count, elapsed in reservations:
        now += timedelta(seconds=elapsed)
        decision = reserve(pace, count=count, now=now, tempo=chosen)
        pace = after(pace, decision)
        slots += decision.result

    assert all(later - earlier >= chosen.step for earlier, later in pairwise(slots))
    in_a_second = ceil(rate)
    assert all(slots[i + in_a_second] - slots[i] > SECOND for i in range(len(slots) - in_a_second))


@pytest.mark.parametrize("spread", [0.015, 0.1])
@pytest.mark.parametrize("rate", [1, 25, 30, 1000])
def test_the_pace_uses_the_rate_but_for_the_spread(rate: int, spread: float) -> None:
    slots = reserve(Pace(), count=10 * rate + 1, now=NOON, tempo=tempo(rate, spread)).result

    assert slots[-1] - slots[0] < 10 * SECOND * (1 + spread) + timedelta(milliseconds=21)


@pytest.mark.parametrize(("rate", "pairs"), [(25, 12), (30, 15), (2, 1), (1, 1), (0.5, 1)])
def test_a_second_is_filled_by_half_as_many_pairs_and_at_least_one(rate: float, pairs: int) -> None:
    assert tempo(rate).pairs_per_second == pairs


# --- slots for pairs --------------------------------------------------------------------------------------------------


@given(
    opens=st.integers(0, 60),
    closeds=st.integers(0, 60),
    rate=st.floats(1, 1000),
    taken=st.none() | st.floats(-5, 5),
)
def test_in_a_batch_all_open_channels_come_first_and_no_slot_is_crowded(
    opens: int, closeds: int, rate: float, taken: float | None
) -> None:
    pace = Pace(next_slot=None if taken is None else at(seconds=taken))

    decision = reserve_pairs(pace, opens=opens, closeds=closeds, now=NOON, tempo=tempo(rate))

    first, second = decision.result
    slots = first + second
    assert (len(first), len(second)) == (opens, closeds)
    assert list(slots) == sorted(slots)
    assert all(b - a >= tempo(rate).step for a, b in pairwise(slots))
    assert all(slot >= at(seconds=0.25) for slot in slots)
    follows = reserve(after(pace, decision), count=1, now=NOON, tempo=tempo(rate)).result[0]
    assert not slots or follows - slots[-1] >= tempo(rate).step


@given(pairs=st.integers(1, 60), rate=st.floats(1, 1000))
def test_a_pairs_two_messages_are_at_least_half_a_second_apart(pairs: int, rate: float) -> None:
    first, second = reserve_pairs(Pace(), opens=pairs, closeds=pairs, now=NOON, tempo=tempo(rate)).result

    assert all(closed - open_ >= CHANNELS_APART for open_, closed in zip(first, second, strict=True))


def test_a_message_that_goes_alone_waits_for_no_other() -> None:
    alone = reserve_pairs(Pace(), opens=0, closeds=1, now=NOON, tempo=EMBEDDED)

    assert alone.result == ((), (at(seconds=0.25),))


def test_a_batch_that_fills_its_second_leaves_no_gap() -> None:
    pairs = EMBEDDED.pairs_per_second + 1

    first, second = reserve_pairs(Pace(), opens=pairs, closeds=pairs, now=NOON, tempo=EMBEDDED).result

    assert second[0] - first[-1] == EMBEDDED.step


# --- the tick in charge -----------------------------------------------------------------------------------------------

MINUTE_5 = TickInCharge(published_at=at(minutes=5), event_id="b")


@pytest.mark.parametrize(
    "other",
    [
        TickInCharge(published_at=at(minutes=6), event_id="a"),
        TickInCharge(published_at=at(minutes=5), event_id="c"),
    ],
    ids=["published later", "published together"],
)
def test_a_newer_tick_takes_charge(other: TickInCharge) -> None:
    decision = take_charge(Pace(tick=MINUTE_5), other)

    assert decision.result
    assert after(Pace(), decision).tick == other


@pytest.mark.parametrize(
    "other",
    [
        TickInCharge(published_at=at(minutes=4), event_id="z"),
        TickInCharge(published_at=at(minutes=5), event_id="a"),
    ],
    ids=["published earlier", "published together"],
)
def test_a_tick_that_is_not_newer_does_not(other: TickInCharge) -> None:
    decision = take_charge(Pace(tick=MINUTE_5), other)

    assert (decision.result, decision.record) == (False, None)


def test_the_tick_in_charge_goes_on_without_a_write() -> None:
    decision = take_charge(Pace(tick=MINUTE_5), MINUTE_5)

    assert (decision.result, decision.record) == (True, None)


def test_the_first_tick_takes_charge() -> None:
    assert take_charge(Pace(), MINUTE_5).result


def test_taking_charge_touches_neither_slots_nor_gate() -> None:
    pace = throttled(5, pace=Pace(next_slot=NOON))

    taken = after(pace, take_charge(pace, MINUTE_5))

    assert (taken.next_slot, taken.gate) == (pace.next_slot, pace.gate)


# --- throttled --------------------------------------------------------------------------------------------------------


def throttled(retry_after: float, *, pace: Pace | None = None, now: datetime = NOON, probe: bool = False) -> Pace:
    found = Pace() if pace is None else pace
    return after(found, throttle(found, now=now, retry_after=retry_after, probe=probe, detail="429"))


def unusable(pace: Pace | None = None, *, now: datetime = NOON, probe: bool = False) -> Pace:
    found = Pace() if pace is None else pace
    return after(found, bot_unusable(found, now=now, probe=probe, detail="Unauthorized"))


def gate(pace: Pace) -> Gate:
    assert pace.gate is not None
    return pace.gate


def probed(pace: Pace, *, now: datetime | None = None) -> Pace:
    """The pace with a probe on its way."""
    decision = release_probe(pace, now=now or gate(pace).blocked_until)
    assert decision.result
    return after(pace, decision)


@pytest.mark.parametrize(("retry_after", "held"), [(2, 2), (30, 30), (31, 30), (10072, 30)])
def test_after_a_429_all_are_held_for_as_long_as_it_says_but_at_most_half_a_minute(
    retry_after: float, held: float
) -> None:
    closed = gate(throttled(retry_after))

    assert closed.reason is GateReason.THROTTLED
    assert (closed.since, closed.blocked_until) == (NOON, at(seconds=held))
    assert timedelta(seconds=held) <= LONGEST_HOLD


def test_a_probes_429_holds_all_for_the_whole_time() -> None:
    pace = probed(throttled(10072))

    held = throttled(10072, pace=pace, now=at(seconds=31), probe=True)

    assert (gate(held).since, gate(held).blocked_until) == (NOON, at(seconds=31 + 10072))


def test_a_probes_429_may_be_shorter_than_the_wait_for_its_answer() -> None:
    pace = probed(throttled(10072))

    held = throttled(3, pace=pace, now=at(seconds=31), probe=True)

    assert gate(held).blocked_until == at(seconds=34)


@given(
    answers=st.lists(st.tuples(st.floats(0, 20), st.floats(1, 2_000), st.booleans()), min_size=1, max_size=20),
)
def test_a_block_is_never_shortened_but_by_the_answer_of_a_probe(answers: list[tuple[float, float, bool]]) -> None:
    pace, now = throttled(25), NOON

    for elapsed, retry_after, probe in answers:
        now += timedelta(seconds=elapsed)
        before, pace = gate(pace), throttled(retry_after, pace=pace, now=now, probe=probe)
        assert gate(pace).blocked_until >= before.blocked_until


def test_a_lost_probes_late_answer_does_not_shorten_what_the_next_one_found() -> None:
    lost = probed(throttled(10072))
    second = probed(lost)
    held = throttled(10072, pace=second, now=at(seconds=95), probe=True)

    late = throttled(2, pace=held, now=at(seconds=96), probe=True)

    assert gate(late).blocked_until == at(seconds=95 + 10072)


def test_a_429_of_another_message_leaves_a_probe_its_time() -> None:
    pace = probed(throttled(10072))

    assert throttled(5, pace=pace, now=at(seconds=31)) == pace
    assert throttled(600, pace=pace, now=at(seconds=85)) == pace


def test_a_gate_closed_for_the_bot_stays_so_when_telegram_throttles() -> None:
    pace = unusable()

    assert throttled(10072, pace=pace, probe=True) == pace


# --- bot unusable -----------------------------------------------------------------------------------------------------


def test_an_unusable_bot_closes_the_gate_for_half_a_minute() -> None:
    closed = gate(unusable())

    assert (closed.reason, closed.detail) == (GateReason.BOT_UNUSABLE, "Unauthorized")
    assert closed.blocked_until == NOON + FIRST_BLOCK


def test_other_messages_of_an_unusable_bot_change_nothing() -> None:
    pace = unusable()

    assert unusable(pace, now=at(seconds=20)) == pace


def test_each_refused_probe_doubles_the_block_up_to_a_quarter_of_an_hour() -> None:
    pace, blocks = unusable(), []

    for _ in range(7):
        now = gate(pace).blocked_until
        pace = unusable(probed(pace), now=now, probe=True)
        blocks.append((gate(pace).blocked_until - now).total_seconds())

    assert blocks == [60, 120, 240, 480, 900, 900, 900]
    assert timedelta(seconds=blocks[-1]) == LONGEST_BLOCK
    assert gate(pace).since == NOON


def test_the_second_message_of_a_refused_probe_adds_nothing() -> None:
    once = unusable(probed(unusable()), now=at(seconds=30), probe=True)

    assert unusable(once, now=at(seconds=31), probe=True) == once


def test_a_throttled_bot_that_becomes_unusable_is_said_to_be_so() -> None:
    closed = gate(unusable(throttled(10), now=at(seconds=3)))

    assert (closed.reason, closed.since) == (GateReason.BOT_UNUSABLE, at(seconds=3))
    assert closed.blocked_until == at(seconds=3) + FIRST_BLOCK


# --- probes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("close", [lambda: throttled(10), unusable], ids=["throttled", "unusable"])
def test_a_probe_goes_when_the_block_is_over_and_only_one(close: Any) -> None:
    pace = close()
    over = gate(pace).blocked_until

    early = release_probe(pace, now=over - timedelta.resolution)
    first = release_probe(pace, now=over)
    second = release_probe(after(pace, first), now=over + timedelta.resolution)

    assert (early.result, first.result, second.result) == (None, gate(pace).reason, None)
    assert early.record is None
    assert second.record is None


def test_a_probe_that_is_lost_is_followed_by_another_after_a_minute() -> None:
    pace = probed(throttled(10))

    assert not release_probe(pace, now=at(seconds=10) + PROBE_FOR - timedelta.resolution).result
    assert release_probe(pace, now=at(seconds=10) + PROBE_FOR).result


def test_with_an_open_gate_there_is_nothing_to_probe() -> None:
    assert release_probe(Pace(), now=NOON).result is None


def test_a_probe_that_was_posted_opens_the_gate() -> None:
    pace = probed(throttled(10, pace=Pace(next_slot=NOON)))

    decision = probe_sent(pace, now=NOON)

    assert decision.result
    assert after(pace, decision) == Pace(next_slot=NOON, opened_at=NOON)


def test_a_probe_refused_for_its_chats_sake_opens_a_throttled_gate() -> None:
    pace = probed(throttled(10, pace=Pace(next_slot=NOON)))

    decision = probe_refused(pace, now=NOON)

    assert decision.result
    assert after(pace, decision) == Pace(next_slot=NOON)


def test_a_probe_refused_for_its_chats_sake_says_nothing_of_a_bot_that_is_unusable() -> None:
    closed = bot_unusable(Pace(), now=NOON, probe=False, detail="Unauthorized")
    pace = probed(after(Pace(), closed))

    for decision in (probe_refused(pace, now=NOON), probe_refused(Pace(), now=NOON)):
        assert (decision.result, decision.record) == (False, None)


def test_an_open_gate_is_not_opened_again() -> None:
    decision = probe_sent(Pace(), now=NOON)

    assert (decision.result, decision.record) == (False, None)


# --- unreachable ------------------------------------------------------------------------------------------------------


def lost_connection(pace: Pace, now: datetime, *, probe: bool = False) -> Pace:
    return unreachable(pace, now=now, probe=probe, detail="refused").record or pace


def test_calls_that_reach_nobody_close_the_gate_for_half_a_minute() -> None:
    gate = lost_connection(Pace(), NOON).gate

    assert gate is not None
    assert (gate.reason, gate.blocked_until) == (GateReason.UNREACHABLE, NOON + FIRST_BLOCK)


def test_other_calls_that_reach_nobody_change_nothing_of_a_closed_gate() -> None:
    closed = lost_connection(Pace(), NOON)

    assert lost_connection(closed, at(seconds=20)) is closed


def test_each_probe_that_reaches_nobody_doubles_the_block_up_to_a_quarter_of_an_hour() -> None:
    pace, now, blocks = lost_connection(Pace(), NOON), NOON, []
    for _ in range(7):
        assert pace.gate is not None
        now = pace.gate.blocked_until
        pace = release_probe(pace, now=now).record or pace
        pace = lost_connection(pace, now, probe=True)
        assert pace.gate is not None
        blocks.append(pace.gate.blocked_until - now)

    assert blocks == [FIRST_BLOCK * 2, FIRST_BLOCK * 4, FIRST_BLOCK * 8, FIRST_BLOCK * 16, *[LONGEST_BLOCK] * 3]


def without_a_call(probing: Pace) -> Pace:
    """One message of the probe was put off."""
    return after(probing, probe_void(probing, now=at(seconds=30)))


def test_a_refused_message_doubles_the_block_though_the_other_one_of_its_probe_ended_without_a_call() -> None:
    voided = without_a_call(probed(unusable()))

    assert gate(unusable(voided, now=at(seconds=31), probe=True)).block_seconds == 60


def test_a_message_that_reaches_nobody_doubles_the_block_though_the_other_one_of_its_probe_ended_without_a_call() -> (
    None
):
    voided = without_a_call(probed(lost_connection(Pace(), NOON)))

    assert gate(lost_connection(voided, at(seconds=31), probe=True)).block_seconds == 60


@pytest.mark.parametrize("reason", [GateReason.UNREACHABLE, GateReason.REFUSALS])
def test_the_second_message_of_a_probe_that_reaches_nobody_adds_nothing(reason: GateReason) -> None:
    closed = widely_refused() if reason is GateReason.REFUSALS else lost_connection(Pace(), NOON)
    once = lost_connection(probed(closed), at(seconds=30), probe=True)

    assert lost_connection(once, at(seconds=31), probe=True) is once


def test_a_probe_that_telegram_throttles_shows_that_it_is_reached() -> None:
    probing = release_probe(lost_connection(Pace(), NOON), now=at(seconds=30)).record
    assert probing is not None

    throttled = throttle(probing, now=at(seconds=31), retry_after=7, probe=True, detail="429").record

    assert throttled is not None
    assert throttled.gate is not None
    assert (throttled.gate.reason, throttled.gate.blocked_until) == (GateReason.THROTTLED, at(seconds=38))


def test_a_probe_that_its_chat_refuses_opens_an_unreachable_gate() -> None:
    assert probe_refused(lost_connection(Pace(), NOON), now=NOON).result


# --- refusals ---------------------------------------------------------------------------------------------------------


def refused(attempted: int, of_them: int, *, pace: Pace | None = None, now: datetime = NOON) -> Decision[Pace, bool]:
    found = Pace() if pace is None else pace
    return refused_widely(found, now=now, attempted=attempted, refused=of_them)


def widely_refused() -> Pace:
    return after(Pace(), refused(5, 5))


@pytest.mark.parametrize(("attempted", "of_them", "closes"), [(5, 5, True), (16, 5, True), (1000, 301, True)])
@pytest.mark.parametrize("less", [0, 1])
def test_refusals_of_many_pairs_at_once_close_the_gate(attempted: int, of_them: int, closes: bool, less: int) -> None:
    """One refused pair fewer is bad luck, of one's own."""
    decision = refused(attempted, of_them - less)

    assert decision.result is (closes and not less)
    assert (after(Pace(), decision).gate is not None) is (closes and not less)


def test_a_gate_closed_for_refusals_says_how_many_and_tries_again_after_half_a_minute() -> None:
    closed = gate(after(Pace(), refused(40, 35)))

    assert (closed.reason, closed.since, closed.blocked_until) == (GateReason.REFUSALS, NOON, NOON + FIRST_BLOCK)
    assert closed.detail == "35 of the 40 pairs tried lately were refused"


@given(attempted=st.integers(0, 200_000), share=st.floats(0, 1))
def test_a_third_refused_closes_whatever_the_number_and_a_quarter_never(attempted: int, share: float) -> None:
    of_them = int(attempted * share)

    closes = refused(attempted, of_them).result

    if of_them >= FEWEST_REFUSED and of_them * 3 >= attempted:
        assert closes
    if of_them < FEWEST_REFUSED or of_them * 4 <= attempted:
        assert not closes


def test_refusals_change_nothing_of_a_gate_that_is_closed_already() -> None:
    closed = unusable()

    decision = refused(100, 100, pace=closed, now=at(hours=1))

    assert (decision.result, decision.record) == (False, None)


def test_each_refused_probe_of_refusals_doubles_the_block_once_however_many_messages_it_has() -> None:
    pace, blocks = widely_refused(), []
    for _ in range(7):
        now = gate(pace).blocked_until
        pace = probed(pace)
        for _message in range(2):
            decision = probe_refused(pace, now=now)
            assert decision.result is False
            pace = after(pace, decision)
        blocks.append(gate(pace).blocked_until - now)

    assert blocks == [FIRST_BLOCK * 2, FIRST_BLOCK * 4, FIRST_BLOCK * 8, FIRST_BLOCK * 16, *[LONGEST_BLOCK] * 3]
    assert gate(pace).detail == gate(widely_refused()).detail


def test_a_posted_probe_opens_it_and_refusals_count_from_then_on() -> None:
    opened = probe_sent(probed(widely_refused()), now=at(minutes=1))

    assert opened.result
    assert opened.record is not None
    assert opened.record.gate is None
    assert refusals_since(opened.record, now=at(minutes=2)) == at(minutes=1)
    assert refusals_since(opened.record, now=at(hours=2)) == at(hours=2) - REFUSALS_COUNTED
    assert refusals_since(Pace(), now=NOON) == NOON - REFUSALS_COUNTED


def test_what_was_refused_all_at_once_still_counts_when_it_is_due_again() -> None:
    a_tick, a_call = timedelta(seconds=60), timedelta(seconds=45)

    assert RETRY_DELAYS[0] + a_tick + a_call < REFUSALS_COUNTED


def test_a_probe_of_refusals_that_reaches_nobody_leaves_the_reason_and_doubles_the_block() -> None:
    pace = probed(widely_refused())

    lost = gate(lost_connection(pace, at(seconds=30), probe=True))

    assert (lost.reason, lost.block_seconds) == (GateReason.REFUSALS, 2 * FIRST_BLOCK.total_seconds())


def test_a_probe_of_refusals_that_telegram_throttles_is_followed_when_it_says() -> None:
    pace = probed(widely_refused())

    held = gate(throttled(3600, pace=pace, now=at(seconds=31), probe=True))

    assert (held.reason, held.blocked_until, held.probing) == (GateReason.REFUSALS, at(seconds=3631), False)


def test_a_429_to_a_message_that_is_no_probe_changes_nothing_of_refusals() -> None:
    pace = probed(widely_refused())

    assert throttled(3600, pace=pace, now=at(seconds=31)) == pace


def test_a_bot_that_becomes_unusable_is_said_to_be_so_before_refusals() -> None:
    pace = probed(widely_refused())

    assert gate(unusable(pace, now=at(seconds=31), probe=True)).reason is GateReason.BOT_UNUSABLE


# --- a probe without a call -------------------------------------------------------------------------------------------


def test_a_probe_that_made_no_call_lets_another_go_at_once() -> None:
    probing = release_probe(lost_connection(Pace(), NOON), now=at(seconds=30)).record
    assert probing is not None

    voided = probe_void(probing, now=at(seconds=31))

    assert voided.result
    assert voided.record is not None
    assert release_probe(voided.record, now=at(seconds=31)).result


def test_where_no_probe_is_waited_for_nothing_is_void() -> None:
    closed = lost_connection(Pace(), NOON)

    assert not probe_void(closed, now=NOON).result
    assert not probe_void(Pace(), now=NOON).result


# --- everything paused ------------------------------------------------------------------------------------------------


def test_what_the_operator_paused_no_probe_tries() -> None:
    closed = lost_connection(Pace(), NOON)
    held = pause_all(closed, now=NOON, reason="tests").record
    assert held is not None

    assert not release_probe(held, now=at(hours=1)).result
    resumed = resume_all(held).record
    assert resumed == closed
    assert release_probe(resumed, now=at(hours=1)).result


def test_a_pause_keeps_its_first_reason_and_is_lifted_once() -> None:
    held = pause_all(Pace(), now=NOON, reason="first").record
    assert held is not None

    assert not pause_all(held, now=at(hours=1), reason="second").result
    assert resume_all(held).result
    assert not resume_all(Pace()).result


def test_a_pause_leaves_gate_slots_and_tick_as_they_are() -> None:
    before = replace(lost_connection(Pace(), NOON), next_slot=NOON)
    held = pause_all(before, now=NOON, reason="tests").record
    assert held is not None

    assert replace(held, paused_all=None) == before
