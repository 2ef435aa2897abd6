"""Telegram's rate limits as sliding windows over accepted messages.

Numbers: the Bot FAQ (about 30 messages a second per bot, 1 a second per chat, 20 a minute per group; channels are
treated alike by common practice) and the Bot API docs, sendMessage `allow_paid_broadcast` (1,000 a second).
Telegram's real limits are unpublished and tolerate short bursts: these are the strict reading.
"""

from collections import deque

import msgspec

_MICROSECONDS = 1_000_000


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many messages may be accepted in any interval of one second or one minute; None switches a limit off."""

    per_second: int | None = 30  # per bot
    per_chat_per_second: int | None = 1
    per_chat_per_minute: int | None = 20
    paid_per_second: int | None = 1000  # per bot, for messages sent with allow_paid_broadcast

    @classmethod
    def off(cls) -> "Limits":
        """No limit at all."""
        return cls(None, None, None, None)


class Window:
    """The last accepted moments, enough of them to decide whether one more fits.

    At most `count` moments lie in any half-open interval of `seconds`: one exactly `seconds` after the oldest fits.
    Moments are counted in whole microseconds, so that adding up fractions of a second cannot blur that boundary.
    """

    __slots__ = ("_length", "_moments")

    def __init__(self, count: int, seconds: float) -> None:
        if count < 1:
            raise ValueError(f"a limit must allow at least 1 message, not {count}; use None for no limit")
        self._moments: deque[int] = deque(maxlen=count)
        self._length = round(seconds * _MICROSECONDS)

    def wait(self, at: int) -> int:
        """Microseconds until one more fits; 0 when it does at `at`."""
        if len(self._moments) < (self._moments.maxlen or 0):
            return 0
        return max(0, self._moments[0] + self._length - at)

    def take(self, at: int) -> None:
        """Count one accepted at `at` (microseconds, never decreasing)."""
        self._moments.append(at)


class RateLimiter:
    """The windows of all bots and chats. Refused calls are not counted, as nothing was sent."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._free: dict[int, Window] = {}
        self._paid: dict[int, Window] = {}
        self._chats: dict[tuple[int, int], tuple[Window, ...]] = {}

    def accept(self, bot_id: int, chat_id: int, monotonic: float, paid: bool = False) -> int:
        """0 and the message is counted, or the whole seconds to wait (at least 1) for the strictest of its limits.

        `monotonic` is in seconds. Paid and free messages of a bot fill one and the same second.
        """
        at = round(monotonic * _MICROSECONDS)
        deciding, counting = self._windows(bot_id, chat_id, paid)
        wait = max((window.wait(at) for window in deciding), default=0)
        if wait:
            return -(-wait // _MICROSECONDS)
        for window in counting:
            window.take(at)
        return 0

    def forget(self) -> None:
        """As if nothing had been sent yet."""
        self._free.clear()
        self._paid.clear()
        self._chats.clear()

    def _windows(self, bot_id: int, chat_id: int, paid: bool) -> tuple[list[Window], list[Window]]:
        limits = self.limits
        chat = self._chats.get((bot_id, chat_id))
        if chat is None:
            pairs = ((limits.per_chat_per_second, 1.0), (limits.per_chat_per_minute, 60.0))
            chat = tuple(Window(count, seconds) for count, seconds in pairs if count is not None)
            self._chats[bot_id, chat_id] = chat
        free = _window(self._free, bot_id, limits.per_second)
        paid_window = _window(self._paid, bot_id, limits.paid_per_second)
        deciding = [*chat, *(paid_window if paid else free)]
        return deciding, [*chat, *free, *paid_window]


def _window(windows: dict[int, Window], bot_id: int, count: int | None) -> tuple[Window, ...]:
    if count is None:
        return ()
    window = windows.get(bot_id)
    if window is None:
        window = windows[bot_id] = Window(count, 1.0)
    return (window,)


class Densest:
    """The largest number of moments seen in any one second, kept up to date at constant cost."""

    def __init__(self) -> None:
        self._recent: deque[int] = deque()
        self.most = 0

    def count(self, monotonic: float) -> None:
        """One more at `monotonic` seconds."""
        at = round(monotonic * _MICROSECONDS)
        self._recent.append(at)
        while self._recent[0] <= at - _MICROSECONDS:
            self._recent.popleft()
        self.most = max(self.most, len(self._recent))
