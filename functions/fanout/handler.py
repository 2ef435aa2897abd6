"""What the fan-out does: check that both messages can be rendered, then publish one event for each that is still queued."""

import logging

from shared.engine import Engine
from shared.events import BroadcastEvent, MessageEvent
from shared.logs import fields
from shared.messages import CannotRender, render
from shared.pace import probe_void
from shared.pair import Channel, DeliveryState
from shared.runs import refuse
from shared.store import PAIRS, update, update_pace

log = logging.getLogger(__name__)


def fan_out(engine: Engine, event: BroadcastEvent) -> None:
    """If one message cannot be rendered, neither goes. Raises StoreUnavailable, BusUnavailable."""
    about = fields(pair_id=event.pair_id, run_id=event.run_id)
    if event.take_down:
        engine.bus.publish([_message(event, channel) for channel in event.slots])
        return
    stored = engine.store.get(PAIRS, event.pair_id)
    run = None if stored is None else stored.record.run
    if stored is None or run is None or run.run_id != event.run_id:
        log.info("The event is stale: its broadcast is over.", extra=about)
        return
    try:
        for channel in Channel:
            render(stored.record, channel, bot_username=engine.bot_username())
    except CannotRender as error:
        reason = str(error)
        update(
            engine.store,
            PAIRS,
            stored.id,
            lambda pair, now: refuse(pair, run_id=event.run_id, error=reason, now=now),
            seen=stored,
        )
        log.warning(
            "Nothing is sent, for a message cannot be made: %s",
            reason,
            extra=fields(event="broadcast_unrenderable", pair_id=event.pair_id, run_id=event.run_id),
        )
        if event.probe:
            update_pace(engine.store, lambda p, now: probe_void(p, now=now))
        return
    engine.bus.publish(
        [_message(event, channel) for channel in event.slots if run.delivery(channel).state is DeliveryState.QUEUED]
    )
    log.debug("Broadcast fanned out.", extra=about)


def _message(event: BroadcastEvent, channel: Channel) -> MessageEvent:
    return MessageEvent(
        pair_id=event.pair_id,
        run_id=event.run_id,
        channel=channel,
        slot=event.slots[channel],
        probe=event.probe,
        forgiven=event.forgiven,
        take_down=event.take_down,
    )
