"""The owner hears of a pause by Telegram: once, in a slot of its own, and only where they asked for it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from functions.send.notice import tell_owner
from infra.telegram_simulator.scripting import Script
from shared import engine
from shared.departures import Alone
from shared.owner import pause
from shared.pace import reserve
from shared.pair import Pair, PairState
from shared.store import PAIRS, update, update_pace
from tests.clocks import ManualClock
from tests.functions.world import World, make_world
from tests.pairs import a_pair

OWNERS_CHAT = 8134355749
ASKED: dict[str, Any] = {"notification_status": True, "notification_id": OWNERS_CHAT}
KICKED = "Forbidden: bot was kicked from the channel <chat>"


def refuse_five_times(world: World, pair: Pair) -> None:
    world.simulator.add_channel(OWNERS_CHAT, "The owner")
    world.add(pair)
    world.simulator.script(
        Script(
            effect="answer",
            method="sendMessage",
            chat_id=pair.closed_chat_id,
            status=403,
            description=KICKED,
            times=None,
        )
    )
    world.tick()
    for minutes in (5, 20, 80, 320):
        world.clock.advance(timedelta(minutes=minutes, seconds=5).total_seconds())
        world.tick()


def notices(world: World) -> list[str]:
    return [message.text for message in world.simulator.messages(OWNERS_CHAT)]


def test_the_owner_of_a_pair_that_was_paused_is_told_once_and_why(world: World) -> None:
    pair = a_pair(**ASKED)

    refuse_five_times(world, pair)
    world.clock.advance(86400)
    world.tick()

    assert world.pair(pair).state is PairState.PAUSED
    (notice,) = notices(world)
    assert notice.startswith("Harbor 1 is paused: paused after 5 failures in a row: Closed channel: ")
    assert KICKED in notice


@pytest.mark.parametrize(
    "changes", [{}, {"notification_id": OWNERS_CHAT}, {"notification_status": True, "notification_id": None}]
)
def test_who_did_not_ask_for_it_is_told_nothing(world: World, changes: dict[str, Any]) -> None:
    pair = a_pair(**changes)

    refuse_five_times(world, pair)

    assert world.pair(pair).state is PairState.PAUSED
    assert notices(world) == []


def test_who_paused_it_themselves_is_told_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = a_pair(**ASKED)
    world.simulator.add_channel(OWNERS_CHAT, "The owner")
    world.add(pair)
    telegram = engine.current().telegram
    send = telegram.send_message

    def paused_meanwhile(*call: Any, **limits: Any) -> Any:
        monkeypatch.setattr(telegram, "send_message", send)
        update(world.store, PAIRS, pair.id, lambda p, now: pause(p, now=now, reason="by its owner"))
        return send(*call, **limits)

    monkeypatch.setattr(telegram, "send_message", paused_meanwhile)

    world.tick()

    assert world.pair(pair).state is PairState.PAUSED
    assert notices(world) == []


def test_a_notice_takes_a_slot_like_any_message(world: World) -> None:
    pair = a_pair(**ASKED)

    refuse_five_times(world, pair)

    refused, notice = [call.at for call in world.simulator.calls() if call.method.casefold() == "sendmessage"][-2:]
    assert notice - refused >= engine.current().tempo.step


def test_a_notice_with_a_later_slot_holds_no_message_back_that_is_due_before_it() -> None:
    world, close = make_world(departures=Alone)
    current = engine.current()
    departures, tempo = current.departures, current.tempo
    earlier: list[float | None] = []

    class Watching(ManualClock):
        def sleep(self, seconds: float) -> None:
            if not earlier:
                earlier.append(departures.place(self.monotonic() + 0.01, tempo, needs=0.0))
            super().sleep(seconds)

    clock = Watching()
    clock.__dict__ = world.clock.__dict__
    asked = a_pair(**ASKED)
    update_pace(world.store, lambda p, now: reserve(p, count=20, now=now, tempo=tempo))

    tell_owner(
        replace(current, clock=clock), asked, msgspec.structs.replace(asked, is_active=False, consecutive_failures=5)
    )

    assert earlier == [pytest.approx(0.01)]
    close()


def test_a_notice_that_fails_changes_nothing_and_is_said(world: World, caplog: pytest.LogCaptureFixture) -> None:
    pair = a_pair(**ASKED)
    world.simulator.script(
        Script(effect="answer", method="sendMessage", chat_id=OWNERS_CHAT, status=403, description="Forbidden: blocked")
    )

    refuse_five_times(world, pair)

    assert world.pair(pair).state is PairState.PAUSED
    assert world.pair(pair).consecutive_failures == 5
    assert notices(world) == []
    assert "The owner was not told of the pause" in caplog.text
