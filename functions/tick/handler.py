"""What a tick does: as long as something is due, claim as many pairs as fit one second, hand out their slots, publish.

The backlog stays in the store in due order, never in the queue; one tick goes on past its minute until a newer one takes charge, so
that there is no gap between minutes.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

from shared.consume import Publication
from shared.engine import Engine
from shared.events import BroadcastEvent
from shared.logs import fields
from shared.pace import (
    FEWEST_REFUSED,
    GateReason,
    Pace,
    TickInCharge,
    probe_void,
    refusals_since,
    refused_widely,
    release_probe,
    reserve_pairs,
    take_charge,
)
from shared.pair import Channel, DeliveryState, Pair
from shared.runs import Claimed, claim
from shared.store import PAIRS, Stored, read_pace, update, update_pace

LONGEST_SECONDS = 100.0
"""A tick ends after so long; the next one goes on."""
AHEAD = timedelta(seconds=1)
"""Slots are handed out about so long before they come."""
MOST_IN_FLIGHT_SECONDS = 30.0
"""So many seconds of the pace may be in flight; with more, something downstream is down, and no run is begun."""
LOOK_AGAIN_SECONDS = 1.0
REFUSALS_SECONDS = 5.0
"""How often a tick that is busy counts refusals; the first time before it begins anything."""

log = logging.getLogger(__name__)


def run(engine: Engine, publication: Publication) -> None:
    """Claim and publish until nothing is due, another tick is in charge, or the time is up.

    Raises StoreUnavailable and BusUnavailable; what was claimed by then is found again through its document.
    """
    me = TickInCharge(published_at=publication.published_at, event_id=publication.event_id)
    deadline = engine.clock.monotonic() + LONGEST_SECONDS
    count_refusals_at = engine.clock.monotonic()
    in_charge = False
    begun = 0
    while engine.clock.monotonic() < deadline:
        pace = read_pace(engine.store)
        if (in_charge and pace.record.tick != me) or (not in_charge and not me.newer_than(pace.record.tick)):
            name = "tick_superseded" if in_charge else "tick_not_in_charge"
            log.info("Another tick is in charge.", extra=fields(event=name, event_id=me.event_id, begun=begun))
            return
        due = engine.store.due_pairs(pace.read_at, engine.tempo.pairs_per_second)
        if not due:
            log.info("Nothing is due.", extra=fields(event="tick_done", event_id=me.event_id, begun=begun))
            return
        if not in_charge:
            in_charge = update_pace(engine.store, lambda p, _: take_charge(p, me))
            if not in_charge:
                continue
        if pace.record.paused_all is not None:
            log.info(
                "Pairs are due and the operator has paused everything: %s.",
                pace.record.paused_all.reason,
                extra=fields(event="gate_closed", reason="pause-all", detail=pace.record.paused_all.reason),
            )
            return
        gate = pace.record.gate
        if gate is not None and pace.read_at < gate.blocked_until:
            log.info(
                "Pairs are due and the gate is closed: %s.",
                gate.reason,
                extra=fields(event="gate_closed", reason=gate.reason, until=gate.blocked_until, detail=gate.detail),
            )
            blocked = (gate.blocked_until - pace.read_at).total_seconds()
            if not gate.probing and engine.clock.monotonic() + blocked > deadline:
                return
            # The answer to a probe opens the gate long before its time is up.
            engine.clock.sleep(min(blocked, LOOK_AGAIN_SECONDS) if gate.probing else blocked)
            continue
        if gate is None and engine.clock.monotonic() >= count_refusals_at:
            count_refusals_at = engine.clock.monotonic() + REFUSALS_SECONDS
            if _refused_widely(engine, pace):
                continue
        if _too_much_in_flight(engine):
            # A run that got stuck is still taken up or closed: that is what brings the number down.
            due = engine.store.due_pairs(pace.read_at, engine.tempo.pairs_per_second, stuck=True)
            if not due:
                engine.clock.sleep(LOOK_AGAIN_SECONDS)
                continue
        probe = None
        if gate is not None:
            probe = update_pace(engine.store, lambda p, now: release_probe(p, now=now))
            if probe is None:
                continue
        if probe is GateReason.REFUSALS:
            due = sorted(due, key=_tells_little)
        claimed = _claim(engine, due, at_most=len(due) if probe is None else 1)
        if probe is not None and not claimed:
            update_pace(engine.store, lambda p, now: probe_void(p, now=now))
        begun += len(claimed)
        after = _publish(engine, claimed, probe=probe)
        if after is not None:
            _wait_until(engine, after - AHEAD)
    log.info(
        "Its time is up; the next tick goes on.", extra=fields(event="tick_time_up", event_id=me.event_id, begun=begun)
    )


def _claim(engine: Engine, due: Sequence[Stored[Pair]], *, at_most: int) -> list[tuple[Pair, Claimed]]:
    claimed: list[tuple[Pair, Claimed]] = []
    policy = engine.policy
    for stored in due:
        if len(claimed) == at_most:
            break
        run_id = str(uuid4())
        pair, result = update(
            engine.store,
            PAIRS,
            stored.id,
            lambda pair, now: claim(pair, now=now, run_id=run_id, policy=policy),  # noqa: B023 - used within the iteration
            seen=stored,
        )
        if isinstance(result, Claimed):
            claimed.append((pair, result))
    return claimed


def _publish(engine: Engine, claimed: Sequence[tuple[Pair, Claimed]], *, probe: GateReason | None) -> datetime | None:
    """Reserve slots for what was really claimed and publish it. The end of the reserved time, None if there was nothing."""
    if not claimed:
        return None
    opens = sum(Channel.OPEN in c.channels for _, c in claimed)
    closeds = sum(Channel.CLOSED in c.channels for _, c in claimed)
    tempo = engine.tempo
    slots = update_pace(
        engine.store, lambda p, now: reserve_pairs(p, opens=opens, closeds=closeds, now=now, tempo=tempo)
    )
    of_channel = {Channel.OPEN: iter(slots[0]), Channel.CLOSED: iter(slots[1])}
    events = [
        BroadcastEvent(
            pair_id=pair.id,
            run_id=result.run_id,
            slots={channel: next(of_channel[channel]) for channel in result.channels},
            probe=probe is not None,
            forgiven=probe is GateReason.REFUSALS,
            take_down=result.take_down,
        )
        for pair, result in claimed
    ]
    engine.bus.publish(events)
    for pair, result in claimed:
        current = pair.run
        log.info(
            "Its messages are to be taken down." if result.take_down else "Broadcast claimed.",
            extra=fields(
                event="take_down_claimed" if result.take_down else "broadcast_claimed",
                pair_id=pair.id,
                run_id=result.run_id,
                cause=None if current is None else current.cause,
                probe=True if probe is not None else None,
            ),
        )
    return max((*slots[0], *slots[1])) + tempo.step


def _too_much_in_flight(engine: Engine) -> bool:
    most = max(1.0, MOST_IN_FLIGHT_SECONDS * engine.tempo.rate / 2)
    running = engine.store.count_running()
    if running <= most:
        return False
    log.warning(
        "%d broadcasts are in flight, more than the pace explains; none is begun until they are done.",
        running,
        extra=fields(event="back_pressure", running=running),
    )
    return True


def _refused_widely(engine: Engine, pace: Stored[Pace]) -> bool:
    """Whether so many are refused that it is no longer the pairs: then the gate is closed. Mostly one count that finds none."""
    since = refusals_since(pace.record, now=pace.read_at)
    refused = engine.store.count_refused(since)
    if refused < FEWEST_REFUSED:
        return False
    attempted = engine.store.count_attempted(since)
    return update_pace(engine.store, lambda p, now: refused_widely(p, now=now, attempted=attempted, refused=refused))


def _tells_little(stored: Stored[Pair]) -> bool:
    """Whether a probe of this pair would say little about refusals: it was refused last time, or its messages are only to go."""
    pair, last = stored.record, stored.record.last_broadcast
    refused = last is not None and any(d.state is DeliveryState.FAILED for _, d in last.deliveries())
    return refused or pair.take_down is not None


def _wait_until(engine: Engine, moment: datetime) -> None:
    engine.clock.sleep((moment - engine.clock.now()).total_seconds())
