"""Rate limits are sliding windows over accepted messages: strict, and exact at their boundaries."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.telegram_simulator.limits import Limits, RateLimiter
from tests.telegram_simulator.support import CHAT, OTHER, World, refused

BOT_ONLY = Limits(per_chat_per_second=None, per_chat_per_minute=None)


def accepted(limiter: RateLimiter, at: float, chat: int = 1, bot: int = 1, paid: bool = False) -> bool:
    return limiter.accept(bot, chat, at, paid) == 0


def test_thirty_in_one_second_are_accepted_and_the_next_is_not() -> None:
    limiter = RateLimiter(Limits())
    assert all(accepted(limiter, 0.0, chat) for chat in range(30))
    assert not accepted(limiter, 0.999999, 30)


def test_a_message_exactly_one_second_after_the_oldest_is_accepted() -> None:
    limiter = RateLimiter(Limits())
    for chat in range(30):
        assert accepted(limiter, 0.1, chat)
    assert accepted(limiter, 1.1, 30)


def test_evenly_spaced_messages_at_the_limit_are_all_accepted() -> None:
    limiter = RateLimiter(BOT_ONLY)
    moment, step = 1000.0, 1 / 30
    assert all(accepted(limiter, moment + n * step) for n in range(3000))


def test_a_burst_across_a_full_second_of_the_clock_is_no_loophole() -> None:
    limiter = RateLimiter(Limits())
    assert all(accepted(limiter, 0.9, chat) for chat in range(30))
    assert not accepted(limiter, 1.1, 30)


@given(st.lists(st.integers(0, 300_000), min_size=1, max_size=200))
def test_any_one_second_interval_has_at_most_thirty_accepted(gaps_in_microseconds: list[int]) -> None:
    limiter, now, moments = RateLimiter(BOT_ONLY), 0, []
    for gap in gaps_in_microseconds:
        now += gap
        if accepted(limiter, now / 1e6):
            moments.append(now)
    assert all(sum(first <= moment < first + 1_000_000 for moment in moments) <= 30 for first in moments)


def test_one_chat_gets_one_message_a_second_and_another_chat_is_free() -> None:
    limiter = RateLimiter(Limits())
    assert accepted(limiter, 0.0, chat=1)
    assert not accepted(limiter, 0.999, chat=1)
    assert accepted(limiter, 0.999, chat=2)
    assert accepted(limiter, 1.0, chat=1)


def test_one_chat_gets_twenty_messages_a_minute() -> None:
    limiter = RateLimiter(Limits())
    assert all(accepted(limiter, 2.0 * n) for n in range(20))
    assert limiter.accept(1, 1, 40.0) == 20
    assert accepted(limiter, 60.0)


def test_a_refused_message_does_not_count() -> None:
    limiter = RateLimiter(Limits())
    assert accepted(limiter, 0.0)
    assert not accepted(limiter, 0.9)
    assert accepted(limiter, 1.0)


def test_each_bot_has_its_own_limits() -> None:
    limiter = RateLimiter(Limits(per_second=1))
    assert accepted(limiter, 0.0, bot=1)
    assert accepted(limiter, 0.0, bot=2)
    assert not accepted(limiter, 0.5, chat=2, bot=1)


def test_the_wait_is_whole_seconds_rounded_up_and_at_least_one() -> None:
    limiter = RateLimiter(Limits(per_second=1))
    assert accepted(limiter, 0.0)
    assert limiter.accept(1, 2, 0.999999) == 1
    assert limiter.accept(1, 2, 0.0) == 1


def test_paid_messages_have_the_higher_limit_and_fill_the_free_one() -> None:
    limiter = RateLimiter(Limits(per_second=2, paid_per_second=4))
    assert all(accepted(limiter, 0.0, chat, paid=True) for chat in range(4))
    assert not accepted(limiter, 0.5, 5, paid=True)
    assert not accepted(limiter, 0.5, 6)


def test_limits_can_be_switched_off() -> None:
    limiter = RateLimiter(Limits.off())
    assert all(accepted(limiter, 0.0) for _ in range(2000))


def test_a_limit_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RateLimiter(Limits(per_second=0)).accept(1, 1, 0.0)


def test_a_429_says_when_to_come_back_in_body_and_header() -> None:
    world = World(Limits())
    world.sent()
    reply = world.send()
    assert refused(reply) == (429, "Too Many Requests: retry after 1")
    assert json.loads(reply.body)["parameters"] == {"retry_after": 1}
    assert ("Retry-After", "1") in reply.headers


def test_a_refused_call_leaves_no_message_but_is_on_record_with_its_time() -> None:
    world = World(Limits())
    world.sent()
    world.clock.advance(0.5)
    world.send()
    assert len(world.visible_ids()) == 1
    last = world.simulator.calls()[-1]
    assert (last.status, last.accepted, last.monotonic, last.at) == (429, False, 1000.5, world.clock.now())


def test_a_call_refused_for_another_reason_takes_nothing_from_the_limit() -> None:
    world = World(Limits(per_second=1))
    assert world.send("<b>", parse_mode="HTML").status == 400
    assert world.send().status == 200


def test_deleting_and_editing_are_not_limited() -> None:
    world = World(Limits())
    message_id = world.sent()
    edited = world.call("editMessageText", chat_id=CHAT, message_id=message_id, text="new")
    deleted = world.call("deleteMessage", chat_id=CHAT, message_id=message_id)
    assert (edited.status, deleted.status) == (200, 200)


def test_the_summary_knows_the_densest_second() -> None:
    world = World()
    for gap in (0.0, 0.4, 0.4, 0.2, 5.0):  # the fourth is exactly one second after the first
        world.clock.advance(gap)
        world.sent(chat_id=OTHER)
    summary = world.simulator.summary()
    assert (summary.accepted, summary.max_in_any_second) == (5, 3)
    assert summary.first_accepted_monotonic == 1000.0
    assert summary.last_accepted_monotonic == pytest.approx(1006.0)


def test_a_reset_forgets_what_the_limits_have_counted() -> None:
    world = World(Limits())
    world.sent()
    world.simulator.reset()
    assert world.send().status == 200
