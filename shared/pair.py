"""The pair, its runs and their deliveries: frozen records, and what can be derived from them.

A pair's document holds everything that must change together. Field names are those of the tables `main_clients_database`
and `broadcast_manager` that people and other programs already know.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, TypeVar
from uuid import UUID, uuid5

import msgspec

R = TypeVar("R", bound=msgspec.Struct)
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time in a record or an event; one without a zone is refused when it is read, for nobody can say when it is."""


class Channel(StrEnum):
    """Which of the pair's two channels."""

    OPEN = "open"
    CLOSED = "closed"


class DeliveryState(StrEnum):
    """Where one message is."""

    QUEUED = "queued"
    """An event is on its way, or will be published again at `until`."""
    SENDING = "sending"
    """A process is inside the call to Telegram, or died there; after `until` it counts as dead."""
    SENT = "sent"
    """Telegram has exactly one such message; its id is stored."""
    FAILED = "failed"
    """Telegram has none: it was refused."""
    CANCELLED = "cancelled"
    """Telegram has none, and it is nobody's failure: paused, ended, overtaken."""
    UNCONFIRMED = "unconfirmed"
    """Telegram has at most one; nobody knows. Never sent again blindly."""


UNSETTLED = frozenset({DeliveryState.QUEUED, DeliveryState.SENDING})


class Fault(StrEnum):
    """Whose fault a refusal is; only the pair's own count towards its pause."""

    PAIR = "pair"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """Why a run began."""

    SCHEDULE = "schedule"
    RETRY = "retry"
    MANUAL = "manual"


class Verdict(StrEnum):
    """What a finished run counts as; NEITHER moves no counter but the total."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEITHER = "neither"


class BroadcastStatus(StrEnum):
    """The five words exports and the website know."""

    PENDING = "pending"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class PairState(StrEnum):
    """The finer words, for people."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    PARTLY_SENT = "partly sent"
    UNCONFIRMED = "unconfirmed"
    FAILED = "failed"
    PAUSED = "paused"
    ENDED = "ended"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all stored records: frozen, fields named at construction."""


class Delivery(Record, frozen=True, kw_only=True):
    """One message of a run to one chat. `until` is set exactly while the delivery is unsettled."""

    state: DeliveryState
    chat: int
    until: Moment | None = None
    attempt_id: str | None = None
    started_at: Moment | None = None
    tries: int = 0
    message_id: int | None = None
    sent_at: Moment | None = None
    error: str | None = None
    fault: Fault | None = None
    migrated: bool = False

    @property
    def unsettled(self) -> bool:
        return self.state in UNSETTLED


class Undo(Record, frozen=True, kw_only=True):
    """What a manual trigger changed, kept so that it can be taken back if its run cannot be published."""

    trigger_id: str
    began: bool
    """False if the trigger took up a run that was stuck: then only the cooldown is given back."""
    revision: int
    """The run's revision then: while it is the same, nothing has become of the trigger."""
    last_manual_trigger_time: Moment | None
    next_send_time: Moment | None
    retry_at: Moment | None
    retry_number: int


class Run(Record, frozen=True, kw_only=True):
    """One sending-out of both messages. `revision` grows with each change after the claim, so that history keeps the newest."""

    run_id: str
    cause: Cause
    due_at: Moment
    claimed_at: Moment
    open: Delivery
    closed: Delivery
    by: str | None = None
    retry: int = 0
    finished_at: Moment | None = None
    revision: int = 0
    undo: Undo | None = None

    def delivery(self, channel: Channel) -> Delivery:
        return self.open if channel is Channel.OPEN else self.closed

    def deliveries(self) -> Iterator[tuple[Channel, Delivery]]:
        yield Channel.OPEN, self.open
        yield Channel.CLOSED, self.closed

    def evolve(self, change: Callable[[Channel, Delivery], Delivery]) -> "Run":
        """The run with each delivery passed through `change`; the same object when nothing changed."""
        open_, closed = change(Channel.OPEN, self.open), change(Channel.CLOSED, self.closed)
        if open_ == self.open and closed == self.closed:
            return self
        return replace(self, open=open_, closed=closed, revision=self.revision + 1)

    @property
    def unsettled(self) -> bool:
        return self.open.unsettled or self.closed.unsettled

    @property
    def verdict(self) -> Verdict:
        """Success is both messages sent; failure needs a refusal that is the pair's own."""
        both = (self.open, self.closed)
        if all(d.state is DeliveryState.SENT for d in both):
            return Verdict.SUCCESS
        if any(d.state is DeliveryState.FAILED and d.fault is Fault.PAIR for d in both):
            return Verdict.FAILURE
        return Verdict.NEITHER


class Live(Record, frozen=True, kw_only=True):
    """The message that stands in a channel now."""

    chat: int
    message_id: int
    sent_at: Moment


class Replaced(Record, frozen=True, kw_only=True):
    """A message to be deleted; named in two deletions running, then forgotten, for a success is not written down."""

    chat: int
    message_id: int
    sent_at: Moment
    named: int = 0
    error: str | None = None


class TakeDown(Record, frozen=True, kw_only=True):
    """The wish that an ended pair's messages leave their channels; unlike a replacement's, its success is written down."""

    at: Moment | None
    """When somebody must next see to it; None once it is done or given up."""
    tries: int = 0
    attempt_id: str | None = None


class Schedule(Record, frozen=True, kw_only=True):
    """When a pair's broadcasts begin. All empty: the engine's default interval.

    `interval_hours` counts from the previous due time; `cron` (five fields) follows the wall clock of `time_zone`, an IANA name.
    """

    interval_hours: float | None = None
    cron: str | None = None
    time_zone: str = "UTC"


class Tier(Record, frozen=True, kw_only=True):
    """One subscription offer."""

    number: int
    price: Decimal
    days: int


class Pair(Record, frozen=True, kw_only=True):
    """One open and one closed channel with their texts, tiers, schedule and state. Times are aware and in UTC."""

    v: int = 1
    id: str
    client_id: str
    created_by: str | None = None

    open_channel_id: int
    closed_channel_id: int
    open_chat_id: int
    closed_chat_id: int
    open_channel_title: str
    open_channel_description: str = ""
    closed_channel_title: str
    closed_channel_description: str = ""
    closed_channel_donation_message: str
    sub_1_price: Decimal | None = None
    sub_1_time: int | None = None
    sub_2_price: Decimal | None = None
    sub_2_time: int | None = None
    sub_3_price: Decimal | None = None
    sub_3_time: int | None = None
    notification_status: bool = False
    notification_id: int | None = None

    schedule: Schedule = Schedule()
    next_send_time: Moment | None = None
    retry_at: Moment | None = None
    retry_number: int = 0
    is_active: bool = True
    paused_at: Moment | None = None
    pause_reason: str | None = None
    ended_at: Moment | None = None
    expire_at: Moment | None = None
    take_down: TakeDown | None = None

    run: Run | None = None
    last_broadcast: Run | None = None

    last_sent_time: Moment | None = None
    last_manual_trigger_time: Moment | None = None
    manual_trigger_count: int = 0
    total_broadcasts: int = 0
    successful_broadcasts: int = 0
    failed_broadcasts: int = 0
    consecutive_failures: int = 0
    last_error_message: str | None = None
    last_error_time: Moment | None = None

    open_live: Live | None = None
    closed_live: Live | None = None
    open_replaced: tuple[Replaced, ...] = ()
    closed_replaced: tuple[Replaced, ...] = ()

    created_at: Moment
    updated_at: Moment

    def chat(self, channel: Channel) -> int:
        return self.open_chat_id if channel is Channel.OPEN else self.closed_chat_id

    def title(self, channel: Channel) -> str:
        return self.open_channel_title if channel is Channel.OPEN else self.closed_channel_title

    def live(self, channel: Channel) -> Live | None:
        return self.open_live if channel is Channel.OPEN else self.closed_live

    def replaced(self, channel: Channel) -> tuple[Replaced, ...]:
        return self.open_replaced if channel is Channel.OPEN else self.closed_replaced

    @property
    def tiers(self) -> tuple[Tier, ...]:
        """The offers that have both a price and a time, in order."""
        stored = (
            (1, self.sub_1_price, self.sub_1_time),
            (2, self.sub_2_price, self.sub_2_time),
            (3, self.sub_3_price, self.sub_3_time),
        )
        return tuple(Tier(number=n, price=p, days=d) for n, p, d in stored if p is not None and d is not None)

    @property
    def wake_at(self) -> datetime | None:
        """When somebody must next look at the pair; due means `wake_at <= now` and nothing else."""
        if self.run is not None:
            return min((d.until for _, d in self.run.deliveries() if d.until is not None), default=None)
        if not self.is_active:
            return None if self.take_down is None else self.take_down.at
        return min((t for t in (self.next_send_time, self.retry_at) if t is not None), default=None)

    @property
    def attempted_at(self) -> datetime | None:
        """When the last call to Telegram for one of its messages began."""
        return max([at for at, _ in self._tried()], default=None)

    @property
    def refused_at(self) -> datetime | None:
        """When the last call began that Telegram refused for the pair's own sake; None once its message was posted after all."""
        refused = [at for at, d in self._tried() if d.state is DeliveryState.FAILED and d.fault is Fault.PAIR]
        return max(refused, default=None)

    def _tried(self) -> list[tuple[datetime, Delivery]]:
        """Messages of the current and the last run whose call began, and when."""
        runs = [run for run in (self.run, self.last_broadcast) if run is not None]
        deliveries = [delivery for run in runs for delivery in (run.open, run.closed)]
        return [(d.started_at, d) for d in deliveries if d.started_at is not None]

    @property
    def broadcast_status(self) -> BroadcastStatus:
        """For people and exports; it decides nothing."""
        if self.run is not None:
            return BroadcastStatus.IN_PROGRESS
        if self.last_broadcast is None:
            return BroadcastStatus.PENDING
        states = {d.state for _, d in self.last_broadcast.deliveries()}
        if states == {DeliveryState.SENT}:
            return BroadcastStatus.COMPLETED
        if states & {DeliveryState.FAILED, DeliveryState.UNCONFIRMED}:
            return BroadcastStatus.FAILED
        return BroadcastStatus.SKIPPED

    @property
    def state(self) -> PairState:
        """One word for the owner, the finest that is true."""
        if self.ended_at is not None:
            return PairState.ENDED
        if self.run is not None:
            begun = any(d.tries > 0 for _, d in self.run.deliveries())
            return PairState.SENDING if begun else PairState.QUEUED
        if not self.is_active:
            return PairState.PAUSED
        if self.last_broadcast is None:
            return PairState.SCHEDULED
        states = {d.state for _, d in self.last_broadcast.deliveries()}
        if DeliveryState.UNCONFIRMED in states:
            return PairState.UNCONFIRMED
        if states == {DeliveryState.SENT}:
            return PairState.SENT
        if DeliveryState.SENT in states:
            return PairState.PARTLY_SENT
        return PairState.FAILED if DeliveryState.FAILED in states else PairState.SCHEDULED


class HistoryEntry(Record, frozen=True, kw_only=True):
    """A finished run, stored under its `run_id`."""

    v: int = 1
    pair_id: str
    run: Run
    expire_at: Moment


def replace(record: R, **changes: Any) -> R:
    """The record with these fields changed."""
    return msgspec.structs.replace(record, **changes)


def channel_fields(channel: Channel, **changes: Any) -> dict[str, Any]:
    """Field names of a pair for one of its channels: `channel_fields(OPEN, live=x)` is `{"open_live": x}`."""
    return {f"{channel.value}_{name}": value for name, value in changes.items()}


_PAIRS = UUID("4f1d5b66-6f0b-5d2c-9f3e-7a1c2b8d9e10")


def new_pair_id(open_channel_id: int, *, after: str | None = None) -> str:
    """A new pair's id: the UUIDv5 of its open channel's id, so that two creators of one pair collide.

    `after` is the id of the ended pair that had the channel before: a new pair is never mistaken for it.
    """
    return str(uuid5(_PAIRS, str(open_channel_id) if after is None else f"{open_channel_id} after {after}"))
