"""What the bot lacks in a pair's channels: asked of Telegram, never guessed, and never a reason to refuse anything by itself."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.pair import Channel, Pair
from shared.telegram import (
    BotUnusable,
    Done,
    Membership,
    Migrated,
    NotDelivered,
    Outcome,
    Refused,
    Sent,
    Telegram,
    Throttled,
    TooLate,
    Unconfirmed,
)


@dataclass(frozen=True)
class Finding:
    """Something that would keep a pair's message from its channel, in a sentence that says what to do.

    `asked` is False where Telegram gave no answer: then nothing is known.
    """

    channel: Channel
    chat: int
    sentence: str
    asked: bool = True


def missing(membership: Membership) -> str | None:
    """What the bot lacks in a chat to post and to take its own messages away, or None.

    A bot that may post in a channel may delete its own posts there (Bot API, deleteMessage), so posting is all it needs.
    """
    if membership.status in {"left", "kicked"}:
        return "the bot is not in it; add the bot as an administrator that may post messages"
    if membership.kind == "channel":
        if membership.status != "administrator":
            return "the bot is no administrator of it; make it one that may post messages"
        return None if membership.can_post else "the bot may not post in it; give it the right to post messages"
    if membership.status == "restricted" and membership.can_send is False:
        return "the bot may not write in it; lift its restriction"
    return None


def look(telegram: Telegram, pair: Pair, *, before_each: Callable[[], None] = lambda: None) -> tuple[Finding, ...]:
    """What the bot lacks in both channels; empty if nothing. `before_each` keeps the pace.

    Once Telegram gives no answer it is asked no more, so that a caller waits for one time limit at most.
    """
    found: list[Finding] = []
    for channel in Channel:
        before_each()
        answer = telegram.membership(pair.chat(channel))
        title, chat = pair.title(channel), pair.chat(channel)
        if not isinstance(answer, Membership):
            sentence, asked = _refused(answer)
            found.append(Finding(channel, chat, f"{title} ({chat}): {sentence}", asked))
            if not asked:
                break
        elif (lack := missing(answer)) is not None:
            found.append(Finding(channel, chat, f"{title} ({chat}): {lack}"))
    return tuple(found)


def _refused(outcome: Outcome) -> tuple[str, bool]:
    match outcome:
        case Refused(error):
            return f"Telegram says {error!r}; add the bot as an administrator that may post messages", True
        case Migrated(chat):
            return f"it is another chat now, {chat}; the next message goes there", True
        case Throttled(error=why) | NotDelivered(why) | Unconfirmed(why) | BotUnusable(why):
            return f"the bot could not be asked whether it may post there ({why})", False
        case Sent() | Done() | TooLate():
            return (
                "the bot could not be asked whether it may post there (Telegram answered as if to another call)",
                False,
            )
