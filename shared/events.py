"""The events: they say only *which*; the truth is in the document.

Each travels as the JSON data of one Pub/Sub message. They carry a version: an older one would be brought up to date here when it
is read, a newer one is refused with a sentence, and the queue keeps it until this code is brought up to date.
"""

from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, TypeVar

import msgspec

from shared.pair import Channel, Moment, Record


class Topic(StrEnum):
    """Where an event is published; one function consumes each."""

    TICKS = "ticks"
    BROADCASTS = "broadcasts"
    MESSAGES = "messages"


class Event(Record, frozen=True, kw_only=True):
    """Base of the three events."""

    topic: ClassVar[Topic]
    age_limit: ClassVar[timedelta]
    """An older event is acknowledged unseen; what it was about is found again through the document."""

    v: int = 1


class TickEvent(Event, frozen=True, kw_only=True):
    """Look for what is due. Cloud Scheduler publishes it, with nothing in it."""

    topic: ClassVar[Topic] = Topic.TICKS
    age_limit: ClassVar[timedelta] = timedelta(seconds=90)


class BroadcastEvent(Event, frozen=True, kw_only=True):
    """A run was begun or taken up: fan its messages out, each with its slot. `probe` tests whether the gate may open.

    A `forgiven` one is the probe of a gate that is closed for refusals: another refusal is not its pair's own failure.
    With `take_down` the pair has ended and its messages are to go; `run_id` then only names the attempt in the logs.
    """

    topic: ClassVar[Topic] = Topic.BROADCASTS
    age_limit: ClassVar[timedelta] = timedelta(hours=1)

    pair_id: str
    run_id: str
    slots: dict[Channel, Moment]
    probe: bool = False
    take_down: bool = False
    forgiven: bool = False


class MessageEvent(Event, frozen=True, kw_only=True):
    """One message of a run may leave at `slot`; with `take_down`, what stands in the channel of an ended pair may go then."""

    topic: ClassVar[Topic] = Topic.MESSAGES
    age_limit: ClassVar[timedelta] = timedelta(hours=1)

    pair_id: str
    run_id: str
    channel: Channel
    slot: Moment
    probe: bool = False
    take_down: bool = False
    forgiven: bool = False


class Malformed(ValueError):
    """Raised when an event's data cannot be understood; sending it again would not help."""


class NewerEvent(RuntimeError):
    """Raised when an event was written by a newer version of this code; it must wait for that version."""


E = TypeVar("E", bound=Event)


def encode(event: Event) -> bytes:
    """The event as the data of a Pub/Sub message."""
    return msgspec.json.encode(event)


def decode(kind: type[E], data: bytes) -> E:
    """The event in a Pub/Sub message's data; no data at all is an event with nothing in it.

    Raises Malformed, or NewerEvent.
    """
    data = data.strip() or b"{}"
    try:
        version = msgspec.json.decode(data, type=Event).v
        if version > 1:
            raise NewerEvent(
                f"a {kind.__name__} of version {version} came, and this code knows version 1; deploy the newer code"
            )
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Malformed(f"not a {kind.__name__}: {error}") from error
