"""Telegram as the functions see it: the calls in use, and every way they can end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.messages import Message
from shared.pair import Fault


@dataclass(frozen=True)
class Sent:
    """Telegram has the message: the answer held its id. An HTTP status alone is no success."""

    message_id: int


@dataclass(frozen=True)
class Done:
    """A deletion or an edit took effect, or there was nothing left to do."""


@dataclass(frozen=True)
class Throttled:
    """Telegram took nothing and wants nobody to call for so many seconds: 1 s up to 14 days have been seen."""

    retry_after: float
    error: str


@dataclass(frozen=True)
class NotDelivered:
    """The request never left, or was turned away before anything was done with it: trying again is safe."""

    why: str


@dataclass(frozen=True)
class TooLate:
    """The request might not leave any more, and did not."""


@dataclass(frozen=True)
class Refused:
    """Telegram said no, in these words."""

    error: str
    fault: Fault


@dataclass(frozen=True)
class Migrated:
    """The chat has become another one; nothing was sent."""

    chat: int


@dataclass(frozen=True)
class Unconfirmed:
    """The request left and its effect is unknown. `retry_after` is set where Telegram also asked for a pause."""

    why: str
    retry_after: float | None = None


@dataclass(frozen=True)
class BotUnusable:
    """Telegram does not accept the bot itself: its token is wrong or revoked, or the bot is frozen."""

    error: str


Outcome = Sent | Done | Throttled | NotDelivered | TooLate | Refused | Migrated | Unconfirmed | BotUnusable


@dataclass(frozen=True)
class Bot:
    """Who the token belongs to."""

    id: int
    username: str


@dataclass(frozen=True)
class Membership:
    """What a chat is, and what the bot is and may do in it (Bot API, Chat and ChatMember)."""

    kind: str
    title: str
    status: str
    can_post: bool | None
    """The administrator's right to post in a channel; None where Telegram names no such right."""
    can_send: bool | None
    """A restricted member's right to send messages; None where Telegram names no such right."""


class Telegram(Protocol):
    """The Bot API methods in use. No method raises for what Telegram or the network does; that is in the outcome."""

    def make_ready(self) -> None:
        """See to it that the next call finds an open connection; what is spaced is the moment a request leaves."""

    def send_message(self, chat: int, message: Message, *, may_leave: Callable[[], bool]) -> Outcome:
        """Post a message; Sent is the only success. TooLate if `may_leave`, asked when its first byte is about to, says no."""

    def delete_messages(self, chat: int, message_ids: Sequence[int]) -> Outcome:
        """Delete up to 100 messages; those already gone are skipped. Done is the only success."""

    def edit_text(self, chat: int, message_id: int, text: str) -> Outcome:
        """Replace a message's text and take its buttons away. Done is the only success."""

    def get_me(self) -> Bot | Outcome:
        """Who the bot is."""

    def membership(self, chat: int) -> Membership | Outcome:
        """What the bot may do in a chat: getChat, then getChatMember of itself. Two calls at most, and no message."""
