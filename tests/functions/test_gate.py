"""What holds everything back, through the functions: no way to Telegram, the operator's pause, probes that find nothing out."""

from datetime import timedelta

import pytest

from functions.send.handler import UNREACHED_IN_A_ROW
from shared import engine
from shared.owner import pause
from shared.pace import Gate, GateReason, Pace, pause_all, resume_all
from shared.pair import Channel, DeliveryState, Pair, PairState
from shared.store import PACE, PAIRS, read_pace, update, update_pace
from tests.clocks import NOON
from tests.functions.tokens import bearer
from tests.functions.world import World
from tests.pairs import OWNER, a_pair

NOWHERE = "http://127.0.0.1:1"


def gate(world: World) -> Gate | None:
    return read_pace(world.store).record.gate


def cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.current().telegram, "_url", NOWHERE)


def press(world: World, pair: Pair) -> int:
    answer = world.api().post("/api/broadcast/trigger", json={"broadcast_id": pair.id}, headers=bearer(OWNER))
    return answer.status_code


def test_many_calls_that_reach_nobody_close_the_gate_and_no_pair_is_blamed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [a_pair(number) for number in range(1, 6)]
    world.add(*pairs)
    cut_off(monkeypatch)

    world.tick()

    closed = gate(world)
    assert closed is not None
    assert closed.reason is GateReason.UNREACHABLE
    assert all(world.pair(pair).consecutive_failures == 0 for pair in pairs)


def test_a_few_calls_that_reach_nobody_are_bad_luck(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(a_pair())
    cut_off(monkeypatch)

    world.tick()

    assert UNREACHED_IN_A_ROW > 2
    assert gate(world) is None


def test_when_telegram_is_reached_again_the_gate_opens_and_everything_is_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [a_pair(number) for number in range(1, 6)]
    world.add(*pairs)
    with monkeypatch.context() as cut:
        cut_off(cut)
        world.tick()

    for _ in range(10):
        world.clock.advance(60)
        world.tick()

    assert gate(world) is None
    assert all(
        world.pair(pair).state is PairState.SCHEDULED or world.pair(pair).successful_broadcasts for pair in pairs
    )
    assert [world.delivery(pair, channel).state for pair in pairs for channel in Channel] == [DeliveryState.SENT] * 10
    assert all(len(world.simulator.messages(pair.chat(channel))) == 1 for pair in pairs for channel in Channel)


def test_while_everything_is_paused_nothing_begins_and_no_pair_changes(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    update_pace(world.store, lambda p, now: pause_all(p, now=now, reason="a test"))

    world.tick()

    assert world.pair(pair) == pair
    assert press(world, pair) == 503
    assert world.pair(pair) == pair


def test_after_the_pause_what_was_missed_is_sent_once(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    update_pace(world.store, lambda p, now: pause_all(p, now=now, reason="a test"))
    for _ in range(3):
        world.tick()
        world.clock.advance(86400)
    update_pace(world.store, lambda p, _: resume_all(p))

    world.tick()

    assert world.pair(pair).successful_broadcasts == 1
    assert len(world.simulator.messages(pair.open_chat_id)) == 1


def closed_and_over(world: World) -> None:
    closed = Gate(reason=GateReason.THROTTLED, since=NOON, blocked_until=NOON, block_seconds=30, detail="429")
    world.store.replace(PACE, read_pace(world.store), Pace(gate=closed))


def test_a_probe_that_cannot_be_made_into_a_message_holds_nobody_up(world: World) -> None:
    broken, good = a_pair(1, sub_1_price=None), a_pair(2, next_send_time=NOON + timedelta(seconds=1))
    world.add(broken, good)
    closed_and_over(world)

    world.tick()
    world.clock.advance(2)
    world.tick()

    assert world.pair(good).successful_broadcasts == 1
    assert gate(world) is None
    assert world.clock.now() < NOON + timedelta(seconds=30)


def test_a_press_that_loses_its_race_gives_the_probe_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.actions import Actions

    pair = a_pair(next_send_time=NOON + timedelta(days=1))
    world.add(pair)
    closed_and_over(world)
    pass_the_gate = Actions._pass_the_gate

    def paused_meanwhile(self: Actions) -> bool:
        probe = pass_the_gate(self)
        update(world.store, PAIRS, pair.id, lambda p, now: pause(p, now=now, reason="meanwhile"))
        return probe

    monkeypatch.setattr(Actions, "_pass_the_gate", paused_meanwhile)

    assert press(world, pair) == 409
    after = gate(world)
    assert after is not None
    assert not after.probing
