"""Inline keyboards: the strict reading of the `reply_markup` parameter.

Facts: telegram-bot-api Client.cpp (get_reply_markup, get_inline_keyboard_button_type), TDLib ReplyMarkup.cpp, the Bot
API docs (InlineKeyboardButton: exactly one action, callback_data 1-64 bytes, copy_text 1-256 characters).
Stricter than Telegram in three places, so that a mistake shows in a test and not on a phone: a row holds 8 buttons and
a keyboard 100 (python-telegram-bot's InlineKeyboardMarkupLimit; TDLib silently drops what is beyond 12 and 300), a
button without text is refused (TDLib drops it), and so is one with two actions (TDLib takes the first).
"""

from typing import Any

import msgspec

from infra.telegram_simulator.links import BadLink, checked_link, is_user_link
from infra.telegram_simulator.refusals import Refused, bad_request

MAX_PER_ROW = 8
MAX_BUTTONS = 100
_ACTIONS = frozenset({
    "url", "callback_data", "callback_game", "pay", "switch_inline_query", "switch_inline_query_chosen_chat",
    "switch_inline_query_current_chat", "login_url", "web_app", "copy_text",
})  # fmt: skip


class Button(msgspec.Struct, frozen=True, omit_defaults=True):
    """One button: its text and its one action."""

    text: str
    url: str | None = None
    callback_data: str | None = None
    copy_text: str | None = None

    def as_json(self) -> dict[str, object]:
        """The Bot API's InlineKeyboardButton."""
        if self.url is not None:
            return {"text": self.text, "url": self.url}
        if self.callback_data is not None:
            return {"text": self.text, "callback_data": self.callback_data}
        return {"text": self.text, "copy_text": {"text": self.copy_text}}


Keyboard = tuple[tuple[Button, ...], ...]


def read_keyboard(raw: str) -> Keyboard:
    """The keyboard in a `reply_markup`; () for none. Raises Refused with Telegram's words."""
    if not raw:
        return ()
    try:
        value = msgspec.json.decode(raw.encode())
    except msgspec.DecodeError:
        raise bad_request("Can't parse reply keyboard markup JSON object") from None
    if not isinstance(value, dict):
        raise bad_request("Object expected as reply markup")
    if value.get("keyboard") or value.get("force_reply") or value.get("remove_keyboard"):
        raise bad_request("REPLY_MARKUP_INVALID")  # a channel post takes nothing but an inline keyboard
    rows = value.get("inline_keyboard")
    if rows is None:
        return ()
    if not isinstance(rows, list):
        raise bad_request('Field "inline_keyboard" must be of type Array')
    if not all(isinstance(row, list) for row in rows):
        raise bad_request('Field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays')
    if any(len(row) > MAX_PER_ROW for row in rows) or sum(map(len, rows)) > MAX_BUTTONS:
        raise bad_request("Reply markup is too long")
    keyboard = (tuple(_button(button) for button in row) for row in rows)
    return tuple(row for row in keyboard if row)


def markup_object(keyboard: Keyboard) -> dict[str, object]:
    """The Bot API's InlineKeyboardMarkup."""
    return {"inline_keyboard": [[button.as_json() for button in row] for row in keyboard]}


def _button(value: Any) -> Button:
    if not isinstance(value, dict):
        raise _unparsable("InlineKeyboardButton must be an Object")
    if "text" not in value:
        raise _unparsable('Can\'t find field "text"')
    text = _string(value, "text")
    # Telegram takes an empty url or callback_data for an absent one.
    actions = [name for name in value if name in _ACTIONS and value[name] not in (None, "", False)]
    if not actions:
        raise _unparsable("Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        raise bad_request("BUTTON_TYPE_INVALID")
    if not text.strip(" \n"):
        raise bad_request("Inline keyboard button text must be non-empty")
    return _with_action(text, actions[0], value)


def _with_action(text: str, action: str, value: dict[str, Any]) -> Button:
    match action:
        case "url":
            url = _string(value, "url")
            if is_user_link(url):
                return Button(text, url=url)
            try:
                return Button(text, url=checked_link(url))
            except BadLink as reason:
                raise bad_request(f"Inline keyboard button URL '{url}' is invalid: {reason}") from None
        case "callback_data":
            data = _string(value, "callback_data")
            if len(data.encode()) > 64:
                raise bad_request("BUTTON_DATA_INVALID")
            return Button(text, callback_data=data)
        case "copy_text":
            copied = value["copy_text"]
            if not isinstance(copied, dict) or not isinstance(copied.get("text"), str):
                raise _unparsable('Field "copy_text" must be of type Object')
            if not 1 <= len(copied["text"]) <= 256:
                raise bad_request("BUTTON_COPY_TEXT_INVALID")
            return Button(text, copy_text=copied["text"])
        case "switch_inline_query" | "switch_inline_query_chosen_chat" | "switch_inline_query_current_chat":
            current = action == "switch_inline_query_current_chat"
            raise bad_request(
                f"Can't use {action if current else 'switch_inline_query'} button in a channel chat, because users "
                "will not be able to use the button without knowing bot's username"
            )
        case "login_url":
            raise bad_request("BOT_DOMAIN_INVALID")  # no domain is linked with a simulated bot
        case _:
            raise bad_request("BUTTON_TYPE_INVALID")  # games, payments and web apps do not work in channels


def _string(value: dict[str, Any], field: str) -> str:
    content = value[field]
    if isinstance(content, str):
        return content
    if isinstance(content, int | float) and not isinstance(content, bool):
        return str(content)  # TDLib's get_optional_string_field takes numbers too
    raise _unparsable(f'Field "{field}" must be of type String')


def _unparsable(reason: str) -> Refused:
    return bad_request(f"Can't parse inline keyboard button: {reason}")
