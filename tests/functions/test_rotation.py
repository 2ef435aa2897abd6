"""Secrets change while everything runs, in the order the runbook gives: no message is lost or doubled, nobody is signed out."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared.pair import Channel, DeliveryState
from shared.settings import REREAD_SECONDS
from tests.clocks import NOON
from tests.functions.tokens import bearer
from tests.functions.world import World, make_world
from tests.pairs import OWNER, a_pair

OLD, NEW = (f"123456789:AAE-{word}-token-of-the-bot-0123456789abcdef" for word in ("former", "second"))


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "bot-token"
    file.write_text(OLD + "\n")
    return file


@pytest.fixture
def world(token: Path) -> Iterator[World]:
    made, close = make_world(environ={"BOT_TOKEN_FILE": str(token)})
    made.simulator.renew_token(OLD)
    yield made
    close()


def test_a_token_renewed_in_the_middle_of_sending_loses_no_message_and_doubles_none(world: World, token: Path) -> None:
    before, after = a_pair(), a_pair(2, next_send_time=NOON + timedelta(minutes=1))
    world.add(before, after)
    world.tick()
    world.simulator.renew_token(NEW)
    world.clock.advance(60)
    world.tick()
    assert world.delivery(after, Channel.OPEN).state is DeliveryState.QUEUED
    assert world.simulator.accepted_count() == 2

    token.write_text(NEW + "\n")
    for _ in range(20):
        world.clock.advance(60)
        world.tick()

    for pair in (before, after):
        for channel in Channel:
            assert world.delivery(pair, channel).state is DeliveryState.SENT
            assert len(world.visible(pair, channel)) == 1
        assert world.pair(pair).consecutive_failures == 0
    assert world.simulator.accepted_count() == 4


def test_without_the_new_token_nothing_is_sent_and_no_pair_is_touched(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.simulator.renew_token(NEW)

    for _ in range(20):
        world.tick()
        world.clock.advance(60)

    assert world.simulator.accepted_count() == 0
    assert world.pair(pair).is_active
    assert world.delivery(pair, Channel.OPEN).state is DeliveryState.QUEUED


# --- the secret of the owners' tokens ----------------------------------------------------------------------------------

FORMER, LATTER = "the-former-secret-of-the-website-long-enough", "the-latter-secret-of-the-website-long-enough"


@pytest.fixture
def secrets(tmp_path: Path) -> Iterator[tuple[World, Path, Path]]:
    current, previous = tmp_path / "current", tmp_path / "previous"
    current.write_text(FORMER)
    previous.write_text("")
    environ = {"JWT_SECRET_KEY": "", "JWT_SECRET_KEY_FILE": str(current), "JWT_SECRET_KEY_PREVIOUS_FILE": str(previous)}
    world, close = make_world(environ=environ)
    yield world, current, previous
    close()


def accepted(world: World) -> list[bool]:
    """Whether a token signed with the former secret, and one signed with the latter, opens the API."""
    return [
        world.api().get("/api/channels", headers=bearer(OWNER, secret=secret)).status_code == 200
        for secret in (FORMER, LATTER)
    ]


def test_in_the_runbooks_order_the_websites_tokens_are_accepted_at_every_moment(
    secrets: tuple[World, Path, Path],
) -> None:
    world, current, previous = secrets
    assert accepted(world) == [True, False]

    previous.write_text(FORMER)
    assert accepted(world) == [True, False]
    world.clock.advance(REREAD_SECONDS)
    assert accepted(world) == [True, False]
    current.write_text(LATTER)
    assert accepted(world)[0]
    world.clock.advance(REREAD_SECONDS)
    assert accepted(world) == [True, True]

    previous.write_text("")
    world.clock.advance(REREAD_SECONDS)
    assert accepted(world) == [False, True]


def test_in_the_other_order_owners_would_be_signed_out(secrets: tuple[World, Path, Path]) -> None:
    world, current, _ = secrets
    assert accepted(world) == [True, False]

    current.write_text(LATTER)
    world.clock.advance(REREAD_SECONDS)

    assert accepted(world) == [False, True]
