"""Simulated chats and what the bot may do in them.

Facts: telegram-bot-api Client.cpp (check_chat, check_chat_access), TDLib (rights). The simulated channels are private,
so a bot that is not a member may not even read them.
"""

from typing import Literal

import msgspec

from infra.telegram_simulator.refusals import Refused, bad_request, forbidden

Kind = Literal["channel", "supergroup", "group"]
Membership = Literal["administrator", "kicked", "left"]


class Channel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A chat as Telegram knows it, with the bot's place in it."""

    chat_id: int
    title: str = ""
    kind: Kind = "channel"
    can_post: bool = True
    can_delete: bool = True
    member: Membership = "administrator"
    migrated_to: int | None = None

    @property
    def name(self) -> str:
        """The title, or the id if the chat has none."""
        return self.title or str(self.chat_id)


def check_access(channel: Channel) -> None:
    """Refused unless the bot is in the chat at all."""
    if channel.migrated_to is not None:
        description = "Bad Request: group chat was upgraded to a supergroup chat"
        raise Refused(400, description, {"migrate_to_chat_id": channel.migrated_to})
    if channel.member == "kicked":
        raise forbidden(f"bot was kicked from the {channel.kind} chat")
    if channel.member == "left":
        raise forbidden(f"bot is not a member of the {channel.kind} chat")


def check_may_post(channel: Channel) -> None:
    """Refused when the bot lacks can_post_messages (TDLib DialogManager, can_send_message_to_dialog)."""
    if channel.can_post:
        return
    if channel.kind == "channel":
        raise bad_request("Need administrator rights in the channel chat")
    raise bad_request("Not enough rights to send text messages to the chat")


def parsed_chat_id(value: str) -> int | None:
    """The numeric id in a `chat_id` parameter; None for a @username or anything else (the chat is then not found)."""
    digits = value.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= 18:
        return int(value)
    return None


def chat_object(channel: Channel) -> dict[str, object]:
    """The Bot API's Chat."""
    return {"id": channel.chat_id, "title": channel.name, "type": channel.kind}
