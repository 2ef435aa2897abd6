"""The two messages of a pair: their texts and buttons, rendered from its document.

Formats other systems rely on are kept to the byte: the deep link's token and the donation button's callback data.
"""

from base64 import urlsafe_b64encode
from decimal import Decimal
from html import escape

from shared.pair import Channel, Pair, Record, Tier

LONGEST_TEXT = 4096
"""UTF-16 units of visible text; Telegram documents 4096 characters after parsing, and never counts more than these units."""
LONGEST_START = 64
"""Characters of a deep link's start parameter (Bot API, deep linking)."""
LONGEST_CALLBACK = 64
"""Bytes of callback data (Bot API, InlineKeyboardButton)."""
MEDALS = {1: "🥇", 2: "🥈", 3: "🥉"}
DONATE = "💝 Donate to Support This Channel"
EXPIRED_OFFER = "This offer has been replaced by a newer one."
EXPIRED_REQUEST = "This message has been replaced by a newer one."
LONGEST_REASON = 1000
"""Characters of a reason that a notice shows."""
ENDED_OFFER = "This offer has ended."
ENDED_REQUEST = "This message is no longer in use."


class CannotRender(ValueError):
    """Raised when a message cannot be made from the pair's data; the text is for the pair's owner."""


class Button(Record, frozen=True, kw_only=True):
    """An inline button with exactly one action."""

    text: str
    url: str | None = None
    callback_data: str | None = None


class Message(Record, frozen=True, kw_only=True):
    """What goes to Telegram: HTML for parse mode HTML, one button a row."""

    html: str
    buttons: tuple[Button, ...]


def render(pair: Pair, channel: Channel, *, bot_username: str) -> Message:
    """The pair's message for this channel. Raises CannotRender."""
    return _offer(pair, bot_username) if channel is Channel.OPEN else _request(pair)


def replaced_text(channel: Channel) -> str:
    """What a message too old to be deleted is edited down to."""
    return EXPIRED_OFFER if channel is Channel.OPEN else EXPIRED_REQUEST


def ended_text(channel: Channel) -> str:
    """What a message of an ended pair is edited down to if it is too old to be deleted."""
    return ENDED_OFFER if channel is Channel.OPEN else ENDED_REQUEST


def pause_notice(pair: Pair) -> Message:
    """What the owner of a pair is told when it was paused for its failures."""
    title, reason = escape(pair.open_channel_title), escape((pair.pause_reason or "")[:LONGEST_REASON])
    return Message(
        html=f"<b>{title}</b> is paused: {reason}\n\nMend the cause, then resume it on the dashboard.", buttons=()
    )


def start_token(open_channel_id: int, tier: Tier) -> str:
    """The deep link's token `<base64>_<price>_<days>`.

    URL-safe base64 of the id with its padding kept, since the payment bot decodes strictly; the price with `d` for the point and
    at least one decimal (5.00 → `5d0`, 9.99 → `9d99`). Raises CannotRender if it is too long.
    """
    hashed = urlsafe_b64encode(str(open_channel_id).encode()).decode()
    token = f"{hashed}_{_token_price(tier.price)}_{tier.days}"
    if len(token) > LONGEST_START:
        raise CannotRender(f"Tier {tier.number}: its link would be longer than Telegram allows; check price and days.")
    return token


def donation_callback(open_channel_id: int) -> str:
    """The donation button's data: the *open* channel's id, though the button stands in the closed one. Raises CannotRender."""
    data = f"donate_start_{open_channel_id}"
    if len(data.encode()) > LONGEST_CALLBACK:
        raise CannotRender(f"The open channel's id {open_channel_id} is too long for the donation button.")
    return data


def utf16_length(text: str) -> int:
    """Length in UTF-16 code units, which is how Telegram counts entities: an emoji outside the basic plane is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _offer(pair: Pair, bot_username: str) -> Message:
    if not pair.tiers:
        raise CannotRender("The pair has no subscription tier with a price and a number of days; add at least one.")
    open_name = _named(pair.open_channel_title, pair.open_channel_description, "open")
    closed_name = _named(pair.closed_channel_title, pair.closed_channel_description, "closed")
    visible = f"Hello, welcome to {open_name}\n\nChoose your Subscription Tier to gain access to {closed_name}."
    _check_length(visible, "offer")
    html = (
        f"Hello, welcome to <b>{escape(open_name)}</b>\n\n"
        f"Choose your Subscription Tier to gain access to <b>{escape(closed_name)}</b>."
    )
    buttons = tuple(
        Button(
            text=f"{MEDALS[tier.number]} ${_two_decimals(tier)} for {tier.days} days",
            url=f"https://t.me/{bot_username}?start={start_token(pair.open_channel_id, tier)}",
        )
        for tier in pair.tiers
    )
    return Message(html=html, buttons=buttons)


def _request(pair: Pair) -> Message:
    wish = pair.closed_channel_donation_message.strip()
    if not wish:
        raise CannotRender("The donation message of the closed channel is empty; write one.")
    _check_length(f"Enjoying the content? Consider making a donation.\n{wish}", "donation request")
    html = f"Enjoying the content? Consider making a donation.\n<b>{escape(wish)}</b>"
    return Message(html=html, buttons=(Button(text=DONATE, callback_data=donation_callback(pair.open_channel_id)),))


def _named(title: str, description: str, which: str) -> str:
    title, description = title.strip(), description.strip()
    if not title:
        raise CannotRender(f"The {which} channel has no title; give it one.")
    return f"{title}: {description}" if description else title


def _check_length(visible: str, what: str) -> None:
    length = utf16_length(visible)
    if length > LONGEST_TEXT:
        raise CannotRender(
            f"The {what} is {length} characters long and Telegram takes at most {LONGEST_TEXT}; shorten its texts."
        )


def _two_decimals(tier: Tier) -> str:
    if not tier.price.is_finite() or tier.price <= 0 or tier.days <= 0:
        raise CannotRender(f"Tier {tier.number}: price and days must be above zero.")
    return f"{tier.price:.2f}"


def _token_price(price: Decimal) -> str:
    whole, _, decimals = f"{price:.2f}".partition(".")
    return f"{whole}d{decimals[:1]}{decimals[1:].rstrip('0')}"
