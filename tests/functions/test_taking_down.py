"""An ended pair's messages leave their channels, whatever happens on the way."""

from datetime import timedelta
from itertools import pairwise

from infra.telegram_simulator.scripting import Script
from shared.events import BroadcastEvent, TickEvent, Topic, decode
from shared.owner import end
from shared.pace import Gate, GateReason
from shared.pair import Channel, Pair, replace
from shared.store import PACE, PAIRS, read_pace, update
from tests.clocks import NOON
from tests.functions.world import World
from tests.pairs import a_pair

OPEN, CLOSED = Channel.OPEN, Channel.CLOSED
PAIR = a_pair()
REFUSED = "Bad Request: Message can't be deleted"


def standing(world: World, *pairs: Pair) -> None:
    world.add(*pairs)
    world.tick()


def end_it(world: World, pair: Pair = PAIR, *, take_down: bool = True) -> None:
    update(world.store, PAIRS, pair.id, lambda p, now: end(p, now=now, take_down=take_down))


def stands(world: World, pair: Pair = PAIR) -> int:
    return sum(len(world.visible(pair, channel)) for channel in Channel)


def test_both_messages_go_and_nothing_is_left_to_do(world: World) -> None:
    standing(world, PAIR)
    end_it(world)

    world.tick()

    assert stands(world) == 0
    assert world.pair(PAIR).wake_at is None
    assert world.pair(PAIR).open_replaced == ()


def test_without_the_wish_they_stay(world: World) -> None:
    standing(world, PAIR)
    end_it(world, take_down=False)

    world.tick()

    assert stands(world) == 2


def test_lost_events_and_a_death_on_the_way_are_made_good(world: World) -> None:
    standing(world, PAIR)
    end_it(world)
    world.queue.publish([TickEvent()])
    world.run(only=[Topic.TICKS])
    for taken in world.queue.take(Topic.BROADCASTS, 10):
        world.queue.acknowledge(taken)
    world.tick()
    assert stands(world) == 2

    world.clock.advance(180)
    world.tick()

    assert stands(world) == 0
    assert world.pair(PAIR).wake_at is None


def test_an_event_that_comes_twice_deletes_nothing_twice(world: World) -> None:
    standing(world, PAIR)
    end_it(world)
    world.queue.publish([TickEvent()])
    world.run(only=[Topic.TICKS, Topic.BROADCASTS])
    events = world.queue.take(Topic.MESSAGES, 10)
    for event in (*events, *events):
        assert world.deliver(event) < 300

    assert len([c for c in world.simulator.calls() if c.method == "deletemessages"]) == 2


def test_what_telegram_refuses_is_tried_again_with_its_words_kept(world: World) -> None:
    standing(world, PAIR)
    world.simulator.script(
        Script(effect="answer", chat_id=PAIR.open_chat_id, method="deletemessages", status=400, description=REFUSED)
    )
    end_it(world)
    world.tick()
    assert len(world.visible(PAIR, OPEN)) == 1
    assert world.visible(PAIR, CLOSED) == []
    assert [r.error for r in world.pair(PAIR).open_replaced] == [REFUSED]

    world.clock.advance(180)
    world.tick()

    assert stands(world) == 0


def test_what_is_too_old_to_delete_is_edited_down_to_a_line(world: World) -> None:
    standing(world, PAIR)
    world.clock.advance(49 * 3600)
    end_it(world)

    world.tick()

    texts = {m.text for channel in Channel for m in world.simulator.visible(PAIR.chat(channel))}
    assert texts == {"This offer has ended.", "This message is no longer in use."}
    assert all(not m.buttons for m in world.simulator.visible(PAIR.open_chat_id))
    assert world.pair(PAIR).wake_at is None


def test_a_pause_that_telegram_asks_for_closes_the_gate_and_is_waited_for(world: World) -> None:
    standing(world, PAIR)
    world.simulator.script(
        Script(
            effect="answer",
            chat_id=PAIR.open_chat_id,
            method="deletemessages",
            status=429,
            parameters={"retry_after": 600},
        )
    )
    end_it(world)
    world.queue.publish([TickEvent()])
    world.run(only=[Topic.TICKS, Topic.BROADCASTS])
    world.run(only=[Topic.MESSAGES])

    gate = read_pace(world.store).record.gate
    assert gate is not None
    assert gate.reason is GateReason.THROTTLED
    assert len(world.visible(PAIR, OPEN)) == 1
    world.clock.advance(601)
    world.tick()
    assert stands(world) == 0
    assert read_pace(world.store).record.gate is None


def test_a_deletion_that_is_the_probe_and_is_refused_opens_a_throttled_gate(world: World) -> None:
    standing(world, PAIR)
    end_it(world)
    gate = Gate(reason=GateReason.THROTTLED, since=NOON, blocked_until=NOON, block_seconds=30, detail="429")
    stored = read_pace(world.store)
    world.store.replace(PACE, stored, replace(stored.record, gate=gate))
    world.simulator.script(
        Script(effect="answer", method="deleteMessages", status=400, description=REFUSED, times=2),
    )

    world.tick()

    assert stands(world) == 2
    assert read_pace(world.store).record.gate is None


def test_many_ended_pairs_keep_the_pace(world: World) -> None:
    pairs = [a_pair(number) for number in range(1, 31)]
    standing(world, *pairs)
    for pair in pairs:
        end_it(world, pair)

    world.queue.publish([TickEvent()])
    world.run(only=[Topic.TICKS])

    events = [decode(BroadcastEvent, data) for data in world.queue.contents(Topic.BROADCASTS)]
    slots = sorted(slot for event in events for slot in event.slots.values())
    assert len(slots) == 60
    assert min(later - earlier for earlier, later in pairwise(slots)) >= timedelta(seconds=1) / 25
    world.run()
    assert sum(stands(world, pair) for pair in pairs) == 0
