"""What the simulated Telegram holds: channels, their messages with everything that became of them, and every call."""

import zlib
from collections import OrderedDict, deque
from collections.abc import Iterable
from datetime import datetime

import msgspec

from infra.telegram_simulator.channels import Channel
from infra.telegram_simulator.entities import Entity, FormattedText
from infra.telegram_simulator.keyboards import Keyboard
from infra.telegram_simulator.limits import Densest


class Edit(msgspec.Struct, frozen=True):
    """One change of a message: when, and what it replaced."""

    at: datetime
    replaced_text: str
    replaced_html: str
    replaced_buttons: Keyboard = ()


class Message(msgspec.Struct, frozen=True):
    """One accepted message. `html` is the text as it was sent, `text` what a reader sees; times are aware, in UTC."""

    chat_id: int
    message_id: int
    bot_id: int  # 0: a person wrote it
    text: str
    html: str
    sent_at: datetime
    entities: tuple[Entity, ...] = ()
    buttons: Keyboard = ()
    silent: bool = False
    deleted_at: datetime | None = None
    edits: tuple[Edit, ...] = ()

    @property
    def formatted(self) -> FormattedText:
        """The visible text with its formatting."""
        return FormattedText(self.text, self.entities)


class Call(msgspec.Struct, frozen=True):
    """One call as it arrived, refused ones included. `status` 0: no answer was given. No token is kept."""

    at: datetime
    monotonic: float
    bot_id: int
    method: str
    chat_id: int | None
    status: int
    accepted: bool
    message_id: int | None = None
    description: str = ""


class Summary(msgspec.Struct, frozen=True):
    """Figures since the start or the last reset; the two `_monotonic` ones are seconds of the simulator's clock."""

    channels: int
    messages: int
    visible: int
    calls: int
    accepted: int
    refused: dict[int, int]
    too_many_requests: int
    max_in_any_second: int
    first_accepted: datetime | None
    last_accepted: datetime | None
    first_accepted_monotonic: float | None
    last_accepted_monotonic: float | None


class _Chat:
    __slots__ = ("channel", "messages", "next_id", "visible")

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.next_id = _first_id(channel.chat_id)
        self.messages: dict[int, Message] = {}
        self.visible: dict[int, Message] = {}


class _Figures:
    def __init__(self, keep_calls: int | None) -> None:
        self.calls: deque[Call] = deque(maxlen=keep_calls)
        self.calls_seen = 0
        self.accepted = 0
        self.refused: dict[int, int] = {}
        self.densest = Densest()
        self.first: tuple[datetime, float] | None = None
        self.last: tuple[datetime, float] | None = None


def _first_id(chat_id: int) -> int:
    """Where a chat's ids begin: looks random, is the same in every run, differs between chats. Never 1, which
    Telegram gives to a channel's creation."""
    return 2 + zlib.crc32(str(chat_id).encode()) % 9000


class Record:
    """Everything in memory. Not thread-safe: the simulator holds a lock around it."""

    def __init__(self, keep_calls: int | None) -> None:
        self._chats: OrderedDict[int, _Chat] = OrderedDict()  # the most recently active last
        self._keep_calls = keep_calls
        self._figures = _Figures(keep_calls)

    def add_channel(self, channel: Channel) -> None:
        """Register a chat, or replace what is known of it; its messages stay."""
        chat = self._chats.get(channel.chat_id)
        if chat is None:
            self._chats[channel.chat_id] = _Chat(channel)
            self._chats.move_to_end(channel.chat_id, last=False)  # not active yet
        else:
            chat.channel = channel

    def channel(self, chat_id: int) -> Channel | None:
        """The chat of that id, if there is one."""
        chat = self._chats.get(chat_id)
        return chat.channel if chat else None

    def channels(self, most_recent: int | None = None) -> list[Channel]:
        """All chats, or the most recently active ones; the most recent first."""
        return [self._chats[chat_id].channel for chat_id in _last(self._chats, most_recent)]

    def next_message_id(self, chat_id: int) -> int:
        """The id the chat's next message gets; asking does not use it up."""
        return self._chats[chat_id].next_id

    def put(self, message: Message) -> None:
        """Store a new or changed message."""
        chat = self._chats[message.chat_id]
        chat.messages[message.message_id] = message
        if message.deleted_at is None:
            chat.visible[message.message_id] = message
        else:
            chat.visible.pop(message.message_id, None)
        chat.next_id = max(chat.next_id, message.message_id + 1)
        self._chats.move_to_end(message.chat_id)

    def visible_message(self, chat_id: int, message_id: int) -> Message | None:
        """The message, if it exists and was not deleted."""
        return self._chats[chat_id].visible.get(message_id)

    def messages(self, chat_id: int) -> list[Message]:
        """Every message ever accepted in the chat, deleted ones too, oldest first."""
        chat = self._chats.get(chat_id)
        return list(chat.messages.values()) if chat else []

    def visible(self, chat_id: int) -> list[Message]:
        """What stands in the chat now, oldest first."""
        chat = self._chats.get(chat_id)
        return list(chat.visible.values()) if chat else []

    def note_call(self, call: Call) -> None:
        """Remember a call and keep the figures."""
        figures = self._figures
        figures.calls.append(call)
        figures.calls_seen += 1
        if not call.accepted and call.status != 200:
            figures.refused[call.status] = figures.refused.get(call.status, 0) + 1

    def note_accepted(self, at: datetime, monotonic: float) -> None:
        """Keep the figures of an accepted sendMessage."""
        figures = self._figures
        figures.accepted += 1
        figures.densest.count(monotonic)
        figures.first = figures.first or (at, monotonic)
        figures.last = (at, monotonic)

    @property
    def calls(self) -> list[Call]:
        """The calls so far, as many as are kept."""
        return list(self._figures.calls)

    @property
    def accepted(self) -> int:
        """How many sendMessage calls were accepted."""
        return self._figures.accepted

    def summary(self) -> Summary:
        """The figures now."""
        figures = self._figures
        first, last = figures.first or (None, None), figures.last or (None, None)
        return Summary(
            channels=len(self._chats),
            messages=sum(len(chat.messages) for chat in self._chats.values()),
            visible=sum(len(chat.visible) for chat in self._chats.values()),
            calls=figures.calls_seen,
            accepted=figures.accepted,
            refused=dict(figures.refused),
            too_many_requests=figures.refused.get(429, 0),
            max_in_any_second=figures.densest.most,
            first_accepted=first[0],
            last_accepted=last[0],
            first_accepted_monotonic=first[1],
            last_accepted_monotonic=last[1],
        )

    def forget_messages(self) -> None:
        """Empty every chat and start the figures anew; the chats stay."""
        for chat_id, chat in self._chats.items():
            self._chats[chat_id] = _Chat(chat.channel)
        self._figures = _Figures(self._keep_calls)

    def forget_channels(self) -> None:
        """Forget the chats too."""
        self._chats.clear()
        self._figures = _Figures(self._keep_calls)


def _last(chats: OrderedDict[int, _Chat], count: int | None) -> Iterable[int]:
    newest_first = reversed(chats)
    return newest_first if count is None else (chat_id for chat_id, _ in zip(newest_first, range(count), strict=False))
