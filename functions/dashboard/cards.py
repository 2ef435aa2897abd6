"""What a page says of a pair: how it stands in a word, what is wrong and what to do, whether *Resend* may be pressed. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.advice import advice, advice_on
from shared.messages import CannotRender, render
from shared.owner import cooldown_until
from shared.pair import UNSETTLED, Channel, Delivery, DeliveryState, Pair, PairState, Run
from shared.runs import FAILURES_BEFORE_PAUSE, Policy

NOT_CONFIGURED = "not configured"
"""Beside the words of `PairState`: a pair whose messages cannot be made."""
BUSY = {PairState.QUEUED, PairState.SENDING}
_CHANNEL_OF_SUPERGROUPS = "-100"


class Press(StrEnum):
    """What the button *Resend* is."""

    READY = "ready"
    WAITING = "waiting"
    SENDING = "sending"
    NOT_CONFIGURED = "not configured"
    PAUSED = "paused"


@dataclass(frozen=True)
class Trouble:
    """A message that was not sent, or perhaps not: Telegram's words for it, and what to do."""

    words: str
    advice: str


@dataclass(frozen=True)
class Side:
    """One of the two channels, and its message in the latest broadcast."""

    channel: Channel
    title: str
    chat: int
    message: DeliveryState | None
    trouble: Trouble | None
    standing: str | None
    """Where the message that stands there now can be seen."""
    standing_since: datetime | None


@dataclass(frozen=True)
class Card:
    """A pair as its owner sees it. Holds nothing that changes by the passing of time alone, but for `press`."""

    id: str
    state: str
    busy: bool
    active: bool
    open: Side
    closed: Side
    press: Press
    ready_at: datetime | None
    """When *Resend* may be pressed again; while the cooldown runs."""
    last_sent_time: datetime | None
    next_time: datetime | None
    retrying: bool
    """The next time is that of a retry."""
    failures: int
    sent: int
    failed: int
    total: int
    pause_reason: str | None
    cannot: str | None
    """Why the messages cannot be made."""
    trouble: Trouble | None
    """What is wrong with both messages, or the last error where no message of the latest broadcast shows it."""

    @property
    def most_failures(self) -> int:
        return FAILURES_BEFORE_PAUSE

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.open, self.closed

    @property
    def replaces(self) -> datetime | None:
        """Since when the messages stand that the next broadcast replaces, the older one; None if there are none."""
        return min((side.standing_since for side in self.sides if side.standing_since is not None), default=None)


def card(pair: Pair, *, now: datetime, policy: Policy, bot_username: str) -> Card:
    """The pair at this time."""
    cannot = _cannot(pair, bot_username)
    latest = pair.run or pair.last_broadcast
    open_, closed = (_side(pair, channel, latest, cannot) for channel in Channel)
    said = cannot is not None or open_.trouble is not None or closed.trouble is not None
    trouble = None if said else _earlier(pair)
    if open_.trouble is not None and open_.trouble == closed.trouble:
        trouble = open_.trouble
        open_, closed = replace(open_, trouble=None), replace(closed, trouble=None)
    ready_at = cooldown_until(pair, now=now, policy=policy)
    retrying = pair.retry_at is not None and (pair.next_send_time is None or pair.retry_at < pair.next_send_time)
    return Card(
        id=pair.id,
        state=_state(pair, cannot),
        busy=pair.state in BUSY,
        active=pair.is_active,
        open=open_,
        closed=closed,
        press=_press(pair, ready_at, cannot),
        ready_at=ready_at,
        last_sent_time=pair.last_sent_time,
        next_time=(pair.retry_at if retrying else pair.next_send_time) if pair.is_active else None,
        retrying=retrying,
        failures=pair.consecutive_failures,
        sent=pair.successful_broadcasts,
        failed=pair.failed_broadcasts,
        total=pair.total_broadcasts,
        pause_reason=_pause_reason(pair, said=said or trouble is not None),
        cannot=cannot,
        trouble=trouble,
    )


def message_link(chat: int, message_id: int) -> str | None:
    """Where a member of the channel sees the message; None for a chat that has no such links."""
    text = str(chat)
    if not text.startswith(_CHANNEL_OF_SUPERGROUPS):
        return None
    return f"https://t.me/c/{text.removeprefix(_CHANNEL_OF_SUPERGROUPS)}/{message_id}"


def trouble_of(delivery: Delivery) -> Trouble | None:
    """What is wrong with a message, if something is."""
    words = advice(delivery.state, delivery.error)
    return Trouble(delivery.error or "nobody knows whether it was posted", words) if words else None


def _cannot(pair: Pair, bot_username: str) -> str | None:
    try:
        for channel in Channel:
            render(pair, channel, bot_username=bot_username)
    except CannotRender as error:
        return str(error)
    return None


def _state(pair: Pair, cannot: str | None) -> str:
    decided = pair.state in BUSY or not pair.is_active
    return pair.state.value if decided or cannot is None else NOT_CONFIGURED


def _press(pair: Pair, ready_at: datetime | None, cannot: str | None) -> Press:
    if pair.run is not None:
        return Press.SENDING
    if not pair.is_active:
        return Press.PAUSED
    if ready_at is not None:
        return Press.WAITING
    return Press.READY if cannot is None else Press.NOT_CONFIGURED


def _side(pair: Pair, channel: Channel, latest: Run | None, cannot: str | None) -> Side:
    delivery = None if latest is None else latest.delivery(channel)
    live = pair.live(channel)
    trouble = None if delivery is None or delivery.state in UNSETTLED else trouble_of(delivery)
    return Side(
        channel=channel,
        title=pair.title(channel),
        chat=pair.chat(channel),
        message=None if delivery is None else delivery.state,
        trouble=None if trouble is not None and trouble.words == cannot else trouble,
        standing=None if live is None else message_link(live.chat, live.message_id),
        standing_since=None if live is None else live.sent_at,
    )


def _earlier(pair: Pair) -> Trouble | None:
    """The last error of a pair that fails: `Open channel: …; Closed channel: …`; what to do is about the first of them."""
    words = pair.last_error_message
    if not words or not pair.consecutive_failures:
        return None
    first = words.split("; Closed channel: ")[0]
    return Trouble(words, advice_on(first.removeprefix("Open channel: ").removeprefix("Closed channel: ")))


def _pause_reason(pair: Pair, *, said: bool) -> str | None:
    """Why it is paused; without the errors where these are said already."""
    reason = pair.pause_reason
    return reason if reason is None or not said else reason.removesuffix(f": {pair.last_error_message}")
