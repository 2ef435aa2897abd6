"""The tick: in charge, at the pace, held by the gate and by what is in flight."""

import logging
from datetime import timedelta

import pytest

from infra.embedded.event_queue import Taken
from shared.events import TickEvent, Topic, encode
from shared.pace import Gate, GateReason, Pace, TickInCharge
from shared.pair import Pair, replace
from shared.runs import Policy, claim
from shared.store import PACE, PAIRS, read_pace, update
from tests.clocks import NOON
from tests.functions.world import World
from tests.pairs import a_pair

POLICY = Policy(interval=timedelta(hours=24), manual_interval=timedelta(minutes=5))


def set_pace(world: World, pace: Pace) -> None:
    stored = read_pace(world.store)
    world.store.replace(PACE, stored, pace)


def tick_at(seconds: float, id: str = "1") -> Taken:
    return Taken(id, Topic.TICKS, encode(TickEvent()), NOON + timedelta(seconds=seconds), 1)


def claimed(world: World, pair: Pair) -> bool:
    return world.pair(pair).run is not None


@pytest.mark.parametrize(("seconds", "claims"), [(-1, False), (0, False), (1, True)])
def test_only_a_tick_newer_than_the_one_in_charge_claims(world: World, seconds: float, claims: bool) -> None:
    pair = a_pair()
    world.add(pair)
    set_pace(world, Pace(tick=TickInCharge(published_at=NOON, event_id="1")))

    assert world.deliver(tick_at(seconds)) == 200

    assert claimed(world, pair) is claims


def test_a_tick_stops_as_soon_as_a_newer_one_is_in_charge(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(*[a_pair(n) for n in range(1, 41)])
    sleep = world.clock.sleep

    def meanwhile(seconds: float) -> None:
        sleep(seconds)
        pace = read_pace(world.store).record
        set_pace(world, replace(pace, tick=TickInCharge(published_at=NOON + timedelta(seconds=60), event_id="2")))

    monkeypatch.setattr(world.clock, "sleep", meanwhile)
    world.deliver(tick_at(0))

    assert world.store.count_running() == 12


def test_a_tick_that_came_too_late_claims_nothing(world: World) -> None:
    pair = a_pair()
    world.add(pair)

    assert world.deliver(tick_at(-91)) == 200

    assert not claimed(world, pair)


def test_a_tick_goes_on_past_its_minute_and_ends_after_a_hundred_seconds(world: World) -> None:
    world.add(*[a_pair(n) for n in range(1, 501)])

    world.deliver(tick_at(0))

    passed = (world.clock.now() - NOON).total_seconds()
    assert 95 <= passed <= 102
    # 30 s of the pace may be in flight, and here nothing sends.
    assert world.store.count_running() == pytest.approx(375, abs=13)


def begin_first(world: World, count: int) -> None:
    """Runs whose events are lost: begun, and nothing published."""
    for stored in list(world.store.all_pairs())[:count]:
        run_id = f"run-{stored.id}"
        update(
            world.store,
            PAIRS,
            stored.id,
            lambda p, now, run_id=run_id: claim(p, now=now, run_id=run_id, policy=POLICY),  # type: ignore[misc]
        )


def test_with_too_much_in_flight_nothing_is_claimed_and_it_is_said(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.add(*[a_pair(n) for n in range(1, 401)])
    begin_first(world, 380)

    world.deliver(tick_at(0))

    assert world.store.count_running() == 380
    assert "380 broadcasts are in flight" in caplog.text


def test_with_too_much_in_flight_what_got_stuck_is_still_taken_up_behind_an_older_backlog(world: World) -> None:
    """Only that brings the number down; otherwise nothing would ever move again."""
    world.add(*[a_pair(n) for n in range(1, 801)])
    begin_first(world, 380)
    world.clock.advance(200)

    world.deliver(tick_at(200))

    stuck = world.store.due_pairs(world.clock.now() - timedelta(seconds=100), 1000, stuck=True)
    assert world.store.count_running() == 380
    assert not stuck
    assert world.queue.waiting()[Topic.BROADCASTS] >= 380


def test_a_closed_gate_holds_everything_back_for_hours(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pair = a_pair()
    world.add(pair)
    until = NOON + timedelta(hours=3)
    gate = Gate(reason=GateReason.THROTTLED, since=NOON, blocked_until=until, block_seconds=10800, detail="429")
    set_pace(world, Pace(gate=gate))

    world.deliver(tick_at(0))

    assert not claimed(world, pair)
    assert world.clock.now() == NOON
    assert "the gate is closed: throttled" in caplog.text


def test_a_gate_whose_block_is_over_lets_one_pair_through_as_a_probe(world: World) -> None:
    pairs = [a_pair(n) for n in range(1, 6)]
    world.add(*pairs)
    gate = Gate(reason=GateReason.THROTTLED, since=NOON, blocked_until=NOON, block_seconds=30, detail="429")
    set_pace(world, Pace(gate=gate))

    world.deliver(tick_at(0))

    # A second one may follow only when the first was not answered for a minute.
    assert world.store.count_running() == 2
    first = world.queue.take(Topic.BROADCASTS, 10)[0]
    assert b'"probe":true' in first.data


def test_a_pair_with_a_broken_schedule_stops_nobody_else(world: World) -> None:
    from shared.pair import Schedule

    broken, good = a_pair(1, schedule=Schedule(cron="never")), a_pair(2)
    world.add(broken, good)

    world.tick()

    assert world.pair(good).successful_broadcasts == 1
    assert not world.pair(broken).is_active


def test_a_record_nobody_can_read_stops_nobody_else(world: World, caplog: pytest.LogCaptureFixture) -> None:
    good = a_pair(2)
    world.store.put_raw(PAIRS, "broken", b'{"v":1}')
    world.store.put_raw(PAIRS, "newer", b'{"v":99}')
    world.add(good)

    world.tick()

    assert world.pair(good).successful_broadcasts == 1
    assert "Record broken is left out" in caplog.text
    assert "version 99" in caplog.text
