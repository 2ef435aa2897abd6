"""The tick: claims what is due, no faster than the pace."""

import functions_framework
from cloudevents.http import CloudEvent

from functions.tick.handler import run
from shared import engine
from shared.consume import consume
from shared.events import TickEvent

ENGINE = engine.current()


@functions_framework.cloud_event
def tick(cloud_event: CloudEvent) -> None:
    consume(cloud_event, TickEvent, lambda _, publication: run(ENGINE, publication), clock=ENGINE.clock)
