"""What holds everything back, through the functions: no way to Telegram, the operator's pause, probes that find nothing out."""

from datetime import timedelta
from typing import Any

import pytest

from functions.send.handler import UNREACHED_IN_A_ROW
from infra.telegram_simulator.scripting import Script
from shared import engine
from shared.owner import end, pause
from shared.pace import FEWEST_REFUSED, LONGEST_BLOCK, Gate, GateReason, Pace, pause_all, resume_all
from shared.pair import Channel, DeliveryState, Fault, Pair, PairState
from shared.store import PACE, PAIRS, read_pace, update, update_pace
from shared.telegram_http import TelegramHttp
from tests.clocks import NOON
from tests.functions.tokens import bearer
from tests.functions.world import World
from tests.pairs import OWNER, a_pair

NOWHERE = "http://127.0.0.1:1"


def gate(world: World) -> Gate | None:
    return read_pace(world.store).record.gate


def cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.current().telegram, "_way", TelegramHttp(NOWHERE, lambda: "")._way)


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


def test_a_probe_whose_pair_was_paused_meanwhile_holds_nobody_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    paused, good = a_pair(1), a_pair(2, next_send_time=NOON + timedelta(seconds=1))
    world.add(paused, good)
    closed_and_over(world)
    due_pairs = world.store.due_pairs

    def then_paused(*arguments: Any, **more: Any) -> Any:
        found = due_pairs(*arguments, **more)
        update(world.store, PAIRS, paused.id, lambda p, now: pause(p, now=now, reason="meanwhile"))
        return found

    monkeypatch.setattr(world.store, "due_pairs", then_paused)

    world.tick()
    world.clock.advance(2)
    world.tick()

    assert world.pair(good).successful_broadcasts == 1
    assert world.clock.now() < NOON + timedelta(seconds=30)


def test_a_press_that_loses_its_race_gives_the_probe_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from shared.actions import Actions

    pair = a_pair(next_send_time=NOON + timedelta(days=1))
    world.add(pair)
    closed_and_over(world)
    pass_the_gate = Actions._pass_the_gate

    def paused_meanwhile(self: Actions) -> GateReason | None:
        probe = pass_the_gate(self)
        update(world.store, PAIRS, pair.id, lambda p, now: pause(p, now=now, reason="meanwhile"))
        return probe

    monkeypatch.setattr(Actions, "_pass_the_gate", paused_meanwhile)

    assert press(world, pair) == 409
    after = gate(world)
    assert after is not None
    assert not after.probing


# --- refusals across many pairs ---------------------------------------------------------------------------------------

NO_RIGHTS = "Bad Request: not enough rights to send text messages to the chat"


def refuse(world: World, *chats: int) -> None:
    """Telegram refuses every message, or those to these chats, in words that are a pair's own fault on any other day."""
    for chat in chats or (None,):
        world.simulator.script(
            Script(effect="answer", method="sendMessage", chat_id=chat, status=400, description=NO_RIGHTS, times=None)
        )


def minutes(world: World, count: int) -> None:
    for _ in range(count):
        world.clock.advance(60)
        world.tick()


def test_a_bad_day_at_telegram_switches_no_pair_off_and_all_is_sent_when_it_is_over(world: World) -> None:
    pairs = [a_pair(number) for number in range(1, 18)]
    world.add(*pairs)
    refuse(world)

    world.tick()
    minutes(world, 8 * 60)

    closed = gate(world)
    assert closed is not None
    assert closed.reason is GateReason.REFUSALS
    assert closed.block_seconds == LONGEST_BLOCK.total_seconds()
    assert all(world.pair(pair).is_active and world.pair(pair).consecutive_failures == 1 for pair in pairs)
    assert world.simulator.accepted_count() == 0

    world.simulator.clear_scripts()
    minutes(world, 16)

    assert gate(world) is None
    minutes(world, 16 * 60)
    assert [len(world.visible(pair, channel)) for pair in pairs for channel in Channel] == [1] * 34


def test_a_few_pairs_that_are_refused_are_paused_each_for_itself_and_hold_nobody_up(world: World) -> None:
    pairs = [a_pair(number) for number in range(1, 18)]
    bad, good = pairs[: FEWEST_REFUSED - 1], pairs[FEWEST_REFUSED - 1 :]
    world.add(*pairs)
    refuse(world, *(pair.closed_chat_id for pair in bad))

    world.tick()
    for _ in range(8 * 60):
        world.clock.advance(60)
        world.tick()
        assert gate(world) is None

    assert not any(world.pair(pair).is_active for pair in bad)
    assert all(world.pair(pair).successful_broadcasts == 1 for pair in good)


def refusals(world: World, *, over: bool = True) -> None:
    """The gate is closed for refusals, and its block is over."""
    now = world.clock.now()
    until = now if over else now + timedelta(minutes=1)
    closed = Gate(reason=GateReason.REFUSALS, since=now, blocked_until=until, block_seconds=30, detail="5 of 5")
    world.store.replace(PACE, read_pace(world.store), Pace(gate=closed))


def test_a_refused_probe_is_not_its_pairs_own_failure_and_the_next_one_is_another_pair(world: World) -> None:
    first, second = a_pair(1, next_send_time=NOON - timedelta(hours=1)), a_pair(2)
    world.add(first, second)
    refusals(world)
    refuse(world)

    world.tick()

    probed = world.last(first)
    assert [d.state for _, d in probed.deliveries()] == [DeliveryState.FAILED] * 2
    assert [d.fault for _, d in probed.deliveries()] == [Fault.UNKNOWN] * 2
    assert world.last(second).open.error == NO_RIGHTS
    assert [world.pair(pair).consecutive_failures for pair in (first, second)] == [0, 0]
    assert gate(world) is not None


def test_a_pair_that_was_refused_is_no_probe_where_another_is_due(world: World) -> None:
    """Five pairs of one owner that left its channels must not hold the others up for longer than a block."""
    refused, fine = a_pair(1), a_pair(2, next_send_time=NOON + timedelta(minutes=6))
    world.add(refused, fine)
    refuse(world, refused.open_chat_id, refused.closed_chat_id)
    world.tick()
    world.clock.advance(7 * 60)
    refusals(world)

    world.tick()

    sent_to = [call.chat_id for call in world.simulator.calls() if call.method == "sendmessage"][2:]
    assert sent_to[0] == fine.open_chat_id
    assert gate(world) is None


def test_what_was_refused_before_the_gate_opened_does_not_close_it_again(world: World) -> None:
    pairs = [a_pair(number) for number in range(1, 8)]
    world.add(*pairs)
    refuse(world)
    world.tick()
    world.simulator.clear_scripts()
    fine = a_pair(20, next_send_time=world.clock.now() + timedelta(seconds=30))
    world.add(fine)

    minutes(world, 2)

    assert gate(world) is None
    assert world.pair(fine).successful_broadcasts == 1
    last = a_pair(21, next_send_time=world.clock.now())
    world.add(last)
    world.tick()
    assert gate(world) is None
    assert world.pair(last).successful_broadcasts == 1


def test_a_press_is_the_probe_of_refusals_and_is_forgiven_as_well(world: World) -> None:
    pair = a_pair(next_send_time=NOON + timedelta(days=1))
    world.add(pair)
    refusals(world)
    refuse(world)

    assert press(world, pair) == 200
    world.run()

    assert world.pair(pair).consecutive_failures == 0
    assert world.last(pair).open.fault is Fault.UNKNOWN
    closed = gate(world)
    assert closed is not None
    assert closed.block_seconds == 60
    assert press(world, pair) == 429


def test_a_press_while_refusals_block_uses_nothing_up(world: World) -> None:
    pair = a_pair(next_send_time=NOON + timedelta(days=1))
    world.add(pair)
    refusals(world, over=False)

    assert press(world, pair) == 503

    assert world.pair(pair) == pair


def test_a_refusal_that_is_no_probe_of_refusals_stays_the_pairs_own(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    closed_and_over(world)
    refuse(world)

    world.tick()

    assert world.pair(pair).consecutive_failures == 1
    assert world.last(pair).open.fault is Fault.PAIR


def test_messages_that_are_taken_down_open_no_gate_that_refusals_closed(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.tick()
    update(world.store, PAIRS, pair.id, lambda p, now: end(p, now=now, take_down=True))
    refusals(world)

    world.tick()

    assert world.visible(pair, Channel.OPEN) == []
    closed = gate(world)
    assert closed is not None
    assert (closed.reason, closed.probing) == (GateReason.REFUSALS, False)
