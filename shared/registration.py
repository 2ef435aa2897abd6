"""The rules of a pair that the website registers, edits or ends by its open channel's id. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.pair import Pair, new_pair_id
from shared.pair_fields import EDITABLE

TAKEN = "Channel ID already registered: {channel} belongs to another pair."
UNCHANGEABLE = (
    "Channel IDs cannot be changed: this pair has the closed channel {closed}. Delete it and register it anew."
)
TOO_MANY = "Maximum {most} channels per account."


@dataclass(frozen=True)
class Create:
    """The channels are free: this is the pair to create."""

    pair: Pair


@dataclass(frozen=True)
class Edit:
    """The client has this pair already: these are its texts from now on."""

    pair_id: str
    changes: dict[str, Any]


@dataclass(frozen=True)
class Conflict:
    """The record contradicts what is there."""

    sentence: str


@dataclass(frozen=True)
class Full:
    """The client has as many pairs as an account may have."""

    sentence: str


def register(
    fields: Mapping[str, Any], *, client_id: str, using: Iterable[Pair], count: int, most: int, now: datetime
) -> Create | Edit | Conflict | Full:
    """What a whole record means, given every pair that uses one of its channels and how many pairs the client has.

    A channel of an ended pair is free. The new pair takes over the messages that the ended one left standing, so that its first
    broadcast replaces them; that broadcast is due now.
    """
    pairs = list(using)
    open_id, closed_id = fields["open_channel_id"], fields["closed_channel_id"]
    current = [pair for pair in pairs if pair.ended_at is None]
    mine = next((p for p in current if p.open_channel_id == open_id and p.client_id == client_id), None)
    if mine is not None:
        if mine.closed_channel_id != closed_id:
            return Conflict(UNCHANGEABLE.format(closed=mine.closed_channel_id))
        return Edit(mine.id, {name: fields[name] for name in EDITABLE})
    if current:
        used = {channel for pair in current for channel in (pair.open_channel_id, pair.closed_channel_id)}
        return Conflict(TAKEN.format(channel=open_id if open_id in used else closed_id))
    if count >= most:
        return Full(TOO_MANY.format(most=most))
    before = _latest(pairs, open_id)
    stays = before is not None and before.take_down is None and before.client_id == client_id
    same_closed = before is not None and before.closed_channel_id == closed_id
    return Create(
        Pair(
            id=new_pair_id(open_id, after=None if before is None else before.id),
            client_id=client_id,
            open_chat_id=before.open_chat_id if before is not None else open_id,
            closed_chat_id=before.closed_chat_id if before is not None and same_closed else closed_id,
            open_live=before.open_live if before is not None and stays else None,
            closed_live=before.closed_live if before is not None and stays and same_closed else None,
            next_send_time=now,
            created_at=now,
            updated_at=now,
            **fields,
        )
    )


def own(pairs: Iterable[Pair], *, client_id: str, open_channel_id: int) -> Pair | None:
    """The client's pair with this open channel: the one that is not ended, else the one that ended last."""
    mine = [p for p in pairs if p.client_id == client_id and p.open_channel_id == open_channel_id]
    return next((p for p in mine if p.ended_at is None), None) or _latest(mine, open_channel_id)


def _latest(pairs: Iterable[Pair], open_channel_id: int) -> Pair | None:
    ended = [(p.ended_at, p.id, p) for p in pairs if p.open_channel_id == open_channel_id and p.ended_at is not None]
    return max(ended)[2] if ended else None
