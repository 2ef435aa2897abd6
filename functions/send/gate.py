"""What the end of a call means for everybody: the gate closes, or a probe opens it."""

import logging

from functions.send.outcomes import about
from shared import telegram
from shared.engine import Engine
from shared.events import MessageEvent
from shared.pace import bot_unusable, probe_refused, probe_sent, probe_void, throttle, unreachable
from shared.store import update_pace

log = logging.getLogger(__name__)


def tell(engine: Engine, event: MessageEvent, outcome: telegram.Outcome, *, one_of_many: bool = False) -> None:
    """Write into the pace document what this outcome of a send or a removal says of Telegram as a whole.

    A call that did not reach Telegram says something only as a probe, or as one of many in a row.

    Raises StoreUnavailable.
    """
    opened = False
    match outcome:
        case telegram.Throttled(retry_after, error) | telegram.Unconfirmed(error, float(retry_after)):
            update_pace(
                engine.store,
                lambda p, now: throttle(p, now=now, retry_after=retry_after, probe=event.probe, detail=error),
            )
        case telegram.BotUnusable(error):
            update_pace(engine.store, lambda p, now: bot_unusable(p, now=now, probe=event.probe, detail=error))
        case telegram.Done() | telegram.Refused() if event.forgiven and event.take_down:
            # Whether a removal is accepted says nothing of messages.
            update_pace(engine.store, lambda p, now: probe_void(p, now=now))
        case telegram.NotDelivered(why) if event.probe or one_of_many:
            update_pace(engine.store, lambda p, now: unreachable(p, now=now, probe=event.probe, detail=why))
        case telegram.Sent() | telegram.Done() if event.probe:
            opened = update_pace(engine.store, lambda p, now: probe_sent(p, now=now))
        case telegram.Migrated() if event.forgiven:
            pass  # It goes once more, to the chat's new id.
        case telegram.Refused() | telegram.Migrated() if event.probe:
            opened = update_pace(engine.store, lambda p, now: probe_refused(p, now=now))
        case telegram.TooLate() if event.probe:
            update_pace(engine.store, lambda p, now: probe_void(p, now=now))
    if opened:
        log.info("The probe was answered: the gate opens.", extra=about(event, event="gate_opened"))
