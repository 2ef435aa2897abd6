"""The pace as a whole: Telegram's ceiling is used and never met, whatever else goes on.

Enforced are 30 messages a second, and one a second and 20 a minute in one chat.
"""

import pytest

from infra.embedded.service import PRECISION as EMBEDDED
from shared.cloud import PRECISION as CLOUD
from shared.engine import Precision
from tests.simulation.promises import broken
from tests.simulation.rush import Rush

pytestmark = pytest.mark.server

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
