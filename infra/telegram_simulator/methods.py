"""The Bot API's methods, each in the order in which the real server checks.

Facts: telegram-bot-api Client.cpp (process_*_query), TDLib MessagesManager.cpp and MessageContent.cpp, Bot API docs.
Differences on purpose: the text limit counts UTF-16 units (TDLib counts code points; how Telegram's servers count is
not public), plain links in a text get no entity.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

import msgspec

from infra.telegram_simulator.channels import Channel, chat_object, check_access, check_may_post, parsed_chat_id
from infra.telegram_simulator.entities import FormattedText, tidy, utf16_length
from infra.telegram_simulator.html_text import HtmlError, parse
from infra.telegram_simulator.keyboards import markup_object, read_keyboard
from infra.telegram_simulator.parameters import Parameters
from infra.telegram_simulator.record import Edit, Message
from infra.telegram_simulator.refusals import bad_request, too_many_requests

MAX_TEXT = 4096  # UTF-16 units after parsing; Bot API docs, sendMessage
MAX_RAW_BYTES = 1 << 15  # before parsing; Client.cpp, get_formatted_text
DELETABLE_SECONDS = 2 * 86400  # TDLib, can_delete_channel_message


class World(Protocol):
    """What a method may see and change; the simulator hands it in with its lock held."""

    bot_username: str

    def find_channel(self, chat_id: int) -> Channel | None: ...

    def find_message(self, chat_id: int, message_id: int) -> Message | None: ...

    def next_message_id(self, chat_id: int) -> int: ...

    def keep(self, messages: Iterable[Message]) -> None: ...

    def seconds_to_wait(self, bot_id: int, chat_id: int, paid: bool) -> int: ...


class Context(msgspec.Struct, frozen=True):
    """One call: whose, when (aware, UTC), with what."""

    world: World
    bot_id: int
    now: datetime
    parameters: Parameters


def get_me(context: Context) -> object:
    """The bot itself."""
    return {
        **_bot(context),
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
    }


def send_message(context: Context) -> object:
    """Post a text; answers with the Message."""
    parameters = context.parameters
    formatted = _formatted_text(parameters)
    keyboard = read_keyboard(parameters.text("reply_markup"))
    channel = _channel(context)
    check_may_post(channel)
    formatted = tidy(formatted)
    if not formatted.text:
        raise bad_request("Text must be non-empty")
    if utf16_length(formatted.text) > MAX_TEXT:
        raise bad_request("Message is too long")
    paid = parameters.flag("allow_paid_broadcast")
    if wait := context.world.seconds_to_wait(context.bot_id, channel.chat_id, paid):
        raise too_many_requests(wait)
    message = Message(
        chat_id=channel.chat_id,
        message_id=context.world.next_message_id(channel.chat_id),
        bot_id=context.bot_id,
        text=formatted.text,
        html=parameters.text("text"),
        sent_at=context.now,
        entities=formatted.entities,
        buttons=keyboard,
        silent=parameters.flag("disable_notification"),
    )
    context.world.keep([message])
    return message_object(channel, message)


def edit_message_text(context: Context) -> object:
    """Replace the text and the keyboard of an own post, however old; no keyboard given means none from now on."""
    parameters = context.parameters
    formatted = _formatted_text(parameters)
    keyboard = read_keyboard(parameters.text("reply_markup"))
    message_id = parameters.message_id()
    if not parameters.text("chat_id") and not message_id:
        raise bad_request("Message identifier is not specified")
    channel = _channel(context)
    message = context.world.find_message(channel.chat_id, message_id)
    if message is None:
        raise bad_request("message to edit not found")
    if message.bot_id != context.bot_id or not channel.can_post:
        raise bad_request("Message can't be edited")
    formatted = tidy(formatted)
    if not formatted.text:
        raise bad_request("Text must be non-empty")
    if utf16_length(formatted.text) > MAX_TEXT:
        raise bad_request("MESSAGE_TOO_LONG")
    if formatted == message.formatted and keyboard == message.buttons:
        raise bad_request(
            "message is not modified: specified new message content and reply markup are exactly the same as a current "
            "content and reply markup of the message"
        )
    edited = msgspec.structs.replace(
        message,
        text=formatted.text,
        html=parameters.text("text"),
        entities=formatted.entities,
        buttons=keyboard,
        edits=(*message.edits, Edit(context.now, message.text, message.html, message.buttons)),
    )
    context.world.keep([edited])
    return message_object(channel, edited)


def delete_message(context: Context) -> object:
    """Delete one post younger than 48 hours."""
    message_id = context.parameters.message_id()
    if not context.parameters.text("chat_id"):
        raise bad_request("Chat identifier is not specified")
    if not message_id:
        raise bad_request("Message identifier is not specified")
    channel = _channel(context)
    message = context.world.find_message(channel.chat_id, message_id)
    if message is None:
        raise bad_request("message to delete not found")
    _delete(context, channel, [message])
    return True


def delete_messages(context: Context) -> object:
    """Delete up to 100 posts: missing ones are skipped, one that may not be deleted fails all before any is."""
    message_ids = context.parameters.message_ids()
    channel = _channel(context)
    found = (context.world.find_message(channel.chat_id, message_id) for message_id in dict.fromkeys(message_ids))
    _delete(context, channel, [message for message in found if message is not None])
    return True


def get_chat(context: Context) -> object:
    """What the bot may know of a chat it is in."""
    return {**chat_object(_channel(context)), "accent_color_id": 0, "max_reaction_count": 11}


def get_chat_member(context: Context) -> object:
    """The bot's own membership; the simulator knows no other members."""
    user_id = context.parameters.text("user_id")
    if not (user_id.isascii() and user_id.isdigit() and int(user_id) > 0):
        raise bad_request("Invalid user_id specified")
    channel = _channel(context)
    if int(user_id) != context.bot_id:
        raise bad_request("Member not found")
    return {
        "user": _bot(context),
        "status": "administrator",
        "can_be_edited": False,
        "is_anonymous": False,
        "can_manage_chat": True,
        "can_change_info": False,
        "can_delete_messages": channel.can_delete,
        "can_edit_messages": False,
        "can_invite_users": False,
        "can_manage_video_chats": False,
        "can_post_messages": channel.can_post,
        "can_promote_members": False,
        "can_restrict_members": True,
    }


METHODS: dict[str, Callable[[Context], object]] = {
    "getme": get_me,
    "sendmessage": send_message,
    "editmessagetext": edit_message_text,
    "deletemessage": delete_message,
    "deletemessages": delete_messages,
    "getchat": get_chat,
    "getchatmember": get_chat_member,
}


def message_object(channel: Channel, message: Message) -> dict[str, object]:
    """The Bot API's Message."""
    chat = chat_object(channel)
    result: dict[str, object] = {
        "message_id": message.message_id,
        "sender_chat": chat,
        "chat": chat,
        "date": int(message.sent_at.timestamp()),
        "text": message.text,
    }
    if message.edits:
        result["edit_date"] = int(message.edits[-1].at.timestamp())
    if message.entities:
        result["entities"] = [_entity_object(e.type, e.offset, e.length, e.argument) for e in message.entities]
    if message.buttons:
        result["reply_markup"] = markup_object(message.buttons)
    return result


def _entity_object(kind: str, offset: int, length: int, argument: str) -> dict[str, object]:
    result: dict[str, object] = {"type": kind, "offset": offset, "length": length}
    field = {"text_link": "url", "pre": "language", "custom_emoji": "custom_emoji_id"}.get(kind)
    if field and argument:
        result[field] = argument
    return result


def _bot(context: Context) -> dict[str, object]:
    username = context.world.bot_username
    return {"id": context.bot_id, "is_bot": True, "first_name": username, "username": username}


def _formatted_text(parameters: Parameters) -> FormattedText:
    parameters.check_encoding()
    parameters.check_link_preview()
    text = parameters.text("text")
    if not text:
        raise bad_request("Message text is empty")
    if len(text) > MAX_RAW_BYTES or (not text.isascii() and len(text.encode()) > MAX_RAW_BYTES):
        raise bad_request("Text is too long")
    match parameters.text("parse_mode").lower():
        case "" | "none":
            return FormattedText(text)
        case "html":
            try:
                return parse(text)
            except HtmlError as reason:
                raise bad_request(f"Can't parse entities: {reason}") from None
        case _:  # Markdown exists too, but nothing here sends it
            raise bad_request("Unsupported parse_mode")


def _channel(context: Context) -> Channel:
    """The chat of the call, if the bot may act in it."""
    raw = context.parameters.text("chat_id")
    if not raw:
        raise bad_request("chat_id is empty")
    chat_id = parsed_chat_id(raw)
    channel = None if chat_id is None else context.world.find_channel(chat_id)
    if channel is None:
        raise bad_request("chat not found")
    check_access(channel)
    return channel


def _delete(context: Context, channel: Channel, messages: list[Message]) -> None:
    for message in messages:
        age_seconds = int(context.now.timestamp()) - int(message.sent_at.timestamp())
        own = message.bot_id == context.bot_id
        if age_seconds >= DELETABLE_SECONDS or not (channel.can_delete or (own and channel.can_post)):
            raise bad_request("Message can't be deleted")
    context.world.keep([msgspec.structs.replace(message, deleted_at=context.now) for message in messages])
