"""What an answer of the Bot API means.

The descriptions are Telegram's and have changed over the years, so they are matched by prefix and without regard to case. Status
codes alone decide little: "no rights" comes as 400 as often as 403, since the Bot API server turns a 403 whose text is only
CAPITALS_AND_DIGITS into a 400 (tdlib/telegram-bot-api, Client.cpp, fail_query_with_error).
"""

from collections.abc import Mapping
from typing import Any

from shared.pair import Fault
from shared.telegram import (
    BotUnusable,
    Done,
    Migrated,
    NotDelivered,
    Outcome,
    Refused,
    Sent,
    Throttled,
    Unconfirmed,
)

RESTARTING = 5
"""A request dropped while the API server stops is answered 429 with exactly this `retry_after`, whether or not the message was
posted before (tdlib/telegram-bot-api, Query.h)."""

LONGEST_PAUSE = 14 * 86400.0
"""Seconds; Telegram's own library takes no longer pause for meant (tdlib/td, NetQueryDelayer.cpp), and a slip in an answer must not
hold everything back for years."""

ALREADY_DONE = (
    "bad request: message to delete not found",
    "bad request: message to edit not found",
    "bad request: message is not modified",
    "bad request: chat_not_modified",
    "bad request: query is too old",
)
NEVER_LEFT = (
    "misdirected request",
    "bad request: edit_message_temp_restricted",
    "bad request: failed to get http url content",
)
BOT_REFUSED = ("unauthorized", "logged out", "bad request: frozen_method_invalid")
PAIRS_OWN = (
    # Whatever is not listed is a refusal in words this code does not know: it neither disables a pair nor is retried for ever.
    # The chat: gone, closed to the bot, or without the right that is needed.
    "forbidden: bot was kicked",
    "forbidden: bot is not a member",
    "forbidden: the group chat was deleted",
    "forbidden: bot was blocked",
    "forbidden: user is deactivated",
    "forbidden: bot can't",
    "forbidden: the bot can't",
    "bad request: chat not found",
    "bad request: private chat not found",
    "bad request: need administrator rights",
    "bad request: have no write access",
    "bad request: have no rights",
    "bad request: not enough rights",
    "bad request: member list is inaccessible",
    "bad request: chat_write_forbidden",
    "bad request: chat_admin_required",
    "bad request: chat_send_",
    "bad request: chat_restricted",
    "bad request: chat_id_invalid",
    "bad request: channel_private",
    "bad request: channel_invalid",
    "bad request: channel_public_group_na",
    "bad request: user_banned_in_channel",
    "bad request: peer_id_invalid",
    "bad request: group is deactivated",
    "bad request: pin_restricted",
    # The message: its texts or buttons.
    "bad request: can't parse entities",
    "bad request: can't parse messageentity",
    "bad request: can't parse inline keyboard button",
    "bad request: entities_too_long",
    "bad request: entity_bounds_invalid",
    "bad request: message text is empty",
    "bad request: text must be non-empty",
    "bad request: message_empty",
    "bad request: message is too long",
    "bad request: message_too_long",
    "bad request: text is too long",
    "bad request: message caption is too long",
    "bad request: button_",
    "bad request: bot_domain_invalid",
    "bad request: inline keyboard button url",
    "bad request: reply markup is too long",
    "bad request: reply_markup_invalid",
    "bad request: effect_chat_invalid",
)


def read_answer(status: int, body: Mapping[str, Any] | None, *, sends: bool) -> Outcome:
    """The outcome in an HTTP answer; `body` is None where it was no JSON object, as with a gateway's HTML page.

    `sends` says that a message id is what success looks like: an answer of 200 without one is unconfirmed.
    """
    if body is None:
        return _without_words(status)
    if body.get("ok") is True and status == 200:
        return _success(body.get("result"), sends=sends)
    parameters = body.get("parameters")
    parameters = parameters if isinstance(parameters, Mapping) else {}
    error = str(body.get("description") or f"HTTP status {status} without a description")
    retry_after = parameters.get("retry_after")
    if isinstance(retry_after, int | float) or status == 429:
        return _throttled(retry_after, error)
    moved = parameters.get("migrate_to_chat_id")
    if isinstance(moved, int):
        return Migrated(moved)
    return _refusal(status, error)


def _success(result: object, *, sends: bool) -> Outcome:
    if not sends:
        return Done()
    message_id = result.get("message_id") if isinstance(result, Mapping) else None
    if type(message_id) is int and message_id > 0:
        return Sent(message_id)
    return Unconfirmed("Telegram answered OK without a message id")


def _throttled(retry_after: object, error: str) -> Outcome:
    seconds = float(retry_after) if isinstance(retry_after, int | float) else 30.0
    if seconds == RESTARTING:
        return Unconfirmed(f"Telegram was restarting: {error}", retry_after=seconds)
    return Throttled(min(max(seconds, 1.0), LONGEST_PAUSE), error)


def _refusal(status: int, error: str) -> Outcome:
    words = error.casefold()
    if words.startswith(ALREADY_DONE):
        return Done()
    if words.startswith(NEVER_LEFT):
        return NotDelivered(error)
    if words.startswith(BOT_REFUSED) or words == "not found":
        return BotUnusable(error)
    if status >= 500:
        return Unconfirmed(error)
    if words.startswith(PAIRS_OWN):
        return Refused(error, Fault.PAIR)
    return Refused(error, Fault.UNKNOWN)


def _without_words(status: int) -> Outcome:
    if status == 429:
        return Throttled(30.0, "HTTP status 429 without a description")
    if status in {401, 404}:
        return BotUnusable(f"HTTP status {status} without a description")
    if 400 <= status < 500:
        return Refused(f"HTTP status {status} without a description", Fault.UNKNOWN)
    return Unconfirmed(f"HTTP status {status} without a description")
