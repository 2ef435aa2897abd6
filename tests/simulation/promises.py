"""What must be true after every run, whatever happened in it."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

from shared.pace import REFUSALS_COUNTED, Pace, refused_widely
from shared.pair import Cause, Channel, Delivery, DeliveryState, Fault, Pair, Run, Verdict
from shared.runs import FAILURES_BEFORE_PAUSE
from shared.store import PAIRS
from tests.simulation.parts import Accepted
from tests.simulation.world import MANUAL_MINUTES, World

LOOKED = timedelta(seconds=15)
"""A busy tick counts refusals every 5 s, and clocks differ by up to 10 s."""


def broken(world: World) -> list[str]:
    """A sentence for each promise that was not kept."""
    faults = list(world.unexpected)
    messages: dict[str, list[Accepted]] = {}
    for message in world.telegram.accepted:
        messages.setdefault(message.attempt_id, []).append(message)
    known: set[str] = set()
    pairs = []
    for pair_id in world.pair_ids:
        stored = world.store.get(PAIRS, pair_id)
        assert stored is not None
        pairs.append((stored.record, _runs(world, stored.record)))
    seen_from = _refusals_seen_from([runs for _, runs in pairs])
    for pair, runs in pairs:
        found = [*_of_pair(world, pair, runs, messages, known), *_switched_off(world, pair, runs, seen_from)]
        faults += [f"pair {pair.open_channel_title}: {fault}" for fault in found]
    for attempt, taken in messages.items():
        if len(taken) > 1:
            faults.append(f"attempt {attempt} posted {len(taken)} messages")
        if attempt not in known:
            faults.append(f"message {taken[0].message_id} was posted and no record knows its attempt")
    faults += _pace(world)
    return faults


def _runs(world: World, pair: Pair) -> list[Run]:
    """Every run of the pair, oldest first; its newest state, which is the pair's own."""
    found = {s.record.run.run_id: s.record.run for s in world.store.history(pair.id, before=None, limit=10_000)}
    for run in (pair.last_broadcast, pair.run):
        if run is not None:
            found[run.run_id] = run
    return sorted(found.values(), key=lambda run: run.claimed_at)


def _of_pair(
    world: World, pair: Pair, runs: list[Run], messages: dict[str, list[Accepted]], known: set[str]
) -> Iterator[str]:
    now = world.scheduler.now()
    if pair.run is not None:
        yield f"its run is not finished: {pair.run.open.state.value}, {pair.run.closed.state.value}"
    if pair.is_active and (pair.wake_at is None or pair.wake_at <= now - timedelta(minutes=3)):
        yield f"it is active and forgotten: due at {pair.wake_at}"
    carried: set[str] = set()
    for run in runs:
        for channel, delivery in run.deliveries():
            fresh = delivery.attempt_id not in carried
            carried |= {delivery.attempt_id} if delivery.attempt_id else set()
            known |= carried
            taken = messages.get(delivery.attempt_id or "", [])
            where = f"{channel.value} message of run {run.run_id[:8]}"
            yield from _true(world, delivery, taken, where)
            if fresh:
                yield from _remembered(world, pair, channel, delivery, taken, where)
    yield from _counted(pair, runs)
    yield from _not_doubled(world, pair, runs)
    if pair.take_down is None:
        yield from _standing(world, pair, runs)


def _refusals_seen_from(runs: list[list[Run]]) -> datetime | None:
    """The first moment at which a tick looked, since it began a run, and so many pairs were recorded as refused that the gate can
    know. Calls that were cut off are no refusals, and few pairs, or pairs due far apart, are never told from their own faults.
    """
    tried = [
        (run, delivery, number)
        for number, of_pair in enumerate(runs)
        for run in of_pair
        for _, delivery in run.deliveries()
        if delivery.started_at is not None
    ]
    for now in sorted({run.claimed_at for of_pair in runs for run in of_pair if run.cause is not Cause.MANUAL}):
        since = now - REFUSALS_COUNTED
        attempted = {n for _, d, n in tried if d.started_at is not None and since - LOOKED < d.started_at <= now}
        refused = {
            n
            for run, d, n in tried
            if d.started_at is not None
            and since + LOOKED < d.started_at
            and run.finished_at is not None
            and run.finished_at < now - LOOKED
            and d.state is DeliveryState.FAILED
            and d.fault is Fault.PAIR
        }
        if refused_widely(Pace(), now=now, attempted=len(attempted), refused=len(refused)).result:
            return now
    return None


def _switched_off(world: World, pair: Pair, runs: list[Run], seen_from: datetime | None) -> Iterator[str]:
    """Promise 5: a bad day at Telegram hurts no pair, once enough pairs were refused to tell it from their own faults."""
    if world.bad_day is None or "failures in a row" not in (pair.pause_reason or ""):
        return
    if seen_from is not None and seen_from <= runs[-1].claimed_at:
        yield f"it was switched off on a bad day of Telegram: {pair.pause_reason}"


def _true(world: World, delivery: Delivery, taken: list[Accepted], where: str) -> Iterator[str]:
    """Promise 1: the state is true."""
    match delivery.state:
        case DeliveryState.SENT:
            if [message.message_id for message in taken] != [delivery.message_id]:
                yield f"{where} is 'sent' with id {delivery.message_id}; Telegram has {[m.message_id for m in taken]}"
        case DeliveryState.FAILED | DeliveryState.CANCELLED:
            if taken:
                yield f"{where} is '{delivery.state.value}' and Telegram has it"
            asked = delivery.attempt_id is not None and delivery.state is DeliveryState.FAILED
            if asked and delivery.attempt_id not in world.telegram.refused:
                yield f"{where} is 'failed' and Telegram refused nothing: {delivery.error}"
        case DeliveryState.UNCONFIRMED:
            if len(taken) > 1:
                yield f"{where} is 'unconfirmed' and Telegram has {len(taken)}"
        case _:
            yield f"{where} has not ended: {delivery.state.value}"


def _remembered(
    world: World, pair: Pair, channel: Channel, delivery: Delivery, taken: list[Accepted], where: str
) -> Iterator[str]:
    """A known message id is never thrown away. A process that died after the answer knew nothing any more."""
    for message in taken:
        told = message.answered and message.task in world.finished
        forgotten = delivery.state is not DeliveryState.SENT and message.message_id not in _ids(pair, channel)
        if told and forgotten and not message.gone:
            yield f"{where}: Telegram's answer was id {message.message_id}, and the record forgot it"


def _ids(pair: Pair, channel: Channel) -> set[int]:
    live = pair.live(channel)
    return {r.message_id for r in pair.replaced(channel)} | ({live.message_id} if live else set())


def _counted(pair: Pair, runs: list[Run]) -> Iterator[str]:
    finished = [run for run in runs if run.finished_at is not None]
    verdicts = Counter(run.verdict for run in finished)
    found = (pair.total_broadcasts, pair.successful_broadcasts, pair.failed_broadcasts)
    expected = (len(finished), verdicts[Verdict.SUCCESS], verdicts[Verdict.FAILURE])
    if found != expected:
        yield f"it counts {found} (all, successful, failed) and its history has {expected}"
    reason = pair.pause_reason or ""
    if "failures in a row" in reason:
        judged = [run.verdict for run in finished if run.verdict is not Verdict.NEITHER]
        if judged[-FAILURES_BEFORE_PAUSE:].count(Verdict.FAILURE) < FAILURES_BEFORE_PAUSE:
            yield f"it was paused for failures and its last runs were {[v.value for v in judged[-6:]]}"
    for run in finished:
        for channel, delivery in run.deliveries():
            words = (delivery.error or "").casefold()
            if delivery.fault is Fault.PAIR and words.startswith(
                ("too many requests", "internal server", "unauthorized")
            ):
                yield f"{channel.value} message of run {run.run_id[:8]}: Telegram's bad day counts as the pair's own failure"


def _not_doubled(world: World, pair: Pair, runs: list[Run]) -> Iterator[str]:
    """Promise 3: one due time, one run; one press of the button, one run; not twice within the cooldown."""
    times = Counter(run.due_at for run in runs if run.cause is Cause.SCHEDULE)
    for due_at, count in times.items():
        if count > 1:
            yield f"{count} scheduled broadcasts began for {due_at:%d %H:%M:%S}"
    manual = [run.claimed_at for run in runs if run.cause is Cause.MANUAL]
    for first, second in pairwise(manual):
        if second - first < timedelta(minutes=MANUAL_MINUTES) - timedelta(seconds=1):
            yield f"two manual broadcasts began within {second - first}"
    run_ids = {run.run_id for run in runs}
    for answer in world.answers:
        if answer.pair_id == pair.id and answer.status != 200 and run_ids & set(answer.ids):
            yield f"its owner was answered {answer.status}, and the broadcast went out"
    sent: Counter[tuple[str, Channel]] = Counter()
    attempts: set[str] = set()
    for run in runs:
        for channel, delivery in run.deliveries():
            if delivery.state is DeliveryState.SENT and delivery.attempt_id and delivery.attempt_id not in attempts:
                attempts.add(delivery.attempt_id)
                whole = run.run_id if run.retry == 0 else _first_of(runs, run)
                sent[whole, channel] += 1
    for (run_id, channel), count in sent.items():
        if count > 1:
            yield f"{count} {channel.value} messages were sent for run {run_id[:8]} and its retries"


def _first_of(runs: list[Run], retry: Run) -> str:
    """The run that this one repeats."""
    before = runs[: runs.index(retry)]
    return next((run.run_id for run in reversed(before) if run.retry == 0), retry.run_id)


def _standing(world: World, pair: Pair, runs: list[Run]) -> Iterator[str]:
    """Replaced messages are gone, and no channel was left empty."""
    unconfirmed = {d.attempt_id for run in runs for _, d in run.deliveries() if d.state is DeliveryState.UNCONFIRMED}
    chats = {
        channel: {pair.chat(channel), *(d.chat for r in runs for c, d in r.deliveries() if c is channel)}
        for channel in Channel
    }
    for channel, used in chats.items():
        emptied: list[datetime] = [
            at for chat, at in world.telegram.emptied if chat in used and chat == pair.chat(channel)
        ]
        if emptied:
            yield f"its {channel.value} channel was left empty at {emptied[0]:%d %H:%M:%S}"
        for message in world.telegram.accepted:
            if message.chat not in used or message.gone or message.attempt_id in unconfirmed:
                continue
            if message.message_id not in _ids(pair, channel):
                yield f"message {message.message_id} stands in its {channel.value} channel and nobody will delete it"


def _pace(world: World) -> Iterator[str]:
    """Promise 4: no second sees more than the rate."""
    if not world.same_time and not world.alone:
        return
    times = sorted([message.micros for message in world.telegram.accepted] + world.telegram.notices)
    for first, last in zip(times, times[world.rate :], strict=False):
        if last - first < 1_000_000:
            yield f"{world.rate + 1} messages reached Telegram within {(last - first) / 1e6:.3f} s"
