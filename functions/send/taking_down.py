"""Taking an ended pair's messages out of a channel, in its slot; each success is written down, so it goes on until all is done."""

import logging
from datetime import timedelta

from functions.send import gate
from functions.send.outcomes import about
from functions.send.replacing import removals, words
from shared import taking_down, telegram
from shared.deliveries import deletion_failed
from shared.engine import Engine
from shared.events import MessageEvent
from shared.messages import ended_text
from shared.pair import Pair
from shared.store import PAIRS, update

LONGEST_WAIT = timedelta(seconds=60)
"""A slot further away is not waited for; the attempt is due again by itself."""

log = logging.getLogger(__name__)


def take_down(engine: Engine, event: MessageEvent) -> None:
    """Remove what stands in the event's channel. A lost event, or a death anywhere in here, is made good by the next attempt.

    Raises StoreUnavailable, Stopping.
    """
    wait = event.slot - engine.clock.now()
    if wait > LONGEST_WAIT:
        log.info("The slot is too far away to wait for.", extra=about(event))
        return
    engine.clock.sleep(max(0.0, wait.total_seconds()))
    stored = engine.store.get(PAIRS, event.pair_id)
    if stored is None or stored.record.take_down is None or stored.record.take_down.at is None:
        log.info("The event means nothing any more: nothing is to be taken down.", extra=about(event))
        return
    pair = stored.record
    for message_ids, outcome in removals(engine, pair, event.channel, too_old=ended_text(event.channel)):
        if isinstance(outcome, telegram.Done):
            _gone(engine, event, pair, message_ids)
        else:
            _failed(engine, event, pair, message_ids, outcome)
        gate.tell(engine, event, outcome)


def _gone(engine: Engine, event: MessageEvent, pair: Pair, message_ids: frozenset[int]) -> None:
    _, all_gone = update(
        engine.store,
        PAIRS,
        pair.id,
        lambda p, now: taking_down.gone(p, channel=event.channel, message_ids=message_ids, now=now),
    )
    log.info(
        "Taken down in %s.",
        pair.title(event.channel),
        extra=about(event, event="taken_down", message_ids=sorted(message_ids), all_gone=all_gone),
    )


def _failed(
    engine: Engine, event: MessageEvent, pair: Pair, message_ids: frozenset[int], outcome: telegram.Outcome
) -> None:
    error = words(outcome)
    update(
        engine.store,
        PAIRS,
        pair.id,
        lambda p, now: deletion_failed(p, channel=event.channel, message_ids=message_ids, error=error, now=now),
    )
    if isinstance(outcome, telegram.Throttled):
        pause = timedelta(seconds=outcome.retry_after)
        update(engine.store, PAIRS, pair.id, lambda p, now: taking_down.put_off(p, until=now + pause, now=now))
    log.warning(
        "A message could not be taken down in %s: %s",
        pair.title(event.channel),
        error,
        extra=about(event, event="take_down_failed", message_ids=sorted(message_ids)),
    )
