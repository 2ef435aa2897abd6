"""Both messages as their readers will see them, made by the code that sends them. Pure."""

from dataclasses import dataclass
from html.parser import HTMLParser

from markupsafe import Markup, escape

from shared.messages import LONGEST_TEXT, Button, CannotRender, render, utf16_length
from shared.pair import Channel, Pair

SHOWN_TAGS = {"b"}
"""What our messages are made of; anything else would be shown wrongly, so it is an error."""
LONGEST_TITLE, LONGEST_DESCRIPTION, LONGEST_DONATION = 30, 140, 256
"""Characters, as the website and its database have them."""


@dataclass(frozen=True)
class Length:
    """How long a text is, and how long it may be."""

    what: str
    length: int
    most: int

    @property
    def close(self) -> bool:
        """Near the limit, or over it."""
        return self.length > self.most * 0.93


@dataclass(frozen=True)
class Preview:
    """One message: its text and buttons, or why it cannot be made."""

    channel: Channel
    title: str
    text: Markup | None
    buttons: tuple[Button, ...]
    cannot: str | None
    lengths: tuple[Length, ...]
    missing: tuple[str, ...]
    """What is left out and could be there."""


def previews(pair: Pair, *, bot_username: str) -> tuple[Preview, Preview]:
    """The open channel's message and the closed one's."""
    return _preview(pair, Channel.OPEN, bot_username), _preview(pair, Channel.CLOSED, bot_username)


def shown(html: str) -> Markup:
    """Telegram's HTML as markup that is safe in a page: the same entities, every text escaped."""
    return Markup("").join(_read(html).parts)


def visible_text(html: str) -> str:
    """What a reader of Telegram's HTML sees, without its entities."""
    return "".join(_read(html).texts)


def _read(html: str) -> "_Reader":
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


def _preview(pair: Pair, channel: Channel, bot_username: str) -> Preview:
    lengths, missing = _about(pair, channel)
    try:
        message = render(pair, channel, bot_username=bot_username)
    except CannotRender as error:
        return Preview(channel, pair.title(channel), None, (), str(error), lengths, missing)
    whole = Length("whole message", utf16_length(visible_text(message.html)), LONGEST_TEXT)
    return Preview(channel, pair.title(channel), shown(message.html), message.buttons, None, (*lengths, whole), missing)


def _about(pair: Pair, channel: Channel) -> tuple[tuple[Length, ...], tuple[str, ...]]:
    if channel is Channel.CLOSED:
        return (Length("donation message", len(pair.closed_channel_donation_message), LONGEST_DONATION),), ()
    texts = (
        ("open channel's", pair.open_channel_title, pair.open_channel_description),
        ("closed channel's", pair.closed_channel_title, pair.closed_channel_description),
    )
    lengths = tuple(
        length
        for whose, title, description in texts
        for length in (
            Length(f"{whose} title", len(title), LONGEST_TITLE),
            Length(f"{whose} description", len(description), LONGEST_DESCRIPTION),
        )
    )
    missing = tuple(f"The {whose} description is empty." for whose, _, text in texts if not text.strip())
    unused = 3 - len(pair.tiers)
    return lengths, (*missing, *([f"{unused} of 3 subscription tiers are not used."] if unused else []))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[Markup] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in SHOWN_TAGS or attrs:
            raise ValueError(f"a message holds <{tag}>, which the preview cannot show")
        self.parts.append(Markup(f"<{tag}>"))

    def handle_endtag(self, tag: str) -> None:
        self.parts.append(Markup(f"</{tag}>"))

    def handle_data(self, data: str) -> None:
        self.parts.append(escape(data))
        self.texts.append(data)
