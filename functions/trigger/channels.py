"""The website's channel records: created and changed as a whole, and ended, by the open channel's id."""

import logging
from collections.abc import Mapping
from typing import Any

from shared import owner, presentation, registration, rights
from shared.actions import MAX_CHANNELS, Refusal
from shared.engine import Engine
from shared.fields import FieldError, channel_id
from shared.logs import fields
from shared.pair import Pair
from shared.pair_fields import from_json, pair_fields
from shared.store import PAIRS, AlreadyExists, StoreUnavailable, update

NOT_FOUND = "Channel not found."
TOGETHER = "One of these channels was registered by another request at the same moment. Try again."
MOST_RACES = 3
"""Two requests that create one pair at the same moment: the second finds the first one's."""

log = logging.getLogger(__name__)


class Channels:
    """Creates, changes and ends pairs on one engine. Every method raises Refusal and StoreUnavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, client_id: str, open_channel_id: str, record: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
        """Create the pair, or bring its texts up to the record. Whether it is new, and the answer.

        The same record again changes nothing. What the bot lacks in the channels is a warning, not a refusal: the owner may be
        about to add it, and Telegram may be out of reach.
        """
        values = _read(open_channel_id, record)
        pair, created = self._registered(client_id, values)
        found = rights.look(self._engine.telegram, pair) if pair.is_active else ()
        now = self._engine.clock.now()
        return created, {
            "success": True,
            "message": "Channel registered successfully" if created else "Channel updated successfully",
            "channel_id": str(pair.open_channel_id),
            "broadcast_id": pair.id,
            "created": created,
            "warnings": [finding.sentence for finding in found],
            "channel": presentation.channel(pair, now=now, policy=self._engine.policy),
        }

    def delete(self, client_id: str, open_channel_id: str, *, take_down: bool) -> dict[str, Any]:
        """End the pair; with `take_down` its messages leave the channels within minutes. Again is harmless."""
        number = _path_id(open_channel_id)
        pair = registration.own(self._using(number), client_id=client_id, open_channel_id=number)
        if pair is None:
            raise Refusal(404, NOT_FOUND)
        pair, _ = update(self._engine.store, PAIRS, pair.id, lambda p, now: owner.end(p, now=now, take_down=take_down))
        log.info(
            "Ended by its owner.",
            extra=fields(event="pair_ended", pair_id=pair.id, take_down=pair.take_down is not None),
        )
        return {
            "success": True,
            "message": "Channel deleted successfully",
            "channel_id": str(pair.open_channel_id),
            "broadcast_id": pair.id,
            "take_down": pair.take_down is not None,
        }

    def _registered(self, client_id: str, values: dict[str, Any]) -> tuple[Pair, bool]:
        store, policy = self._engine.store, self._engine.policy
        for _ in range(MOST_RACES):
            using = {p.id: p for c in ("open_channel_id", "closed_channel_id") for p in self._using(values[c])}
            count = sum(s.record.ended_at is None for s in store.pairs_of_client(client_id))
            decided = registration.register(
                values,
                client_id=client_id,
                using=using.values(),
                count=count,
                most=MAX_CHANNELS,
                now=self._engine.clock.now(),
            )
            match decided:
                case registration.Conflict(sentence):
                    raise Refusal(409, sentence)
                case registration.Full(sentence):
                    raise Refusal(400, sentence)
                case registration.Edit(pair_id, changes):
                    pair, edited = update(
                        store, PAIRS, pair_id, lambda p, now: owner.edit(p, now=now, changes=changes, policy=policy)
                    )
                    if edited:
                        log.info("Edited by its owner.", extra=fields(event="pair_edited", pair_id=pair_id))
                    return pair, False
                case registration.Create(pair):
                    try:
                        store.create(PAIRS, pair.id, pair)
                    except AlreadyExists:
                        continue
                    self._yield_to_others(pair)
                    log.info("Registered by its owner.", extra=fields(event="pair_registered", pair_id=pair.id))
                    return pair, True
        raise StoreUnavailable("the pair is being registered by another request")

    def _yield_to_others(self, pair: Pair) -> None:
        """Ids exclude only pairs with the same open channel. Of two that share their closed one and are registered at the same
        moment, each looks again after it was written, so at least one sees the other and ends itself; both may."""
        channels = (pair.open_channel_id, pair.closed_channel_id)
        others = {p.id for channel in channels for p in self._using(channel) if p.ended_at is None} - {pair.id}
        if others:
            update(self._engine.store, PAIRS, pair.id, lambda p, now: owner.end(p, now=now, take_down=False))
            raise Refusal(409, TOGETHER)

    def _using(self, channel: int) -> list[Pair]:
        return [stored.record for stored in self._engine.store.pairs_of_channel(channel)]


def _read(open_channel_id: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """The record's values. Raises Refusal that names every field in the way."""
    number = _path_id(open_channel_id)
    reader = from_json({"open_channel_id": str(number), **record})
    values = pair_fields(reader)
    if values["open_channel_id"] not in {None, number}:
        reader.refuse("open_channel_id", f"is not the one in the address, {number}")
    if reader.refused:
        sentences = "; ".join(f"{refusal.field} {refusal.error}" for refusal in reader.refused)
        details = [{"field": refusal.field, "error": refusal.error} for refusal in reader.refused]
        raise Refusal(400, f"Validation failed: {sentences}", details=details)
    return values


def _path_id(text: str) -> int:
    try:
        return channel_id(text)
    except FieldError:
        raise Refusal(404, NOT_FOUND) from None
