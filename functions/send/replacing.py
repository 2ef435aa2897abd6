"""Taking the replaced messages out of a channel, once the new one stands."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from shared import telegram
from shared.deliveries import deletion_failed
from shared.engine import Engine
from shared.logs import fields
from shared.messages import replaced_text
from shared.pair import Channel, Pair, Replaced
from shared.store import PAIRS, update

DELETABLE_FOR = timedelta(hours=48)
"""A bot deletes a message only so long after sending it, in channels too (Bot API, deleteMessage; tdlib/td, MessagesManager)."""
MARGIN = timedelta(minutes=5)

log = logging.getLogger(__name__)


def delete_replaced(engine: Engine, pair: Pair, channel: Channel, about: dict[str, dict[str, object]]) -> None:
    """Delete what the standing message of this channel replaced; what is too old for that is edited down to a line.

    A success is not written down: each id is named in two deletions running, so one that died half-way is made good by the next. A
    failure is written, and the id named again. Raises StoreUnavailable.
    """
    for message_ids, outcome in removals(engine, pair, channel, too_old=replaced_text(channel)):
        if not isinstance(outcome, telegram.Done):
            _note_failure(engine, pair, channel, message_ids, words(outcome), about)


def removals(
    engine: Engine, pair: Pair, channel: Channel, *, too_old: str
) -> Iterator[tuple[frozenset[int], telegram.Outcome]]:
    """Take the messages named for deletion out of the channel, one call at a time: which ones, and how it went.

    What is too old to be deleted is edited down to the line `too_old`.
    """
    now = engine.clock.now()
    old = pair.replaced(channel)
    by_chat: dict[int, list[int]] = {}
    for message in old:
        if not _too_old(message, now):
            by_chat.setdefault(message.chat, []).append(message.message_id)
    for chat, message_ids in by_chat.items():
        yield frozenset(message_ids), engine.telegram.delete_messages(chat, message_ids)
    for message in old:
        if _too_old(message, now):
            yield frozenset({message.message_id}), engine.telegram.edit_text(message.chat, message.message_id, too_old)


def _too_old(message: Replaced, now: datetime) -> bool:
    return now - message.sent_at > DELETABLE_FOR - MARGIN


def _note_failure(
    engine: Engine,
    pair: Pair,
    channel: Channel,
    message_ids: frozenset[int],
    error: str,
    about: dict[str, dict[str, object]],
) -> None:
    update(
        engine.store,
        PAIRS,
        pair.id,
        lambda p, now: deletion_failed(p, channel=channel, message_ids=message_ids, error=error, now=now),
    )
    log.warning(
        "The replaced message of %s could not be taken down: %s",
        pair.title(channel),
        error,
        extra=fields(**{**about["fields"], "event": "deletion_failed", "message_ids": sorted(message_ids)}),
    )


def words(outcome: telegram.Outcome) -> str:
    """Why a removal failed."""
    match outcome:
        case telegram.NotDelivered(why) | telegram.Unconfirmed(why) | telegram.BotUnusable(why):
            return why
        case telegram.Refused(error, _) | telegram.Throttled(_, error):
            return error
        case telegram.Migrated(chat):
            return f"the chat is another one now: {chat}"
        case telegram.Sent() | telegram.Done() | telegram.TooLate():
            return "Telegram answered as if to another call"
