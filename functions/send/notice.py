"""The owner hears of a pause by Telegram, where they asked for it: at most once a pause, in a slot like any message's.

A process that dies in between sends none; the dashboard says it anyway.
"""

import logging

from shared import telegram
from shared.engine import Engine
from shared.logs import fields
from shared.messages import pause_notice
from shared.pace import reserve
from shared.pair import Pair
from shared.runs import FAILURES_BEFORE_PAUSE
from shared.store import StoreUnavailable, update_pace

log = logging.getLogger(__name__)


def tell_owner(engine: Engine, before: Pair, after: Pair) -> None:
    """Send the notice if the pair paused between these two of its states for its failures. Its own failure is only logged."""
    paused = before.is_active and not after.is_active and after.consecutive_failures >= FAILURES_BEFORE_PAUSE
    chat = after.notification_id
    if not paused or not after.notification_status or chat is None:
        return
    try:
        tempo = engine.tempo
        (slot,) = update_pace(engine.store, lambda p, now: reserve(p, count=1, now=now, tempo=tempo))
        engine.clock.sleep(
            (slot - engine.clock.now()).total_seconds()
        )  # A place given now would push earlier slots behind it.
        moment = engine.departures.place(engine.clock.monotonic(), tempo, needs=0.0)
        if moment is None:
            outcome: telegram.Outcome = telegram.TooLate()
        else:
            engine.clock.sleep(moment - engine.clock.monotonic())
            outcome = engine.telegram.send_message(
                chat, pause_notice(after), may_leave=lambda: engine.departures.leave(moment, tempo)
            )
    except StoreUnavailable as error:
        log.warning("The owner was not told of the pause: %s", error, extra=_about(after, "pause_notice_failed"))
        return
    if isinstance(outcome, telegram.Sent):
        log.info("The owner was told of the pause.", extra=_about(after, "pause_notice_sent"))
    else:
        log.warning("The owner was not told of the pause: %s", outcome, extra=_about(after, "pause_notice_failed"))


def _about(pair: Pair, event: str) -> dict[str, dict[str, object]]:
    return fields(event=event, pair_id=pair.id)
