"""From a tick to both messages standing, through the functions as they are deployed."""

from datetime import timedelta

import pytest

from infra.telegram_simulator.limits import Limits
from shared import engine
from shared.events import TickEvent, Topic
from shared.messages import Message
from shared.pair import BroadcastStatus, Channel, DeliveryState, replace
from shared.store import HISTORY, PAIRS
from shared.telegram import Sent, Throttled
from tests.clocks import NOON
from tests.functions.world import World, make_world
from tests.pairs import a_pair

OPEN, CLOSED = Channel.OPEN, Channel.CLOSED
DAY = 86400


def test_a_tick_posts_both_messages_of_a_due_pair(world: World) -> None:
    pair = a_pair()
    world.add(pair)

    world.tick()

    after = world.pair(pair)
    assert after.broadcast_status is BroadcastStatus.COMPLETED
    (offer,) = world.simulator.visible(pair.open_chat_id)
    (request,) = world.simulator.visible(pair.closed_chat_id)
    assert world.delivery(pair, OPEN).message_id == offer.message_id
    assert world.delivery(pair, CLOSED).message_id == request.message_id
    assert offer.text.startswith("Hello, welcome to Harbor 1: Notes from the quay\n\n")
    assert request.text == "Enjoying the content? Consider making a donation.\nThank you, crew."


def test_a_second_tick_posts_nothing_again(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.tick()
    world.tick()

    assert len(world.simulator.messages(pair.open_chat_id)) == 1


def test_a_pair_that_is_not_due_is_left_alone(world: World) -> None:
    pair = a_pair(next_send_time=NOON + timedelta(hours=1))
    world.add(pair)

    world.tick()

    assert world.simulator.accepted_count() == 0


def test_every_pair_is_posted_in_due_order_with_no_429_at_the_full_ceiling() -> None:
    world, close = make_world(environ={"TELEGRAM_RATE": "30"}, limits=Limits())
    pairs = [a_pair(n, next_send_time=NOON - timedelta(seconds=n)) for n in range(1, 61)]
    world.add(*pairs)

    world.tick()
    world.tick()

    summary = world.simulator.summary()
    assert world.simulator.accepted_count() == 120
    assert summary.too_many_requests == 0
    first = [call.chat_id for call in world.simulator.calls() if call.method == "sendmessage"][:15]
    assert first == [pair.open_chat_id for pair in reversed(pairs)][:15]
    close()


def test_the_next_broadcast_replaces_the_messages_of_the_one_before(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.tick()
    first = world.visible(pair, OPEN)

    world.clock.advance(DAY)
    world.tick()

    assert len(world.visible(pair, OPEN)) == 1
    assert world.visible(pair, OPEN) != first
    assert len(world.visible(pair, CLOSED)) == 1


def test_the_finished_run_is_in_the_history_once_the_next_one_begins(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.tick()
    run_id = world.last(pair).run_id
    assert world.store.get(HISTORY, run_id) is None

    world.clock.advance(DAY)
    world.tick()

    stored = world.store.get(HISTORY, run_id)
    assert stored is not None
    assert stored.record.run.open.state is DeliveryState.SENT


def test_a_run_whose_events_were_all_lost_is_taken_up(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.queue.publish([TickEvent()])
    world.run(only=[Topic.TICKS])
    for taken in world.queue.take(Topic.BROADCASTS, 10):
        world.queue.acknowledge(taken)

    world.tick()
    assert world.simulator.accepted_count() == 0

    world.clock.advance(180)
    world.tick()

    assert world.pair(pair).successful_broadcasts == 1
    assert world.simulator.accepted_count() == 2


def test_every_event_delivered_twice_and_in_reverse_posts_each_message_once(world: World) -> None:
    pairs = [a_pair(n) for n in range(1, 6)]
    world.add(*pairs)
    world.queue.publish([TickEvent()])
    for topic in Topic:
        taken = world.queue.take(topic, 100)
        for event in [*taken, *reversed(taken)]:
            assert world.deliver(event) == 200

    for pair in pairs:
        assert len(world.simulator.messages(pair.open_chat_id)) == 1
        assert len(world.simulator.messages(pair.closed_chat_id)) == 1
        assert world.pair(pair).successful_broadcasts == 1


def test_a_scheduled_broadcast_costs_no_more_than_its_budget(world: World) -> None:
    # Fewer than one second takes: with more the tick would wait, and here everything else waits with it.
    pairs = [a_pair(n) for n in range(1, 12)]
    world.add(*pairs)
    world.tick()
    world.clock.advance(DAY)
    reads, writes = world.store.reads, world.store.writes

    world.tick()

    # Besides these, the due query reads each pair once.
    reads, writes = world.store.reads - reads, world.store.writes - writes
    assert reads / len(pairs) <= 4
    # Claim, history, and start and settle of both messages; the pace adds two writes a second to all of them together.
    assert writes == 6 * len(pairs) + 2


def test_a_tick_with_nothing_due_is_one_query_and_one_read(world: World) -> None:
    world.add(*[a_pair(n, next_send_time=NOON + timedelta(hours=1)) for n in range(1, 101)])
    world.tick()
    before = (world.store.reads, world.store.writes, world.store.queries)

    world.tick()

    after = (world.store.reads, world.store.writes, world.store.queries)
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 0, 1]


def test_pairs_that_cannot_be_made_into_messages_fail_alone_and_send_neither(world: World) -> None:
    good, bad = a_pair(1), a_pair(2, sub_1_price=None)
    world.add(good, bad)

    world.tick()

    assert world.pair(good).successful_broadcasts == 1
    after = world.pair(bad)
    assert after.failed_broadcasts == 1
    assert "no subscription tier" in (after.last_error_message or "")
    assert world.simulator.messages(bad.closed_chat_id) == []


def test_an_edit_between_fan_out_and_send_wins(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.queue.publish([TickEvent()])
    world.run(only=[Topic.TICKS, Topic.BROADCASTS])
    stored = world.store.get(PAIRS, pair.id)
    assert stored is not None
    world.store.replace(PAIRS, stored, replace(stored.record, open_channel_title="Pier"))

    world.run()

    (offer,) = world.simulator.visible(pair.open_chat_id)
    assert offer.text.startswith("Hello, welcome to Pier")


@pytest.mark.parametrize(("paid", "taken"), [("true", 1000), ("false", 30)])
def test_in_one_second_telegram_takes_a_thousand_messages_that_are_paid_for_and_thirty_that_are_not(
    paid: str, taken: int
) -> None:
    world, close = make_world(environ={"PAID_BROADCAST": paid}, limits=Limits())
    world.add(*(a_pair(n) for n in range(1, 1003)))

    outcomes = [
        engine.current().telegram.send_message(
            a_pair(n).open_chat_id, Message(html="x", buttons=()), may_leave=lambda: True
        )
        for n in range(1, taken + 2)
    ]

    assert [type(outcome) for outcome in outcomes] == [Sent] * taken + [Throttled]
    close()
