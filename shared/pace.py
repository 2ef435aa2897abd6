"""The pace: when a message may leave, which tick is in charge, and the gate that holds everything back.

One small document for all senders together. Pure functions over it; nothing here reads a clock.

Telegram counts accepted messages in sliding windows of a second. Slots are (1 s + spread)/rate apart and a message leaves within
half a spread of its slot, so rate + 1 messages always take longer than a second, whoever sends them.
"""

from datetime import datetime, timedelta
from enum import StrEnum

from shared.decision import Decision, unchanged
from shared.pair import Moment, Record, replace

PACE_ID = "pace"
LONGEST_HOLD = timedelta(seconds=30)
"""After a 429 everyone is held at most so long before a probe finds out whether it was the chat's flood or the bot's."""
FIRST_BLOCK = timedelta(seconds=30)
LONGEST_BLOCK = timedelta(minutes=15)
PROBE_FOR = timedelta(seconds=60)
"""How long the answer of a probe is waited for before another one goes."""
CHAT_GAP = timedelta(seconds=1.1)
"""Telegram takes one message a second in one chat (Bot FAQ); a manual broadcast right after another one waits so long."""
CHANNELS_APART = timedelta(seconds=0.5)
"""A pair's two messages keep this distance, so that they do not race for its document."""

REFUSALS_COUNTED = timedelta(minutes=7)
"""So long a refusal counts: longer than the first retry's delay and a tick, so that what was all refused at once is seen before
it is tried again."""
FEWEST_REFUSED = 5
MOST_REFUSED = 0.3
"""With at least so many pairs refused, and more than this share of those tried, it is no longer the pairs."""


class Tempo(Record, frozen=True, kw_only=True):
    """How fast, and how exactly, an engine sends. Seconds, except `rate` in messages per second."""

    rate: float
    spread: float
    """All the distance allowed between a slot and the arrival at Telegram."""
    lead: float
    """From the reservation of a slot to the slot: time to publish, fan out and prepare."""
    prepare: float
    """How long before its slot a message reads its document and writes its start."""

    @property
    def step(self) -> timedelta:
        """Between two slots; two microseconds more than they need, since rounding must not shorten the second they fill.

        The step itself is rounded, and the half spread that a message may be late.
        """
        return timedelta(seconds=(1 + self.spread) / self.rate) + 2 * timedelta.resolution

    @property
    def pairs_per_second(self) -> int:
        """So many pairs fill one second; at least one."""
        return max(1, int(self.rate) // 2)


class GateReason(StrEnum):
    """What holds everything back."""

    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    BOT_UNUSABLE = "bot unusable"
    REFUSALS = "refusals"
    """Many pairs were refused at once, each for its own sake as it seemed; only a posted message shows that it is over."""


class Gate(Record, frozen=True, kw_only=True):
    """Closed since, for this reason; at `blocked_until` a probe may go."""

    reason: GateReason
    since: Moment
    blocked_until: Moment
    block_seconds: float
    detail: str
    probing: bool = False
    """A probe is on its way; until it is answered, or lost, nobody else may try."""


class PausedAll(Record, frozen=True, kw_only=True):
    """The operator holds everything back; only the operator lifts it, no probe is sent, and no pair is touched."""

    since: Moment
    reason: str


class TickInCharge(Record, frozen=True, kw_only=True):
    """The newest tick that found something to do. Ticks are compared by the time they were published, then by id."""

    published_at: Moment
    event_id: str

    def newer_than(self, other: "TickInCharge | None") -> bool:
        return other is None or (self.published_at, self.event_id) > (other.published_at, other.event_id)


class Pace(Record, frozen=True, kw_only=True):
    """The document all senders share."""

    v: int = 1
    next_slot: Moment | None = None
    tick: TickInCharge | None = None
    gate: Gate | None = None
    paused_all: PausedAll | None = None
    opened_at: Moment | None = None
    """When a posted message last opened the gate; what was refused before says nothing any more."""


def reserve(pace: Pace, *, count: int, now: datetime, tempo: Tempo) -> Decision[Pace, tuple[datetime, ...]]:
    """The next `count` slots, and the pace after them."""
    earliest = now + timedelta(seconds=tempo.lead)
    first = earliest if pace.next_slot is None else max(pace.next_slot, earliest)
    slots = tuple(first + i * tempo.step for i in range(count))
    return Decision(replace(pace, next_slot=first + count * tempo.step), slots)


def reserve_pairs(
    pace: Pace, *, opens: int, closeds: int, now: datetime, tempo: Tempo
) -> Decision[Pace, tuple[tuple[datetime, ...], tuple[datetime, ...]]]:
    """Slots for a batch: all open channels first, then all closed ones, at least half a second after the first open one.

    The gap this leaves in a batch that does not fill its second costs nothing: such a batch has no backlog behind it.
    """
    first = reserve(pace, count=opens, now=now, tempo=tempo)
    after = pace if first.record is None else first.record
    if opens and closeds and after.next_slot is not None:
        after = replace(after, next_slot=max(after.next_slot, first.result[0] + CHANNELS_APART))
    second = reserve(after, count=closeds, now=now, tempo=tempo)
    return Decision(second.record, (first.result, second.result))


def take_charge(pace: Pace, tick: TickInCharge) -> Decision[Pace, bool]:
    """True if this tick may claim: it is newer than the one in charge, or is that one."""
    if pace.tick == tick:
        return unchanged(True)
    if not tick.newer_than(pace.tick):
        return unchanged(False)
    return Decision(replace(pace, tick=tick), True)


def release_probe(pace: Pace, *, now: datetime) -> Decision[Pace, GateReason | None]:
    """What the gate is closed for, if its block is over and this caller may send the probe; nobody else may until it is answered
    or lost."""
    if pace.paused_all is not None or pace.gate is None or now < pace.gate.blocked_until:
        return unchanged(None)
    probing = replace(pace.gate, blocked_until=now + PROBE_FOR, probing=True)
    return Decision(replace(pace, gate=probing), pace.gate.reason)


def throttle(pace: Pace, *, now: datetime, retry_after: float, probe: bool, detail: str) -> Decision[Pace, None]:
    """Telegram answered 429. A probe's 429 shows that the bot is flooded: all are held for the whole time, which can be hours.

    A gate that is closed for another reason stays as it is, but for the time of its next probe; and a block is never shortened.
    """
    wait = timedelta(seconds=retry_after)
    until = now + (wait if probe else min(wait, LONGEST_HOLD))
    gate = pace.gate
    if gate is not None and gate.reason is GateReason.REFUSALS and gate.probing and probe:
        return Decision(replace(pace, gate=replace(gate, blocked_until=until, probing=False)), None)
    reached_again = gate is not None and gate.reason is GateReason.UNREACHABLE and probe
    if gate is not None and gate.reason is not GateReason.THROTTLED and not reached_again:
        return unchanged(None)
    answered = gate is not None and gate.probing and probe
    if gate is not None and not answered and (gate.probing or gate.blocked_until >= until):
        return unchanged(None)
    closed = Gate(
        reason=GateReason.THROTTLED,
        since=now if gate is None else gate.since,
        blocked_until=until,
        block_seconds=retry_after,
        detail=detail,
    )
    return Decision(replace(pace, gate=closed), None)


def bot_unusable(pace: Pace, *, now: datetime, probe: bool, detail: str) -> Decision[Pace, None]:
    """Telegram does not accept the bot itself. Each probe refused doubles the block, up to 15 minutes; its second message adds
    nothing.
    """
    gate = pace.gate
    if gate is not None and gate.reason is GateReason.BOT_UNUSABLE and not (probe and _awaits_answer(gate, now)):
        return unchanged(None)
    return _closed(pace, GateReason.BOT_UNUSABLE, now=now, detail=detail)


def unreachable(pace: Pace, *, now: datetime, probe: bool, detail: str) -> Decision[Pace, None]:
    """Calls do not reach Telegram. Each probe that does not either doubles the block, up to 15 minutes; its second message adds
    nothing.

    Only a probe says so of a gate that is closed already: what else is under way left before the gate was closed. One that is
    closed for refusals stays so: a refused probe would open it otherwise.
    """
    gate = pace.gate
    if gate is not None and not (probe and _awaits_answer(gate, now)):
        return unchanged(None)
    if gate is not None and gate.reason is GateReason.REFUSALS:
        return _closed(pace, GateReason.REFUSALS, now=now, detail=gate.detail)
    return _closed(pace, GateReason.UNREACHABLE, now=now, detail=detail)


def _awaits_answer(gate: Gate, now: datetime) -> bool:
    """Whether a probe's answer is news: it is on its way, or one of its messages ended without a call and the other did not."""
    return gate.probing or now >= gate.blocked_until


def refusals_since(pace: Pace, *, now: datetime) -> datetime:
    """From when on refusals count: never from before the gate was last opened, or they would close it again at once."""
    since = now - REFUSALS_COUNTED
    return since if pace.opened_at is None else max(since, pace.opened_at)


def refused_widely(pace: Pace, *, now: datetime, attempted: int, refused: int) -> Decision[Pace, bool]:
    """Of so many pairs tried so many were refused for their own sake. True if that is no longer the pairs: then the gate closes.

    Each refused probe doubles the block, up to 15 minutes (`probe_refused`).
    """
    if pace.gate is not None or refused < FEWEST_REFUSED or refused <= MOST_REFUSED * attempted:
        return unchanged(False)
    detail = f"{refused} of the {attempted} pairs tried lately were refused"
    return Decision(_closed(pace, GateReason.REFUSALS, now=now, detail=detail).record, True)


def _closed(pace: Pace, reason: GateReason, *, now: datetime, detail: str) -> Decision[Pace, None]:
    """Closed for this reason; for twice as long as before if it was closed for the same one."""
    gate = pace.gate
    block, since = FIRST_BLOCK, now
    if gate is not None and gate.reason is reason:
        block, since = min(timedelta(seconds=gate.block_seconds) * 2, LONGEST_BLOCK), gate.since
    closed = Gate(
        reason=reason, since=since, blocked_until=now + block, block_seconds=block.total_seconds(), detail=detail
    )
    return Decision(replace(pace, gate=closed), None)


def probe_void(pace: Pace, *, now: datetime) -> Decision[Pace, bool]:
    """The probe ended without a call, so it says nothing: another may go at once. True if one was waited for."""
    if pace.gate is None or not pace.gate.probing:
        return unchanged(False)
    return Decision(replace(pace, gate=replace(pace.gate, blocked_until=now, probing=False)), True)


def pause_all(pace: Pace, *, now: datetime, reason: str) -> Decision[Pace, bool]:
    """Hold everything back until resume_all. False if it was held already; the first reason stays."""
    if pace.paused_all is not None:
        return unchanged(False)
    return Decision(replace(pace, paused_all=PausedAll(since=now, reason=reason)), True)


def resume_all(pace: Pace) -> Decision[Pace, bool]:
    """Let go of what pause_all held. False if nothing was held."""
    if pace.paused_all is None:
        return unchanged(False)
    return Decision(replace(pace, paused_all=None), True)


def probe_refused(pace: Pace, *, now: datetime) -> Decision[Pace, bool]:
    """Telegram refused the probe for its chat's sake: it is reached and throttles no more. True if this opened the gate.

    A gate that is closed for refusals stays so, for twice as long; the second message of the same probe adds nothing.
    """
    gate = pace.gate
    if gate is None or gate.reason is GateReason.BOT_UNUSABLE:
        return unchanged(False)
    if gate.reason is not GateReason.REFUSALS:
        return Decision(replace(pace, gate=None), True)
    if not gate.probing:
        return unchanged(False)
    return Decision(_closed(pace, GateReason.REFUSALS, now=now, detail=gate.detail).record, False)


def probe_sent(pace: Pace, *, now: datetime) -> Decision[Pace, bool]:
    """The probe was posted: the gate opens. True if it was closed."""
    if pace.gate is None:
        return unchanged(False)
    return Decision(replace(pace, gate=None, opened_at=now), True)
