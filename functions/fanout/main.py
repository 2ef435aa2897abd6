"""The fan-out: one event per message of a broadcast."""

import functions_framework
from cloudevents.http import CloudEvent

from functions.fanout.handler import fan_out
from shared import engine
from shared.consume import consume
from shared.events import BroadcastEvent

ENGINE = engine.current()


@functions_framework.cloud_event
def fanout(cloud_event: CloudEvent) -> None:
    consume(cloud_event, BroadcastEvent, lambda event, _: fan_out(ENGINE, event), clock=ENGINE.clock)
