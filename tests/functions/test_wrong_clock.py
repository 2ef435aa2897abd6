"""A send on a machine whose clock is ahead of the records': it neither takes slots without end nor keeps its message."""

import dataclasses
import logging
from datetime import datetime, timedelta

import pytest

from functions.send.handler import LONGEST_AHEAD, Sender
from shared import engine
from shared.events import MessageEvent, TickEvent, Topic, decode
from shared.pace import Gate, GateReason, Pace
from shared.pair import DeliveryState
from shared.store import PACE, read_pace
from tests.clocks import ManualClock
from tests.functions.world import World
from tests.pairs import a_pair

MOST_LOOKS = 300
"""A handler that looks at its clock more often than this goes round in circles."""


class Ahead:
    """The world's clock, and so much more."""

    def __init__(self, inside: ManualClock, seconds: float) -> None:
        self._inside = inside
        self.ahead = timedelta(seconds=seconds)
        self._looks = 0

    def now(self) -> datetime:
        self._looks += 1
        assert self._looks < MOST_LOOKS, "it asks for slots without end"
        return self._inside.now() + self.ahead

    def monotonic(self) -> float:
        return self._inside.monotonic()

    def sleep(self, seconds: float) -> None:
        self._inside.sleep(seconds)


def sender(world: World, seconds: float) -> Sender:
    return Sender(dataclasses.replace(engine.current(), clock=Ahead(world.clock, seconds)))


def events(world: World) -> list[MessageEvent]:
    """The messages of all due pairs, published and not sent."""
    world.queue.publish([TickEvent()])
    world.run(only=[Topic.TICKS, Topic.BROADCASTS])
    return [decode(MessageEvent, taken.data) for taken in world.queue.take(Topic.MESSAGES, 100)]


@pytest.mark.parametrize("seconds", [0.2, 3.0, LONGEST_AHEAD.total_seconds()])
def test_a_send_whose_clock_is_some_seconds_ahead_takes_at_most_one_slot_more_and_sends(
    world: World, seconds: float
) -> None:
    pair = a_pair()
    world.add(pair)
    ahead = sender(world, seconds)

    for event in events(world):
        before = read_pace(world.store).record.next_slot
        ahead.send(event)
        after = read_pace(world.store).record.next_slot
        assert before is not None
        assert after is not None
        tempo = engine.current().tempo
        assert after - before <= tempo.step + timedelta(seconds=tempo.lead)

    assert world.pair(pair).successful_broadcasts == 1


def test_a_send_whose_clock_is_far_ahead_gives_the_message_back_and_says_so(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    pair = a_pair()
    world.add(pair)
    far = sender(world, 3600)
    published = events(world)
    pace = read_pace(world.store).record

    for event in published:
        far.send(event)

    assert [d.state for _, d in (world.pair(pair).run or world.last(pair)).deliveries()] == [DeliveryState.QUEUED] * 2
    assert read_pace(world.store).record == pace
    assert "clock is 3600 s ahead of the records'" in caplog.text
    assert [record.levelno for record in caplog.records if "ahead of the records" in record.message] == [
        logging.ERROR
    ] * 2


def test_what_it_gave_back_is_sent_by_another_instance_with_the_next_tick(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    far = sender(world, 3600)
    for event in events(world):
        far.send(event)

    world.clock.advance(60)
    world.tick()

    assert world.pair(pair).successful_broadcasts == 1


def test_a_clock_that_jumps_after_the_start_was_written_moves_no_departure(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = a_pair()
    world.add(pair)
    clock = Ahead(world.clock, 0)
    jumping = Sender(dataclasses.replace(engine.current(), clock=clock))
    begin = Sender._start

    def jump(self: Sender, event: MessageEvent, attempt_id: str) -> object:
        started = begin(self, event, attempt_id)
        clock.ahead = timedelta(hours=-1)
        return started

    monkeypatch.setattr(Sender, "_start", jump)
    (first, *_) = events(world)

    jumping.send(first)

    assert world.simulator.accepted_count() == 1
    assert abs(world.clock.now() - first.slot) < timedelta(seconds=0.1)


def test_a_probe_that_such_a_send_gave_back_lets_another_go_at_once(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    now = world.clock.now()
    closed = Gate(reason=GateReason.THROTTLED, since=now, blocked_until=now, block_seconds=30, detail="429")
    world.store.replace(PACE, read_pace(world.store), Pace(gate=closed))
    far = sender(world, 3600)

    for event in events(world):
        assert event.probe
        far.send(event)

    gate = read_pace(world.store).record.gate
    assert gate is not None
    assert not gate.probing
