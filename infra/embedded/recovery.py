"""Making good what a dead process left, at once: whoever holds the folder's lock knows that nobody else can be at work on it."""

import logging
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import TypeVar

from infra.embedded.event_queue import EventQueue
from infra.embedded.workspace import Workspace
from shared.decision import Decision
from shared.events import BroadcastEvent, Malformed, MessageEvent, NewerEvent, Topic, decode
from shared.logs import fields
from shared.pair import Channel, Pair
from shared.runs import expire, hasten
from shared.store import PAIRS, update

E = TypeVar("E", BroadcastEvent, MessageEvent)
Covered = frozenset[tuple[str, Channel]]

log = logging.getLogger(__name__)


def recover(workspace: Workspace) -> None:
    """Deliver taken events again, call cut-off messages unconfirmed, and publish again what no event is on its way for.

    Without this the same would happen, but only after minutes. Raises StoreUnavailable.
    """
    events = workspace.bus.free_leases()
    covered = on_their_way(workspace.bus)
    broadcasts = 0
    for stored in workspace.store.running_pairs():
        pair, _ = update(workspace.store, PAIRS, stored.id, partial(_made_good, covered=covered), seen=stored)
        broadcasts += pair != stored.record
    if events or broadcasts:
        log.warning(
            "The process before this one was cut off: %d events are delivered again, %d broadcasts looked after.",
            events,
            broadcasts,
            extra=fields(event="recovered", events=events, broadcasts=broadcasts),
        )


def on_their_way(queue: EventQueue) -> Covered:
    """The messages for which the queue holds an event, by run and channel."""
    covered: set[tuple[str, Channel]] = set()
    for broadcast in _decoded(queue.contents(Topic.BROADCASTS), BroadcastEvent):
        covered |= {(broadcast.run_id, channel) for channel in broadcast.slots}
    for message in _decoded(queue.contents(Topic.MESSAGES), MessageEvent):
        covered.add((message.run_id, message.channel))
    return frozenset(covered)


def _made_good(pair: Pair, now: datetime, *, covered: Covered) -> Decision[Pair, None]:
    after = expire(pair, now=now, dead=True)
    if after.run is not None:
        run_id = after.run.run_id
        after = hasten(after, channels=frozenset(c for c in Channel if (run_id, c) not in covered), now=now)
    return Decision(None if after == pair else after, None)


def _decoded(contents: Iterable[bytes], kind: type[E]) -> Iterable[E]:
    """What can be understood; the rest is told by whoever consumes it."""
    for data in contents:
        try:
            yield decode(kind, data)
        except (Malformed, NewerEvent):
            continue
