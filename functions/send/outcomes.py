"""What each way a call can end means: for the record, and as the one line the log has for every message."""

import logging
from datetime import datetime, timedelta

from shared import telegram
from shared.deliveries import GivenBack, Moved, Outcome, Posted, Refused, Unknown
from shared.events import MessageEvent
from shared.logs import fields
from shared.pair import Cause

FIRST_BACK_OFF = 15.0
LONGEST_BACK_OFF = 900.0
"""Seconds until a message that did not reach Telegram is tried again; doubled each time."""
BOT_BACK_OFF = 60.0
SLOTS_MISSED = "its slots were all missed; if this goes on, this machine's clock is wrong or it is too slow"
AS_IF_TO_ANOTHER = "Telegram answered as if to another call"

log = logging.getLogger(__name__)


def settled_as(outcome: telegram.Outcome, *, now: datetime, tries: int) -> Outcome:
    """What the outcome of a send means for its delivery; `tries` counts the calls, this one included."""
    match outcome:
        case telegram.Sent(message_id):
            return Posted(message_id, now)
        case telegram.Refused(error, fault):
            return Refused(error, fault)
        case telegram.Migrated(chat):
            return Moved(chat)
        case telegram.Throttled(retry_after, error):
            return GivenBack(now + timedelta(seconds=retry_after), error)
        case telegram.NotDelivered(why):
            wait = min(FIRST_BACK_OFF * 2.0 ** (tries - 1), LONGEST_BACK_OFF)
            return GivenBack(now + timedelta(seconds=wait), why)
        case telegram.BotUnusable(error):
            return GivenBack(now + timedelta(seconds=BOT_BACK_OFF), error)
        case telegram.Unconfirmed(why):
            return Unknown(why)
        case telegram.TooLate():
            return GivenBack(now, SLOTS_MISSED)
        case telegram.Done():
            return Unknown(AS_IF_TO_ANOTHER)


def report(
    message: MessageEvent, outcome: telegram.Outcome, *, title: str, attempt: int, cause: Cause, latency_seconds: float
) -> None:
    """The line for this message. The latency counts from the claim of its run to the end of its call."""
    level, name, sentence, more = _words(outcome, title)
    known = {"attempt": attempt, "cause": cause, "latency_seconds": latency_seconds}
    log.log(level, "%s", sentence, extra=about(message, event=name, **known, **more))


def about(message: MessageEvent, **more: object) -> dict[str, dict[str, object]]:
    """The fields of every log line about a message."""
    return fields(pair_id=message.pair_id, run_id=message.run_id, channel=message.channel, **more)


def _words(outcome: telegram.Outcome, title: str) -> tuple[int, str, str, dict[str, object]]:
    """Severity, event, sentence and further fields."""
    match outcome:
        case telegram.Sent(message_id):
            return logging.INFO, "message_sent", f"Sent to {title}.", {"message_id": message_id}
        case telegram.Refused(error, fault):
            sentence = f"Telegram refused the message to {title}: {error}"
            return logging.WARNING, "message_refused", sentence, {"fault": fault}
        case telegram.Throttled(retry_after, error):
            sentence = f"Telegram asks for a pause of {retry_after:.0f} s: {error}"
            return logging.WARNING, "throttled", sentence, {"retry_after": retry_after}
        case telegram.NotDelivered(why):
            return logging.WARNING, "not_delivered", f"The message to {title} did not reach Telegram: {why}", {}
        case telegram.Migrated(chat):
            sentence = f"{title} is another chat now; its new id is kept and the message sent once more."
            return logging.WARNING, "chat_migrated", sentence, {"chat": chat}
        case telegram.BotUnusable(error):
            sentence = f"Telegram does not accept the bot: {error}. Check BOT_TOKEN."
            return logging.ERROR, "bot_unusable", sentence, {}
        case telegram.Unconfirmed(why):
            sentence = f"Nobody knows whether the message to {title} was posted: {why}. Look into the channel."
            return logging.WARNING, "message_unconfirmed", sentence, {}
        case telegram.TooLate():
            return logging.WARNING, "message_put_off", f"The message to {title} is put off: {SLOTS_MISSED}.", {}
        case telegram.Done():
            return logging.ERROR, "message_unconfirmed", f"The message to {title}: {AS_IF_TO_ANOTHER}.", {}
