"""Every way a call can end, and what the record then says."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.send.handler import Sender
from infra.telegram_simulator.scripting import Script
from shared import engine, telegram_http
from shared.departures import Alone
from shared.events import MessageEvent, TickEvent, Topic, decode
from shared.owner import pause
from shared.pace import GateReason
from shared.pair import Channel, DeliveryState, Pair, PairState, Schedule
from shared.store import PAIRS, Changed, StoreUnavailable, read_pace, update
from tests.clocks import NOON, ManualClock
from tests.functions.world import World, make_world
from tests.memory.store import MemoryStore
from tests.pairs import a_pair

OPEN, CLOSED = Channel.OPEN, Channel.CLOSED
DAY = 86400


def answer(pair: Pair, status: int, description: str, *, times: int | None = 1, **parameters: int) -> Script:
    return Script(
        effect="answer",
        method="sendMessage",
        chat_id=pair.open_chat_id,
        status=status,
        description=description,
        parameters=parameters,
        times=times,
    )


def posted(world: World, pair: Pair) -> int:
    """How many messages the open channel ever got."""
    return len(world.simulator.messages(pair.open_chat_id))


def test_a_refusal_fails_the_message_in_telegrams_words(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.simulator.script(answer(pair, 403, "Forbidden: bot was kicked from the channel chat"))

    world.tick()

    delivery = world.delivery(pair, OPEN)
    assert delivery.state is DeliveryState.FAILED
    assert delivery.error == "Forbidden: bot was kicked from the channel chat"
    assert world.pair(pair).state is PairState.PARTLY_SENT
    assert posted(world, pair) == 0


def test_a_refused_message_is_retried_alone_and_then_the_broadcast_is_a_success(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.simulator.script(answer(pair, 403, "Forbidden: bot was kicked from the channel chat"))
    world.tick()

    world.clock.advance(300)
    world.tick()

    assert world.pair(pair).successful_broadcasts == 1
    assert posted(world, pair) == 1
    assert len(world.simulator.messages(pair.closed_chat_id)) == 1


@pytest.mark.parametrize(
    ("script", "accepted"),
    [
        (Script(effect="drop_after", method="sendMessage"), 1),
        (Script(effect="accept_then_answer", method="sendMessage", status=502, body="<html>Bad Gateway</html>"), 1),
        (Script(effect="drop_before", method="sendMessage"), 0),
        (Script(effect="answer", method="sendMessage", status=500, description="Internal Server Error: restart"), 0),
        (Script(effect="answer", status=429, method="sendMessage", parameters={"retry_after": 5}), 0),
    ],
    ids=["dropped after accepting", "502 after accepting", "dropped before", "500", "429 of a restart"],
)
def test_an_unknown_outcome_is_unconfirmed_and_never_sent_again_blindly(
    world: World, script: Script, accepted: int
) -> None:
    pair = a_pair()
    world.add(pair)
    world.simulator.script(script)

    world.tick()
    for _ in range(6):
        world.clock.advance(1200)
        world.tick()

    assert world.delivery(pair, OPEN).state is DeliveryState.UNCONFIRMED
    assert posted(world, pair) == accepted
    assert world.pair(pair).state is PairState.UNCONFIRMED
    assert world.pair(pair).consecutive_failures == 0


def test_an_unconfirmed_message_does_not_take_the_one_before_it_away(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.tick()
    standing = world.visible(pair, OPEN)
    world.clock.advance(DAY)
    world.simulator.script(Script(effect="drop_before", method="sendMessage", chat_id=pair.open_chat_id))

    world.tick()

    assert world.delivery(pair, OPEN).state is DeliveryState.UNCONFIRMED
    assert world.visible(pair, OPEN) == standing


def test_a_channel_keeps_its_message_when_the_new_one_is_refused(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.tick()
    standing = world.visible(pair, OPEN)
    world.clock.advance(DAY)
    world.simulator.script(answer(pair, 400, "Bad Request: need administrator rights in the channel chat"))

    world.tick()

    assert world.visible(pair, OPEN) == standing


def test_a_429_is_no_failure_and_the_message_goes_out_after_it(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.simulator.script(answer(pair, 429, "Too Many Requests: retry after 40", retry_after=40))

    world.tick()
    assert world.delivery(pair, OPEN).state is DeliveryState.QUEUED
    gate = read_pace(world.store).record.gate
    assert gate is not None
    assert gate.reason is GateReason.THROTTLED

    world.clock.advance(61)
    world.tick()
    world.clock.advance(61)
    world.tick()

    assert world.delivery(pair, OPEN).state is DeliveryState.SENT
    assert world.delivery(pair, OPEN).tries == 2
    assert world.pair(pair).successful_broadcasts == 1
    assert read_pace(world.store).record.gate is None


def test_the_flood_of_one_chat_holds_the_others_for_thirty_seconds_at_most(world: World) -> None:
    flooded, other = a_pair(1), a_pair(2, next_send_time=NOON + timedelta(seconds=10))
    world.add(flooded, other)
    world.simulator.script(answer(flooded, 429, "Too Many Requests: retry after 10072", retry_after=10072, times=None))
    world.tick()

    world.clock.advance(31)
    world.tick()

    assert world.pair(other).successful_broadcasts == 1
    assert read_pace(world.store).record.gate is None


def test_the_flood_of_the_bot_holds_all_for_the_whole_time(world: World) -> None:
    pairs = [a_pair(n) for n in range(1, 4)]
    world.add(*pairs)
    world.simulator.script(
        Script(effect="answer", method="sendMessage", status=429, parameters={"retry_after": 3600}, times=None)
    )
    world.tick()
    world.clock.advance(31)
    later = a_pair(9, next_send_time=NOON)
    world.add(later)
    world.tick()
    calls = len(world.simulator.calls())

    world.clock.advance(3000)
    world.tick()
    assert len(world.simulator.calls()) == calls

    world.simulator.clear_scripts()
    world.clock.advance(4000)
    for _ in range(4):
        world.tick()
        world.clock.advance(61)

    assert all(world.pair(pair).successful_broadcasts == 1 for pair in [*pairs, later])


def test_a_request_that_never_left_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = a_pair()
    world.add(pair)

    class Unreachable(telegram_http._Http):
        def connect(self) -> None:
            raise ConnectionRefusedError(111, "Connection refused")

    with monkeypatch.context() as broken:
        broken.setattr(telegram_http._HttpPool, "ConnectionCls", Unreachable)
        world.tick()
    assert world.delivery(pair, OPEN).state is DeliveryState.QUEUED
    assert world.delivery(pair, OPEN).error == "no connection to Telegram (ConnectionRefusedError)"
    assert world.simulator.accepted_count() == 0

    world.clock.advance(16)
    world.tick()

    assert world.pair(pair).successful_broadcasts == 1


def test_a_bot_that_telegram_does_not_know_closes_the_gate_and_touches_no_pair(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.simulator.script(Script(effect="answer", status=401, description="Unauthorized", times=None))

    for _ in range(8):
        world.tick()
        world.clock.advance(61)

    gate = read_pace(world.store).record.gate
    assert gate is not None
    assert gate.reason is GateReason.BOT_UNUSABLE
    assert world.pair(pair).consecutive_failures == 0
    assert world.pair(pair).is_active

    world.simulator.clear_scripts()
    world.clock.advance(1800)
    world.tick()
    assert world.pair(pair).successful_broadcasts == 1
    assert read_pace(world.store).record.gate is None


def test_a_chat_that_moved_gets_the_message_at_its_new_id(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.simulator.migrate(pair.open_chat_id, -1007777777777)

    world.tick()

    after = world.pair(pair)
    assert after.open_chat_id == -1007777777777
    assert after.open_channel_id == pair.open_channel_id
    assert after.successful_broadcasts == 1
    assert len(world.simulator.visible(-1007777777777)) == 1


def test_a_message_too_old_to_delete_is_edited_down_to_a_line(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.tick()
    world.clock.advance(3 * DAY)

    world.tick()

    old, new = world.simulator.visible(pair.open_chat_id)
    assert old.text == "This offer has been replaced by a newer one."
    assert not old.buttons
    assert new.buttons


def test_a_deletion_that_fails_is_written_down_and_made_good_by_the_next(world: World) -> None:
    pair = a_pair(schedule=Schedule(interval_hours=12))
    world.add(pair)
    world.tick()
    world.clock.advance(DAY / 2)
    world.simulator.script(
        Script(effect="answer", method="deleteMessages", chat_id=pair.open_chat_id, status=400,
               description="Bad Request: message can't be deleted")
    )  # fmt: skip
    world.tick()
    assert len(world.visible(pair, OPEN)) == 2
    assert world.pair(pair).open_replaced[0].error == "Bad Request: message can't be deleted"
    assert world.pair(pair).successful_broadcasts == 2

    world.clock.advance(DAY / 2)
    world.tick()

    assert len(world.visible(pair, OPEN)) == 1


def test_a_process_that_died_before_the_deletion_repeats_it_when_the_event_comes_again(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.tick()
    world.clock.advance(DAY)
    world.queue.publish([TickEvent()])
    world.run(only=[Topic.TICKS, Topic.BROADCASTS])
    taken = world.queue.take(Topic.MESSAGES, 10)
    for event in taken:
        world.deliver(event)
    run = world.last(pair)
    undeleted = world.simulator.messages(pair.open_chat_id)[0].message_id
    again = MessageEvent(pair_id=pair.id, run_id=run.run_id, channel=OPEN, slot=NOON)
    world.queue.publish([again])
    before = [call for call in world.simulator.calls() if call.method == "deletemessages"]

    world.run(only=[Topic.MESSAGES])

    after = [call for call in world.simulator.calls() if call.method == "deletemessages"]
    assert len(after) == len(before) + 1
    assert undeleted not in world.visible(pair, OPEN)
    assert posted(world, pair) == 2


def test_a_pair_paused_between_fan_out_and_send_gets_nothing(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.queue.publish([TickEvent()])
    world.run(only=[Topic.TICKS, Topic.BROADCASTS])
    update(world.store, PAIRS, pair.id, lambda p, now: pause(p, now=now, reason="holiday"))

    world.run()

    assert world.simulator.accepted_count() == 0
    assert {name for name, status in world.statuses if status != 200} == set()


class Flaky(MemoryStore):
    """Fails as told: `down` raises at the next so many uses; with `lost`, writes are applied and then denied.

    Of the pairs all of them, of the pace every other one: a reservation cannot know its own write and simply takes other slots.
    """

    def __init__(self, inner: MemoryStore) -> None:
        self.__dict__ = inner.__dict__
        self.down = 0
        self.lost = False
        self._writes = 0

    def get(self, *arguments: Any) -> Any:
        self._fail()
        return super().get(*arguments)

    def replace(self, *arguments: Any) -> Any:
        self._fail()
        written = super().replace(*arguments)
        self._writes += 1
        if self.lost and (arguments[0] is PAIRS or self._writes % 2):
            raise Changed("the answer was lost")
        return written

    def _fail(self) -> None:
        if self.down > 0:
            self.down -= 1
            raise StoreUnavailable("the store is down")


@pytest.fixture
def flaky() -> Iterator[tuple[World, Flaky]]:
    made: list[Flaky] = []

    def wrap(store: MemoryStore) -> Flaky:
        made.append(Flaky(store))
        return made[0]

    world, close = make_world(store=wrap)
    yield world, made[0]
    close()


def test_a_store_that_is_down_before_the_call_brings_the_event_back(flaky: tuple[World, Flaky]) -> None:
    world, store = flaky
    pair = a_pair()
    world.add(pair)
    world.queue.publish([TickEvent()])
    world.run(only=[Topic.TICKS, Topic.BROADCASTS])
    store.down = 1

    world.run()
    assert ("send", 503) in world.statuses

    world.clock.advance(10)
    world.run()
    assert world.pair(pair).successful_broadcasts == 1
    assert world.simulator.accepted_count() == 2


def test_a_store_that_is_down_after_the_call_gets_the_outcome_all_the_same(flaky: tuple[World, Flaky]) -> None:
    world, store = flaky
    pair = a_pair()
    world.add(pair)
    world.queue.publish([TickEvent()])
    world.run(only=[Topic.TICKS, Topic.BROADCASTS])
    original = world.simulator.finish

    def finish(pending: Any) -> Any:
        store.down = 9
        return original(pending)

    world.simulator.finish = finish  # type: ignore[method-assign]  # the store goes down while Telegram is working
    taken = world.queue.take(Topic.MESSAGES, 1)
    assert world.deliver(taken[0]) == 200

    assert world.delivery(pair, OPEN).state is DeliveryState.SENT
    assert store.down == 0


def test_writes_whose_answers_are_lost_post_every_message_once(flaky: tuple[World, Flaky]) -> None:
    world, store = flaky
    pairs = [a_pair(n) for n in range(1, 6)]
    world.add(*pairs)
    store.lost = True

    world.tick()

    for pair in pairs:
        assert posted(world, pair) == 1
        assert world.pair(pair).successful_broadcasts == 1


class Sluggish(ManualClock):
    """Wakes a second late from every wait."""

    def __init__(self, right: ManualClock) -> None:
        self.__dict__ = right.__dict__

    def sleep(self, seconds: float) -> None:
        self.advance(max(seconds, 0.0) + 1.0)


def queued_message(world: World, pair: Pair) -> MessageEvent:
    world.add(pair)
    world.queue.publish([TickEvent()])
    world.run(only=[Topic.TICKS, Topic.BROADCASTS])
    return next(e for e in (decode(MessageEvent, d) for d in world.queue.contents(Topic.MESSAGES)) if e.channel is OPEN)


def test_a_machine_too_slow_for_any_slot_puts_the_message_off_and_says_so(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    pair = a_pair()
    event = queued_message(world, pair)

    Sender(replace(engine.current(), clock=Sluggish(world.clock))).send(event)

    assert world.simulator.accepted_count() == 0
    assert world.delivery(pair, OPEN).state is DeliveryState.QUEUED
    assert "clock" in caplog.text

    world.tick()
    assert world.delivery(pair, OPEN).state is DeliveryState.SENT


def test_the_only_process_that_sends_needs_no_new_slot_for_a_message_that_is_late() -> None:
    world, close = make_world(departures=Alone)
    event = queued_message(world, a_pair())
    before = read_pace(world.store).record.next_slot

    world.clock.advance(10)
    Sender(engine.current()).send(event)

    assert world.simulator.accepted_count() == 1
    assert read_pace(world.store).record.next_slot == before
    close()


def test_a_message_that_waits_its_turn_meanwhile_keeps_to_a_pause_that_telegram_asked_for(world: World) -> None:
    event = queued_message(world, a_pair())
    sender = Sender(engine.current())
    clock = world.clock

    class Asked(ManualClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            sender._hold(20)

    waits = Asked()
    waits.__dict__ = clock.__dict__
    sender._engine = replace(sender._engine, clock=waits)

    sender.send(event)

    assert world.simulator.accepted_count() == 0
