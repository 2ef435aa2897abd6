"""What an owner may do over HTTP: resend, pause, resume, and look; the same for the API and the dashboard."""

import logging
from collections.abc import Callable
from datetime import datetime
from math import ceil
from typing import Any
from uuid import uuid4

from shared import owner, presentation, rights
from shared.bus import BusUnavailable
from shared.decision import Decision
from shared.engine import Engine
from shared.events import BroadcastEvent
from shared.history import runs_of
from shared.logs import fields
from shared.pace import CHAT_GAP, GateReason, probe_void, release_probe, reserve_pairs
from shared.pair import Channel, Pair
from shared.store import PAIRS, NoSuchRecord, Stored, StoreUnavailable, read_pace, update, update_pace

MAX_CHANNELS = 10
"""The website's limit of channels an account. An import may bring more; no more can be registered then."""
NOT_FOUND = "Broadcast not found."
CLOSED = "Sending is held back just now ({why}); nothing was used up. Try again later."
NOBODY_KNOWS = (
    "The service cannot reach its records just now, so nobody knows yet whether the broadcast began."
    " Look at its state before you try again."
)

log = logging.getLogger(__name__)


class Refusal(Exception):
    """Raised for what the contract refuses: a status, a sentence, and for a cooldown the seconds that remain."""

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        retry_after: int | None = None,
        details: list[dict[str, str]] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.retry_after = retry_after
        self.details = details


class Actions:
    """What owners do on one engine. Every method raises Refusal and StoreUnavailable."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def trigger(self, client_id: str, pair_id: str, *, by: str | None = None) -> dict[str, Any]:
        """Begin a manual broadcast and publish it at once; if it cannot be published, everything is as it was.

        The record says that it was `by` them, or else by the client.
        """
        stored = self._own(client_id, pair_id)
        self._refuse_unless_allowed(stored)
        probe = self._pass_the_gate()
        trigger_id = str(uuid4())
        policy = self._engine.policy

        def decide(pair: Pair, now: datetime) -> Decision[Pair, owner.Trigger]:
            return owner.trigger(pair, now=now, run_id=trigger_id, by=by or client_id, policy=policy)

        pair, result = self._claim(stored, decide)
        if not isinstance(result, owner.Accepted):
            self._let_another_probe(probe)
            raise _refused(pair_id, result)
        eta = self._publish(pair, result, probe=probe)
        log.info(
            "Broadcast triggered by %s.",
            by or "its owner",
            extra=fields(event="broadcast_claimed", cause="manual", pair_id=pair_id, run_id=result.run_id),
        )
        return {
            "success": True,
            "message": "Broadcast queued for sending",
            "broadcast_id": pair_id,
            "eta_seconds": eta,
            "retry_after_seconds": owner.cooldown(pair, now=self._now(), policy=policy),
        }

    def pause(self, client_id: str, pair_id: str, *, by: str | None = None) -> dict[str, Any]:
        """Stop sending for the pair; the new state. The record says that it was `by` them, or else by its owner."""
        self._own(client_id, pair_id)
        pair, _ = update(
            self._engine.store,
            PAIRS,
            pair_id,
            lambda pair, now: owner.pause(pair, now=now, reason=f"paused by {by or 'its owner'}"),
        )
        log.info("Paused by %s.", by or "its owner", extra=fields(event="pair_paused", pair_id=pair_id))
        return self._status_of(pair)

    def resume(self, client_id: str, pair_id: str) -> dict[str, Any]:
        """Send for the pair again; the new state, and as warnings what the bot lacks in its channels."""
        self._own(client_id, pair_id)
        policy = self._engine.policy
        pair, _ = update(
            self._engine.store, PAIRS, pair_id, lambda pair, now: owner.resume(pair, now=now, policy=policy)
        )
        log.info("Resumed by its owner.", extra=fields(event="pair_resumed", pair_id=pair_id))
        found = rights.look(self._engine.telegram, pair) if pair.is_active else ()
        return {**self._status_of(pair), "warnings": [finding.sentence for finding in found]}

    def status(self, client_id: str, pair_id: str) -> dict[str, Any]:
        """The pair's state."""
        return self._status_of(self._own(client_id, pair_id).record)

    def history(self, client_id: str, pair_id: str, *, before: datetime | None, limit: int) -> dict[str, Any]:
        """Runs of the pair claimed before this time, newest first."""
        pair = self._own(client_id, pair_id).record
        runs = runs_of(self._engine.store, pair, before=before, limit=limit)
        return {"success": True, "broadcast_id": pair_id, "history": [presentation.run_(run) for run in runs]}

    def channels(self, client_id: str) -> dict[str, Any]:
        """All pairs of the client that are not ended."""
        now, policy = self._now(), self._engine.policy
        found = [s.record for s in self._engine.store.pairs_of_client(client_id) if s.record.ended_at is None]
        return {
            "channels": [presentation.channel(pair, now=now, policy=policy) for pair in found],
            "count": len(found),
            "max_channels": MAX_CHANNELS,
        }

    def _own(self, client_id: str, pair_id: str) -> Stored[Pair]:
        """The client's pair; another client's is not found."""
        stored = self._engine.store.get(PAIRS, pair_id)
        if stored is None or stored.record.client_id != client_id:
            raise Refusal(404, NOT_FOUND)
        return stored

    def _refuse_unless_allowed(self, stored: Stored[Pair]) -> None:
        """What the pair itself refuses comes before the gate, which is looked at next; nothing is written yet."""
        decision = owner.trigger(
            stored.record, now=stored.read_at, run_id=str(uuid4()), by="", policy=self._engine.policy
        )
        if not isinstance(decision.result, owner.Accepted):
            raise _refused(stored.id, decision.result)

    def _pass_the_gate(self) -> GateReason | None:
        """What the gate is closed for, if the broadcast goes as its probe: nothing scheduled may be due for hours."""
        pace = read_pace(self._engine.store).record
        if pace.paused_all is not None:
            raise Refusal(503, CLOSED.format(why="paused by the operator"))
        gate = pace.gate
        if gate is None:
            return None
        probe = update_pace(self._engine.store, lambda p, now: release_probe(p, now=now))
        if probe is None:
            raise Refusal(503, CLOSED.format(why=gate.reason.value))
        return probe

    def _claim(
        self, stored: Stored[Pair], decide: Callable[[Pair, datetime], Decision[Pair, owner.Trigger]]
    ) -> tuple[Pair, owner.Trigger]:
        """A write without an answer may have been applied: who looks again knows its own trigger, or begins it now."""
        try:
            return update(self._engine.store, PAIRS, stored.id, decide, seen=stored)
        except StoreUnavailable as error:
            log.warning("A claim had no answer: %s", error, extra=fields(event="unavailable", pair_id=stored.id))
        try:
            return update(self._engine.store, PAIRS, stored.id, decide)
        except StoreUnavailable as error:
            log.error("%s", error, extra=fields(event="unavailable", pair_id=stored.id))
            raise Refusal(503, NOBODY_KNOWS) from error

    def _publish(self, pair: Pair, accepted: owner.Accepted, *, probe: GateReason | None) -> int:
        """Reserve the two slots, ahead of the backlog, and publish. Seconds until the last message may leave, rounded up.

        Dying in here leaves a claim that the tick completes.
        """
        store, tempo = self._engine.store, self._engine.tempo
        chats_free = [live.sent_at + CHAT_GAP for live in (pair.open_live, pair.closed_live) if live is not None]
        try:
            opens, closeds = (int(channel in accepted.channels) for channel in (Channel.OPEN, Channel.CLOSED))
            open_slots, closed_slots = update_pace(
                store,
                lambda p, now: reserve_pairs(p, opens=opens, closeds=closeds, now=max([now, *chats_free]), tempo=tempo),
            )
            slots = dict(
                [(Channel.OPEN, slot) for slot in open_slots] + [(Channel.CLOSED, slot) for slot in closed_slots]
            )
            if slots:
                event = BroadcastEvent(
                    pair_id=pair.id,
                    run_id=accepted.run_id,
                    slots=slots,
                    probe=probe is not None,
                    forgiven=probe is GateReason.REFUSALS,
                )
                self._engine.bus.publish([event])
        except (BusUnavailable, StoreUnavailable) as error:
            self._take_back(pair.id, accepted.run_id, error, probe=probe)
            return 0
        last = max(slots.values(), default=self._now())
        return max(0, ceil((last - self._now()).total_seconds()))

    def _let_another_probe(self, probe: GateReason | None) -> None:
        if probe is not None:
            update_pace(self._engine.store, lambda p, now: probe_void(p, now=now))

    def _take_back(self, pair_id: str, run_id: str, error: Exception, *, probe: GateReason | None) -> None:
        """Restore what was before. If that write loses, the broadcast is under way after all, and the answer is yes."""
        try:
            _, undone = update(
                self._engine.store, PAIRS, pair_id, lambda pair, now: owner.undo(pair, run_id=run_id, now=now)
            )
        except NoSuchRecord:
            undone = True
        except StoreUnavailable as unavailable:
            log.error("%s", unavailable, extra=fields(event="unavailable", pair_id=pair_id, run_id=run_id))
            raise Refusal(503, NOBODY_KNOWS) from unavailable
        if undone:
            log.error(
                "A manual broadcast could not be published and was taken back: %s",
                error,
                extra=fields(event="trigger_undone", pair_id=pair_id, run_id=run_id),
            )
            self._let_another_probe(probe)
            raise Refusal(503, "The broadcast could not be handed on; nothing was used up. Try again shortly.")

    def _status_of(self, pair: Pair) -> dict[str, Any]:
        return presentation.status(pair, now=self._now(), policy=self._engine.policy)

    def _now(self) -> datetime:
        return self._engine.clock.now()


def _refused(pair_id: str, result: owner.Paused | owner.CoolingDown | owner.Running) -> Refusal:
    refusal = _refusal_for(result)
    why = type(result).__name__
    log.info(
        "Resend was refused: %s",
        refusal,
        extra=fields(event="trigger_refused", pair_id=pair_id, status=refusal.status, why=why),
    )
    return refusal


def _refusal_for(result: owner.Paused | owner.CoolingDown | owner.Running) -> Refusal:
    match result:
        case owner.Paused(reason):
            return Refusal(409, f"This pair does not send: {reason}. Resume it first.")
        case owner.CoolingDown(seconds):
            minutes, rest = divmod(seconds, 60)
            return Refusal(
                429,
                f"Messages can be resent again in {minutes}:{rest:02d} minutes.",
                retry_after=seconds,
            )
        case owner.Running():
            return Refusal(409, "A broadcast of this pair is already on its way.")
