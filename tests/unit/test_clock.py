"""How wrong this machine's clock is, from the store's time and two readings of its own."""

from datetime import datetime, timedelta

import pytest

from shared.clock import TOLERATED, wrong_by
from tests.clocks import NOON

TRIP = timedelta(seconds=3)
TICK = timedelta.resolution


@pytest.mark.parametrize("theirs", [NOON - TOLERATED, NOON, NOON + TRIP / 2, NOON + TRIP, NOON + TRIP + TOLERATED])
def test_what_the_trip_or_the_tolerance_explains_is_no_difference(theirs: datetime) -> None:
    assert wrong_by(NOON, theirs, NOON + TRIP) == timedelta(0)


def test_a_clock_that_was_later_before_it_asked_is_ahead() -> None:
    assert wrong_by(NOON, NOON - TOLERATED - TICK, NOON + TRIP) == TOLERATED + TICK


def test_a_clock_that_is_still_earlier_when_the_answer_is_there_is_behind() -> None:
    assert wrong_by(NOON, NOON + TRIP + TOLERATED + TICK, NOON + TRIP) == -(TOLERATED + TICK)
