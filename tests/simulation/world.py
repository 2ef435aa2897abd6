"""One seed: some pairs, their owners, every function with its instances, days of them, and then a time without faults."""

import logging
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from cloudevents.http import CloudEvent
from werkzeug.exceptions import ServiceUnavailable

from functions.fanout.handler import fan_out
from functions.send import handler as send
from functions.send.handler import Sender
from functions.send.taking_down import take_down
from functions.tick import handler as tick
from shared import actions, owner
from shared.actions import NOBODY_KNOWS, Actions, Refusal
from shared.bus import BusUnavailable
from shared.consume import consume
from shared.departures import Alone, OneOfMany
from shared.engine import Engine, Precision
from shared.events import BroadcastEvent, Event, MessageEvent, TickEvent, Topic, encode
from shared.pace import pause_all, resume_all
from shared.settings import Settings
from shared.store import PAIRS, StoreUnavailable, update, update_pace
from tests.memory.store import MemoryStore
from tests.pairs import OWNER, a_pair
from tests.simulation.chance import Chance, Options
from tests.simulation.parts import (
    BAD_DAY,
    Curse,
    SimulatedBus,
    SimulatedClock,
    SimulatedStore,
    SimulatedTelegram,
    TrueClock,
)
from tests.simulation.scheduler import Baton, Died, Instance, Scheduler, Task

MINUTE, HOUR = 60_000_000, 3_600_000_000
PRECISION = Precision(spread=0.1, lead=0.6, prepare=0.15)
ON_ITS_WAY: Options = ((0.01, "is lost"), (0.03, "comes twice"), (0.03, "comes late"))
ACKNOWLEDGEMENT: Options = ((0.01, "its acknowledgement is lost"),)
DEADLINE_SECONDS = 150
MOST_ATTEMPTS = 20
QUIET_HOURS = 8
"""Longer than the longest flood, block and retry together."""
MANUAL_MINUTES = 5
PAIRS_OF_A_BAD_DAY = 7
"""At least so many pairs, for some of the first round's messages may be lost on their way."""
ACTIONS = (
    "resend",
    "resend",
    "resend",
    "twice at once",
    "resend, then regret",
    "pause",
    "resume",
    "resume",
    "edit",
    "spoil",
    "end",
    "pause all",
)


@dataclass(frozen=True)
class Answer:
    """What an owner was told about a press of Resend."""

    pair_id: str
    ids: tuple[str, ...]
    status: int


@contextmanager
def ids_from(scheduler: Scheduler) -> Iterator[None]:
    """While it lasts, handlers draw their ids from the seed."""
    modules: tuple[Any, ...] = (tick, send, actions)
    kept = [module.uuid4 for module in modules]
    logging.disable(logging.CRITICAL)
    try:
        for module in modules:
            module.uuid4 = scheduler.new_id
        yield
    finally:
        for module, was in zip(modules, kept, strict=True):
            module.uuid4 = was
        logging.disable(logging.NOTSET)


def _soon(chance: Chance, key: str, seconds: float) -> int:
    """Microseconds up to so many seconds, mostly few: what meets inside a call finds more than what comes after it."""
    return round(chance.unit(key) ** 3 * seconds * 1e6)


class World:
    """Runs a seed to its end."""

    def __init__(self, seed: int, only: frozenset[str] | None = None) -> None:
        self.chance = chance = Chance(seed, only)
        self.scheduler = Scheduler(chance)
        self.store = MemoryStore(TrueClock(self.scheduler))
        self.hours = chance.below("hours", 72) + 12
        self.rate = (1, 3, 25)[chance.below("rate", 3)]
        self.precision = PRECISION
        self.interval_hours = (1, 6, 24)[chance.below("interval", 3)]
        self.same_time = chance.unit("clocks") < 0.6
        """Whether the instances' clocks agree well enough for the pace; in the other seeds they differ by up to 10 s."""
        self.alone = self._alone()
        """Whether one process does all the sending, as on one machine."""
        self.bad_day = self._bad_day()
        pairs = [
            a_pair(number + 1, notification_status=True, notification_id=700 + number)
            for number in range(chance.below("pairs", 6) + (1 if self.bad_day is None else PAIRS_OF_A_BAD_DAY))
        ]
        self.pair_ids = [pair.id for pair in pairs]
        for pair in pairs:
            self.store.create(PAIRS, pair.id, pair)
        chats = frozenset(chat for pair in pairs for chat in (pair.open_chat_id, pair.closed_chat_id))
        self.telegram = SimulatedTelegram(self.scheduler, chats, list(self._curses(sorted(chats))))
        self.answers: list[Answer] = []
        self.unexpected: list[str] = []
        self.finished: set[str] = set()
        """Names of the handlers that came to their own end."""
        self._instances = {
            topic: [self._instance(f"{topic.value}-{n}") for n in range(1 if self.alone else 2)] for topic in Topic
        }
        self._owners = [self._instance(f"trigger-{n}") for n in range(2)]
        self._engines: dict[str, Engine] = {}
        self._senders: dict[tuple[str, int], Sender] = {}
        self._looked_at, self._wake = -1, 0

    @property
    def days(self) -> float:
        """Pairs times days."""
        return len(self.pair_ids) * (self.hours + QUIET_HOURS) / 24

    def run(self) -> None:
        """From NOON to the end."""
        end = self.hours * HOUR
        for number in range(self.chance.below("actions", 4 * self.hours // self.interval_hours + 6)):
            self._plan_action(number, end)
        self.scheduler.at(0, lambda: self._tick(end + QUIET_HOURS * HOUR))
        self.scheduler.at(end, self._calm)
        with ids_from(self.scheduler):
            while self.scheduler.step():
                pass

    def engine_of(self, instance: Instance) -> Engine:
        """What the functions of this process work with."""
        if instance.name not in self._engines:
            clock = SimulatedClock(self.scheduler, instance)
            self._engines[instance.name] = Engine(
                store=SimulatedStore(self.scheduler, self.store),
                bus=SimulatedBus(self.scheduler, self._carry),
                telegram=self.telegram,
                clock=clock,
                settings=Settings(
                    {
                        "TELEGRAM_RATE": str(self.rate),
                        "BROADCAST_AUTO_INTERVAL": str(self.interval_hours),
                        "BROADCAST_MANUAL_INTERVAL": str(MANUAL_MINUTES / 60),
                    }
                ),
                precision=self.precision,
                departures=Alone(clock) if self.alone else OneOfMany(clock),
                bot_username=lambda: "harbor_bot",
            )
        return self._engines[instance.name]

    def _instance(self, name: str) -> Instance:
        drawn = self.chance.unit(f"skew {name}") * 2 - 1
        return Instance(name, drawn * (0.005 if self.same_time else 5.0))

    def _alone(self) -> bool:
        return self.chance.unit("alone") < 0.3

    def _bad_day(self) -> Curse | None:
        """Hours in which Telegram refuses everybody, from just before a time when all pairs are due."""
        chance, first = self.chance, self.interval_hours
        if chance.unit("bad day") > 0.1 or not chance.allowed("Telegram refuses everybody for hours"):
            return None
        begin = chance.below("bad day begins", max(1, (self.hours - 10) // first)) * first * HOUR
        hours = min(self.hours - begin // HOUR, 9 + chance.below("bad day lasts", 6))
        return Curse(None, begin, begin + hours * HOUR, BAD_DAY)

    def _curses(self, chats: list[int]) -> Iterator[Curse]:
        """On a bad day single chats are spared: its pairs must be due together, or nothing would tell it from their own faults."""
        if self.bad_day is not None:
            yield self.bad_day
            return
        for chat in chats:
            if self.chance.unit(f"cursed {chat}") < 0.1 and self.chance.allowed(f"{chat} is closed to the bot"):
                begin = self.chance.below(f"curse begins {chat}", self.hours) * HOUR
                yield Curse(chat, begin, begin + (self.chance.below(f"curse lasts {chat}", 30) + 1) * HOUR)

    def _calm(self) -> None:
        self.chance.quiet = True
        self.scheduler.note("From here on nothing goes wrong.")

    # Ticks

    def _tick(self, end: int) -> None:
        if self._wake_micros() <= self.scheduler.micros + MINUTE or self.scheduler.tasks:
            self._carry(TickEvent(), f"tick at {self.scheduler.micros // MINUTE} min")
        following = self.scheduler.micros + MINUTE
        if following <= end:
            self.scheduler.at(following, lambda: self._tick(end))

    def _wake_micros(self) -> int:
        """When the first pair is due: a minute in which nothing can be is not simulated."""
        if self._looked_at != self.store.writes:
            self._looked_at = self.store.writes
            woken = [stored.record.wake_at for stored in self.store.all_pairs()]
            start = self.scheduler.now() - timedelta(microseconds=self.scheduler.micros)
            self._wake = min(((w - start) // timedelta(microseconds=1) for w in woken if w is not None), default=2**62)
        return self._wake

    # Events on their way

    def _carry(self, event: Event, name: str) -> None:
        """Deliver the event, perhaps twice, late or never."""
        fault = self.chance.fault(f"{name} {event.topic.value}", ON_ITS_WAY)
        if fault is not None:
            self.scheduler.note(f"the event {name} {fault}")
        if fault == "is lost":
            return
        seconds = self.chance.unit(f"way {name}") * 0.05
        if fault == "comes late":
            seconds += self.chance.unit(f"late {name}") ** 3 * 4000
        published = self.scheduler.now()
        data = {
            "message": {
                "data": b64encode(encode(event)).decode(),
                "messageId": name,
                "publishTime": published.isoformat(),
            }
        }
        attributes = {"id": name, "source": "//simulation", "type": "google.cloud.pubsub.topic.v1.messagePublished"}
        for copy in range(2 if fault == "comes twice" else 1):
            cloud_event = CloudEvent(attributes, data)
            at = self.scheduler.micros + round(seconds * 1e6) + copy * _soon(self.chance, f"second {name}", 20)
            self._deliver(event, cloud_event, f"{name}{'*' * copy}", 1, at)

    def _deliver(self, event: Event, cloud_event: CloudEvent, name: str, attempt: int, at: int) -> None:
        def begin() -> None:
            instances = self._instances[event.topic]
            instance = instances[self.chance.below(f"instance {name} {attempt}", len(instances))]
            task_name = f"{instance.name}({name}{'' if attempt == 1 else f', try {attempt}'})"
            body = self._body(event, cloud_event, instance)
            self.scheduler.spawn(Task(task_name, instance, body, lambda error: ended(error, task_name)))

        def ended(error: BaseException | None, task_name: str) -> None:
            if error is None:
                self.finished.add(task_name)
            if error is None and self.chance.fault(task_name, ACKNOWLEDGEMENT) is None:
                return
            if error is not None and not isinstance(error, Died | ServiceUnavailable):
                self.unexpected.append(f"{task_name}: {type(error).__name__}: {error}")
            seconds = DEADLINE_SECONDS if error is None or isinstance(error, Died) else min(60, 2**attempt)
            if attempt < MOST_ATTEMPTS:
                self._deliver(event, cloud_event, name, attempt + 1, self.scheduler.micros + seconds * 1_000_000)

        self.scheduler.at(at, begin)

    def _body(self, event: Event, cloud_event: CloudEvent, instance: Instance) -> Callable[[], None]:
        engine = self.engine_of(instance)
        match event:
            case TickEvent():
                return lambda: consume(cloud_event, TickEvent, lambda _, p: tick.run(engine, p), clock=engine.clock)
            case BroadcastEvent():
                return lambda: consume(cloud_event, BroadcastEvent, lambda e, _: fan_out(engine, e), clock=engine.clock)
            case MessageEvent():
                sender = self._sender(instance)

                def handle(event: MessageEvent) -> None:
                    if event.take_down:
                        take_down(engine, event)
                    else:
                        sender.send(event)

                return lambda: consume(cloud_event, MessageEvent, lambda e, _: handle(e), clock=engine.clock)
        raise AssertionError(event)

    def _sender(self, instance: Instance) -> Sender:
        """One a process; a process that died comes back with a new one."""
        key = (instance.name, instance.deaths)
        if key not in self._senders:
            sender: Any = Sender(self.engine_of(instance))
            sender._reserving = Baton(self.scheduler)
            self._senders[key] = sender
        return self._senders[key]

    # People

    def _plan_action(self, number: int, end: int) -> None:
        chance = self.chance
        at = chance.below(f"action {number} at", end)
        if number and chance.unit(f"action {number} follows") < 0.3:
            at = chance.below(f"action {number - 1} at", end) + _soon(chance, f"action {number} after", 400)
        what = ACTIONS[chance.below(f"action {number} is", len(ACTIONS))]
        if self.bad_day is not None:
            at, what = max(at, self.bad_day.begin + HOUR), "resend"
        pair_id = self.pair_ids[chance.below(f"action {number} pair", len(self.pair_ids))]
        if what == "end" and chance.unit(f"action {number} really") < 0.8:
            what = "resend"
        if not chance.allowed(f"action {number}: {what}"):
            return
        for twin in range(2 if what == "twice at once" else 1):
            self.scheduler.at(at, partial(self._act, f"action {number}{'*' * twin}", what, pair_id))
        if what == "resend, then regret":
            later = at + _soon(chance, f"action {number} regretted", 120)
            self.scheduler.at(min(later, end), partial(self._act, f"action {number} regretted", "pause", pair_id))
        if what == "pause all":
            later = at + (chance.below(f"action {number} lifted", 90) + 1) * MINUTE
            self.scheduler.at(later, partial(self._act, f"action {number} lifted", "resume all", pair_id))

    def _act(self, name: str, what: str, pair_id: str) -> None:
        instance = self._owners[self.chance.below(f"instance {name}", len(self._owners))]
        task_name = f"{instance.name}({name}: {what})"
        again = partial(self._act, f"{name} again", what, pair_id)
        self.scheduler.spawn(
            Task(
                task_name,
                instance,
                partial(self._do, task_name, instance, what, pair_id),
                lambda error: self._acted(task_name, again, what, error),
            )
        )

    def _acted(self, task_name: str, again: Callable[[], None], what: str, error: BaseException | None) -> None:
        """What could not be done stays undone; but an operator who lifts a pause tries until it is lifted."""
        if error is None:
            return
        if not isinstance(error, StoreUnavailable | BusUnavailable | Died):
            self.unexpected.append(f"{task_name}: {type(error).__name__}: {error}")
        elif what == "resume all":
            self.scheduler.at(self.scheduler.micros + MINUTE, again)

    def _do(self, task_name: str, instance: Instance, what: str, pair_id: str) -> None:
        engine = self.engine_of(instance)
        handler = Actions(engine)
        match what:
            case "resend" | "twice at once" | "resend, then regret":
                self._resend(handler, pair_id)
            case "pause":
                handler.pause(OWNER, pair_id)
            case "resume":
                handler.resume(OWNER, pair_id)
            case "edit" | "spoil":
                wish = "" if what == "spoil" else f"Thank you {task_name}"
                changes = {"closed_channel_donation_message": wish}
                update(
                    engine.store,
                    PAIRS,
                    pair_id,
                    lambda p, now: owner.edit(p, now=now, changes=changes, policy=engine.policy),
                )
            case "end":
                update(engine.store, PAIRS, pair_id, lambda p, now: owner.end(p, now=now, take_down=True))
            case "pause all":
                update_pace(engine.store, lambda p, now: pause_all(p, now=now, reason="simulated"))
            case "resume all":
                update_pace(engine.store, lambda p, _: resume_all(p))

    def _resend(self, handler: Actions, pair_id: str) -> None:
        status, unknown = 200, False
        try:
            handler.trigger(OWNER, pair_id)
        except Refusal as refusal:
            status = refusal.status
            unknown = str(refusal) == NOBODY_KNOWS
        task = self.scheduler.current
        if unknown:
            # Both what was begun and what was not is then as it was said.
            self.scheduler.note(f"{task.name}: the owner is told that nobody knows")
            return
        self.scheduler.note(f"{task.name}: the owner is answered {status}")
        self.answers.append(Answer(pair_id, tuple(task.ids), status))
