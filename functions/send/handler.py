"""What a send does: wait for the slot, write that the call begins, call Telegram once, record the outcome, replace the old message.

Where a process can die: before `start` is written nothing has happened and the message goes out again; between `start` and the
settled outcome it becomes unconfirmed, since nobody knows; after it, the deletion is repeated when the event comes again.
"""

import dataclasses
import logging
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from uuid import uuid4

from functions.send import gate
from functions.send.notice import tell_owner
from functions.send.outcomes import SLOTS_MISSED, about, report, settled_as
from functions.send.replacing import delete_replaced
from shared import telegram
from shared.clock import Stopping, wrong_by
from shared.decision import Decision
from shared.deliveries import (
    GivenBack,
    Outcome,
    Settle,
    Start,
    postpone,
    settle,
    start,
)
from shared.engine import Engine
from shared.events import MessageEvent
from shared.messages import CannotRender, Message, render
from shared.pace import LONGEST_HOLD, Pace, probe_void, reserve
from shared.pair import Delivery, DeliveryState, Fault, Pair
from shared.runs import SENDING_FOR, refuse
from shared.store import PAIRS, NoSuchRecord, Stored, StoreUnavailable, update, update_pace, update_stored

LONGEST_WAIT = 60.0
"""Seconds; a slot further away is not waited for: the message is put off, and a tick publishes it again."""
MOST_NEW_SLOTS = 3
"""A message that misses so many new slots running is given back: another process, whose clock is right, may have more luck."""
UNREACHED_IN_A_ROW = 5
"""So many calls running that did not reach Telegram are no longer one connection's bad luck."""
LONGEST_AHEAD = timedelta(seconds=10)
"""A clock further ahead of the records' would write untrue times; this is the difference that a delivery's `until` allows for."""
SETTLE_AGAIN_FIRST = 0.1
SETTLE_AGAIN_LONGEST = 5.0

log = logging.getLogger(__name__)


class _GivenUp(Exception):
    """Raised inside when the message is not to be sent by this handler; everything about it is recorded already."""


class _ClockAhead(Exception):
    """Raised inside when this machine's clock is too far ahead of the records' for a slot; `now` is their time."""

    def __init__(self, by: timedelta, now: datetime) -> None:
        super().__init__(f"the clock is {by.total_seconds():.0f} s ahead of the records'; set this machine's time")
        self.now = now


class Sender:
    """Sends messages; one per process, shared by its threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held_until: datetime | None = None
        self._reserving = Lock()
        self._unreached = 0

    def send(self, event: MessageEvent) -> None:
        """Send the message of this event, or find that nothing is left to do. Raises StoreUnavailable, Stopping."""
        try:
            while True:
                moment = self._in_time(event)
                attempt_id = str(uuid4())
                started, message = self._start(event, attempt_id)
                outcome = self._call(event, started, message, attempt_id, moment)
                result = self._record(event, started, attempt_id, outcome)
                if result is not Settle.AGAIN:
                    return
        except _GivenUp:
            return

    def _in_time(self, event: MessageEvent) -> float:
        """The moment to leave: in the event's slot, or in a new one if that is missed. Returns shortly before it."""
        engine, tempo = self._engine, self._engine.tempo
        clock = engine.clock
        slot = clock.monotonic() + (event.slot - clock.now()).total_seconds()
        for _ in range(1 + MOST_NEW_SLOTS):
            self._give_way(event)
            wait = slot - clock.monotonic()
            if wait > LONGEST_WAIT:
                until = clock.now() + timedelta(seconds=wait)
                raise self._postpone(event, until, "its slot is too far away to wait for")
            engine.telegram.make_ready()
            clock.sleep(slot - tempo.prepare - clock.monotonic())
            moment = engine.departures.place(slot, tempo, needs=tempo.prepare)
            if moment is not None:
                clock.sleep(moment - tempo.prepare - clock.monotonic())
                self._give_way(event)
                return moment
            self._give_up_if_stale(event)
            try:
                slot = self._new_slot()
            except _ClockAhead as error:
                raise self._postpone(event, error.now, str(error), level=logging.ERROR) from error
        raise self._postpone(event, clock.now(), SLOTS_MISSED, level=logging.WARNING)

    def _give_way(self, event: MessageEvent) -> None:
        """Hold the message back while a pause is on; one may have been asked for while this message waited."""
        held_until = None if event.probe else self._held_until
        if held_until is not None and held_until > self._engine.clock.now():
            raise self._postpone(event, held_until, "Telegram asked for a pause")

    def _new_slot(self) -> float:
        """One more slot, as a reading of the monotonic clock. The store's time says whether this machine's clock is right, so a
        wrong one costs no more than the slot it made the message miss. Raises _ClockAhead.

        After an outage hundreds of messages are late at once: one thread at a time asks for one, or they would only race each other
        for the pace document.
        """
        clock, tempo = self._engine.clock, self._engine.tempo
        before = clock.now()

        def take(pace: Pace, now: datetime) -> Decision[Pace, tuple[datetime, timedelta]]:
            ahead = wrong_by(before, now, clock.now())
            if ahead > LONGEST_AHEAD:
                raise _ClockAhead(ahead, now)
            decision = reserve(pace, count=1, now=now, tempo=tempo)
            return Decision(decision.record, (decision.result[0], ahead))

        with self._reserving:
            slot, ahead = update_pace(self._engine.store, take)
        return clock.monotonic() + (slot - (clock.now() - ahead)).total_seconds()

    def _give_up_if_stale(self, event: MessageEvent) -> None:
        """A message that is done with takes no slot."""
        stored = self._engine.store.get(PAIRS, event.pair_id)
        run = None if stored is None else stored.record.run
        mine = run is not None and run.run_id == event.run_id
        if run is not None and mine and run.delivery(event.channel).state is DeliveryState.QUEUED:
            return
        if stored is not None and self._was_sent(stored.record, event):
            delete_replaced(self._engine, stored.record, event.channel, about(event))
        raise self._stale(event)

    def _was_sent(self, pair: Pair, event: MessageEvent) -> bool:
        runs = [run for run in (pair.run, pair.last_broadcast) if run is not None and run.run_id == event.run_id]
        return any(run.delivery(event.channel).state is DeliveryState.SENT for run in runs)

    def _stale(self, event: MessageEvent) -> _GivenUp:
        log.info("The event means nothing any more: its message is done with.", extra=about(event))
        return _GivenUp()

    def _postpone(self, event: MessageEvent, until: datetime, why: str, *, level: int = logging.INFO) -> _GivenUp:
        update(
            self._engine.store,
            PAIRS,
            event.pair_id,
            lambda pair, now: postpone(
                pair, run_id=event.run_id, channel=event.channel, until=max(until, now), now=now
            ),
        )
        log.log(level, "The message is put off: %s.", why, extra=about(event, event="message_put_off", until=until))
        self._let_another_probe(event)
        return _GivenUp()

    def _let_another_probe(self, event: MessageEvent) -> None:
        """No call was made: what it should have found out, another message must."""
        if event.probe:
            update_pace(self._engine.store, lambda p, now: probe_void(p, now=now))

    def _start(self, event: MessageEvent, attempt_id: str) -> tuple[Stored[Pair], Message]:
        """Write that the call begins, and render the message from the very record that was written: an edit always wins."""
        rendered: list[Message] = []

        def enter(pair: Pair, now: datetime) -> Decision[Pair, Start]:
            decision = start(pair, run_id=event.run_id, channel=event.channel, attempt_id=attempt_id, now=now)
            if decision.result is Start.GO:
                rendered[:] = [render(pair, event.channel, bot_username=self._engine.bot_username())]
            return decision

        try:
            started, result = update_stored(self._engine.store, PAIRS, event.pair_id, enter)
        except NoSuchRecord:
            raise self._stale(event) from None
        except CannotRender as error:
            self._refuse(event, str(error))
            raise _GivenUp from error
        if result is Start.DONE:
            delete_replaced(self._engine, started.record, event.channel, about(event))
        if result is not Start.GO:
            raise self._stale(event)
        return started, rendered[0]

    def _refuse(self, event: MessageEvent, reason: str) -> None:
        update(
            self._engine.store,
            PAIRS,
            event.pair_id,
            lambda pair, now: refuse(pair, run_id=event.run_id, error=reason, now=now),
        )
        log.warning("The message cannot be made: %s", reason, extra=about(event, event="broadcast_unrenderable"))
        self._let_another_probe(event)

    def _call(
        self, event: MessageEvent, started: Stored[Pair], message: Message, attempt_id: str, moment: float | None
    ) -> telegram.Outcome:
        """Call Telegram at that moment; if writing the start took too long, at another one. TooLate if that is missed as well."""
        engine, tempo = self._engine, self._engine.tempo
        clock, departures = engine.clock, engine.departures
        chat = _delivery(started.record, event).chat
        for _ in range(1 + MOST_NEW_SLOTS):
            try:
                if moment is None:
                    moment = departures.place(self._new_slot(), tempo, needs=0.0)
                    engine.telegram.make_ready()
                if moment is None or moment - clock.monotonic() > LONGEST_WAIT:
                    break
                clock.sleep(moment - clock.monotonic())
            except (Stopping, StoreUnavailable):
                # The call has not begun, and the record must not stay as if it had.
                self._settle(event, started, attempt_id, GivenBack(clock.now(), "the process stopped before the call"))
                raise
            except _ClockAhead as error:
                self._settle(event, started, attempt_id, GivenBack(error.now, str(error)))
                self._let_another_probe(event)
                log.error("The message is put off: %s.", error, extra=about(event, event="message_put_off"))
                raise _GivenUp from error
            outcome = engine.telegram.send_message(chat, message, may_leave=partial(departures.leave, moment, tempo))
            if not isinstance(outcome, telegram.TooLate):
                return outcome
            moment = departures.place(moment, tempo, needs=0.0)
        return telegram.TooLate()

    def _record(self, event: MessageEvent, started: Stored[Pair], attempt_id: str, outcome: telegram.Outcome) -> Settle:
        """Record how the call ended, tell the pace what concerns everybody, replace the old message."""
        engine = self._engine
        delivery = _delivery(started.record, event)
        if event.forgiven and isinstance(outcome, telegram.Refused):
            outcome = telegram.Refused(outcome.error, Fault.UNKNOWN)
        outcome_of_it = settled_as(outcome, now=engine.clock.now(), tries=delivery.tries)
        settled_pair, result = self._settle(event, started, attempt_id, outcome_of_it)
        run = started.record.run
        assert run is not None
        report(
            event,
            outcome,
            title=settled_pair.title(event.channel),
            attempt=delivery.tries,
            cause=run.cause,
            latency_seconds=round((engine.clock.now() - run.claimed_at).total_seconds(), 3),
        )
        match outcome:
            case telegram.Throttled(retry_after) | telegram.Unconfirmed(_, float(retry_after)):
                self._hold(retry_after)
        gate.tell(engine, event, outcome, one_of_many=self._unreached_often(outcome))
        if isinstance(outcome, telegram.Sent):
            delete_replaced(engine, settled_pair, event.channel, about(event))
        tell_owner(engine, started.record, settled_pair)
        return result

    def _unreached_often(self, outcome: telegram.Outcome) -> bool:
        """Whether this call and those of the process before it did not reach Telegram; between threads it is a rough count."""
        self._unreached = self._unreached + 1 if isinstance(outcome, telegram.NotDelivered) else 0
        return self._unreached >= UNREACHED_IN_A_ROW

    def _hold(self, seconds: float) -> None:
        """Keep this process's other messages back at once, without asking the pace document before each of them."""
        self._held_until = self._engine.clock.now() + min(timedelta(seconds=seconds), LONGEST_HOLD)

    def _settle(
        self, event: MessageEvent, started: Stored[Pair], attempt_id: str, outcome: Outcome
    ) -> tuple[Pair, Settle]:
        """Write the outcome, again and again while the store is down; Telegram has been called, so it must not be lost."""
        clock = self._engine.clock
        delay = SETTLE_AGAIN_FIRST
        deadline = clock.monotonic() + SENDING_FOR.total_seconds()
        # Mostly nothing has touched the pair since the call began: then no read is needed, only today's time.
        seen: Stored[Pair] | None = dataclasses.replace(started, read_at=clock.now())
        while True:
            try:
                return update(
                    self._engine.store,
                    PAIRS,
                    event.pair_id,
                    lambda pair, now: settle(
                        pair, channel=event.channel, attempt_id=attempt_id, outcome=outcome, now=now
                    ),
                    seen=seen,
                )
            except StoreUnavailable:
                seen = None
                if clock.monotonic() + delay > deadline:
                    log.error(
                        "The store is down and this outcome could not be recorded: %s",
                        outcome,
                        extra=about(
                            event,
                            event="settle_lost",
                            chat=_delivery(started.record, event).chat,
                            attempt_id=attempt_id,
                        ),
                    )
                    raise
            try:
                clock.sleep(delay)
            except Stopping:
                deadline = clock.monotonic()
            delay = min(delay * 2, SETTLE_AGAIN_LONGEST)


def _delivery(pair: Pair, event: MessageEvent) -> Delivery:
    assert pair.run is not None
    return pair.run.delivery(event.channel)
