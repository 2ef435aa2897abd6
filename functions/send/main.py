"""The send: one message, one call to Telegram, its outcome recorded, the old message replaced."""

import functions_framework
from cloudevents.http import CloudEvent

from functions.send.handler import Sender
from functions.send.taking_down import take_down
from shared import engine
from shared.consume import consume
from shared.events import MessageEvent

ENGINE = engine.current()
SENDER = Sender(ENGINE)


@functions_framework.cloud_event
def send(cloud_event: CloudEvent) -> None:
    consume(cloud_event, MessageEvent, lambda event, _: handle(event), clock=ENGINE.clock)


def handle(event: MessageEvent) -> None:
    """Post the message, or take down what an ended pair leaves."""
    if event.take_down:
        take_down(ENGINE, event)
    else:
        SENDER.send(event)
