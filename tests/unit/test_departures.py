"""When a message leaves: in its slot among others, in the next gap where one process does all the sending."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.departures import Alone, OneOfMany
from shared.pace import Tempo
from tests.clocks import ManualClock

SECOND = timedelta(seconds=1)
HALF_SPREAD = 0.0075


def tempo(rate: float = 10) -> Tempo:
    return Tempo(rate=rate, spread=2 * HALF_SPREAD, lead=0.1, prepare=0.02)


def test_among_others_a_message_leaves_in_its_slot() -> None:
    departures = OneOfMany(ManualClock())

    assert departures.place(1.0, tempo(), needs=0.02) == 1.0


@pytest.mark.parametrize(("late", "given"), [(0.0, 0.0), (HALF_SPREAD, -HALF_SPREAD), (HALF_SPREAD + 1e-5, None)])
def test_among_others_a_slot_more_than_half_a_spread_ago_is_missed(late: float, given: float | None) -> None:
    departures = OneOfMany(ManualClock())

    assert departures.place(-late, tempo(), needs=0.0) == (None if given is None else pytest.approx(given))


def test_among_others_a_slot_is_missed_as_well_that_comes_before_the_message_can_be_ready() -> None:
    departures = OneOfMany(ManualClock())

    assert departures.place(0.01, tempo(), needs=0.02) is None
    assert departures.place(0.02, tempo(), needs=0.02) == pytest.approx(0.02)


def test_among_others_a_message_may_leave_until_half_a_spread_after_its_moment() -> None:
    clock = ManualClock()
    departures = OneOfMany(clock)

    clock.advance(1.0 + HALF_SPREAD)
    assert departures.leave(1.0, tempo())
    clock.advance(1e-5)
    assert not departures.leave(1.0, tempo())


def test_alone_a_message_that_missed_its_slot_leaves_at_once() -> None:
    departures = Alone(ManualClock())

    assert departures.place(-60.0, tempo(), needs=0.02) == pytest.approx(0.02)


def test_alone_a_message_that_missed_its_slot_waits_for_no_more_than_a_step_to_be_ready() -> None:
    departures, fast = Alone(ManualClock()), tempo(1000)

    assert departures.place(-60.0, fast, needs=0.02) == pytest.approx(fast.step.total_seconds())


def test_alone_messages_that_missed_their_slots_are_spaced_like_slots() -> None:
    departures, chosen = Alone(ManualClock()), tempo()

    moments = [departures.place(-60.0, chosen, needs=0.0) or 0.0 for _ in range(5)]

    assert [b - a for a, b in pairwise(moments)] == pytest.approx([chosen.step.total_seconds()] * 4)


def test_alone_a_message_waits_while_the_one_before_it_left_too_shortly_ago() -> None:
    clock = ManualClock()
    departures, chosen = Alone(clock), tempo()
    step = chosen.step.total_seconds()

    assert departures.leave(0.0, chosen)
    clock.advance(step - HALF_SPREAD - 1e-5)
    assert not departures.leave(step, chosen)
    clock.advance(2e-5)
    assert departures.leave(step, chosen)


def test_alone_what_may_not_leave_yet_is_given_a_later_moment() -> None:
    clock = ManualClock()
    departures, chosen = Alone(clock), tempo()
    departures.leave(0.0, chosen)

    assert not departures.leave(0.0, chosen)
    assert departures.place(0.0, chosen, needs=0.0) == pytest.approx(chosen.step.total_seconds() - HALF_SPREAD)


@given(
    rate=st.integers(1, 50),
    waits=st.lists(st.floats(0, 0.3), min_size=1, max_size=120),
)
def test_alone_rate_plus_one_departures_take_longer_than_a_second(rate: int, waits: list[float]) -> None:
    clock = ManualClock()
    departures, chosen = Alone(clock), tempo(rate)
    left = []
    for wait in waits:
        clock.advance(wait)
        moment = departures.place(0.0, chosen, needs=0.0)
        while moment is not None:
            clock.sleep(moment - clock.monotonic())
            if departures.leave(moment, chosen):
                left.append(clock.now())
                break
            moment = departures.place(0.0, chosen, needs=0.0)

    assert len(left) == len(waits)
    assert all(last - first > SECOND for first, last in zip(left, left[rate:], strict=False))


def test_alone_lateness_costs_only_what_is_beyond_the_tolerance() -> None:
    """Every message leaves late by half of what is tolerated: the whole stream is late by that, and no slower."""
    clock = ManualClock()
    departures, chosen = Alone(clock), tempo(25)
    step = chosen.step.total_seconds()
    for number in range(100):
        moment = departures.place(number * step, chosen, needs=0.0)
        assert moment is not None
        assert moment == pytest.approx(number * step, abs=1e-5)
        clock.sleep(moment + HALF_SPREAD / 2 - clock.monotonic())
        assert departures.leave(moment, chosen)
