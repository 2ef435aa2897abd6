"""The pace as a whole: Telegram's ceiling is used and never met, whatever else goes on.

Enforced are 30 messages a second, and one a second and 20 a minute in one chat.
"""

import pytest

from functions.tick.handler import MOST_IN_FLIGHT_SECONDS
from infra.embedded.service import PRECISION as EMBEDDED
from shared.cloud import PRECISION as CLOUD
from shared.engine import Precision
from tests.simulation.promises import broken
from tests.simulation.rush import RATE, SECOND, Rush

pytestmark = pytest.mark.server

HELD_SECONDS = 30
"""So long a 429 to one chat may hold the others."""
MANY = 910
"""Pairs, two messages each: a minute of the ceiling, and more."""


def delivered(rush: Rush, pairs: int) -> bool:
    """Whether each channel got one message, and every promise was kept."""
    chats = [message.chat for message in rush.telegram.accepted]
    return len(chats) == len(set(chats)) == 2 * pairs and broken(rush) == []


@pytest.mark.parametrize(
    ("precision", "one_clock", "share"),
    [
        # What the spread leaves of the ceiling is 1/1.015 = 98.5 % and 1/1.1 = 90.9 %.
        pytest.param(EMBEDDED, True, 0.98, id="one machine"),
        pytest.param(CLOUD, False, 0.90, id="Google Cloud"),
    ],
)
def test_the_ceiling_is_used_and_no_message_meets_it(precision: Precision, one_clock: bool, share: float) -> None:
    rush = Rush(MANY, precision=precision, one_clock=one_clock)

    rush.go(3)

    assert rush.telegram.throttled == []
    assert delivered(rush, MANY)
    assert share <= rush.used <= 1


def test_a_press_of_resend_goes_ahead_of_the_backlog_and_the_ceiling_holds() -> None:
    backlog, presses = 300, [2.0, 7.3, 7.4, 12.0]
    rush = Rush(backlog, resting=len(presses), precision=EMBEDDED, one_clock=True)
    for pair, at in zip(rush.resting, presses, strict=True):
        rush.press(pair, at)

    rush.go(2)

    waited = [max(rush.arrivals(pair)) - at for pair, at in zip(rush.resting, presses, strict=True)]
    last = max(max(rush.arrivals(pair)) for pair in rush.due)
    assert max(waited) < 2.5
    assert last > backlog * 2 / RATE
    assert rush.telegram.throttled == []
    assert delivered(rush, backlog + len(presses))


def test_a_chat_flooded_for_hours_holds_nobody_else() -> None:
    pairs, hours = 100, 3
    rush = Rush(pairs, precision=EMBEDDED, one_clock=True)
    flooded = rush.due[40]
    rush.telegram.flooded[flooded.open_chat_id] = hours * 3600 * SECOND

    rush.go(hours * 60 + 5)

    others = [at for pair in rush.due if pair is not flooded for at in rush.arrivals(pair)]
    # The hold after the 429, and the time it takes to send everything.
    assert max(others) < HELD_SECONDS + pairs * 2 / RATE + 10
    assert max(rush.arrivals(flooded)) > hours * 3600
    assert [chat for _, chat in rush.telegram.throttled] == [flooded.open_chat_id]
    assert delivered(rush, pairs)


def test_while_the_send_is_down_no_more_is_begun_than_thirty_seconds_of_the_pace() -> None:
    pairs, back = 600, 125
    rush = Rush(pairs, precision=CLOUD)
    rush.no_send = 5 * SECOND, back * SECOND

    rush.go(8)

    most = MOST_IN_FLIGHT_SECONDS * RATE / 2
    assert most / 2 < rush.most_running <= most + RATE / 2
    assert rush.telegram.throttled == []
    assert delivered(rush, pairs)
    assert max(message.micros for message in rush.telegram.accepted) > back * SECOND
