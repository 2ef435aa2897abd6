"""The four protocols, with everything that can go wrong with them."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from shared import telegram
from shared.bus import BusUnavailable
from shared.clock import Stopping
from shared.events import Event
from shared.messages import Message
from shared.pair import HistoryEntry, Pair
from shared.store import AlreadyExists, Changed, Collection, Stored, StoreUnavailable
from shared.telegram_answers import RESTARTING, read_answer
from tests.memory.store import MemoryStore
from tests.simulation.chance import Chance, Options
from tests.simulation.scheduler import Died, Instance, Scheduler

R = TypeVar("R", bound=msgspec.Struct)
T = TypeVar("T")

DEATHS: Options = ((0.002, "dies before"), (0.002, "dies after"))
READS: Options = (*DEATHS, (0.006, "refused"))
WRITES: Options = (*DEATHS, (0.01, "refused"), (0.006, "applied, no answer"), (0.006, "applied, said changed"))
PUBLICATIONS: Options = (*DEATHS, (0.01, "refused"), (0.01, "published, no answer"))
DELETIONS: Options = (*DEATHS, (0.02, "never left"))
CALLS: Options = (
    (0.004, "dies before"),
    (0.004, "dies after"),
    (0.05, "catalogue"),
    (0.01, "accepted, no answer"),
    (0.02, "never left"),
    (0.006, "lost"),
    (0.01, "frozen with the answer in hand"),
)
READ_TIMEOUT = 45.0
FROZEN_SECONDS = 200.0
"""Longer than a call may take before it counts as dead."""
LONGEST_FLOOD = 1800
CURSE = "Forbidden: bot was kicked from the channel chat"
BAD_DAY = "Bad Request: not enough rights to send text messages to the chat"
"""What Telegram answered everybody on 2023-10-31, full administrators as well; on any other day it is the pair's own fault."""

_ENTRIES: list[dict[str, Any]] = [
    entry
    for entry in json.loads((Path(__file__).parents[1] / "data" / "telegram-errors.json").read_text())
    if isinstance(entry.get("http_status"), int) and {"*", "sendMessage"} & set(entry["methods"])
]
CATALOGUE: tuple[tuple[float, list[dict[str, Any]]], ...] = (
    (0.25, [e for e in _ENTRIES if e["http_status"] == 429]),
    (0.20, [e for e in _ENTRIES if e["http_status"] >= 500]),
    (0.03, [e for e in _ENTRIES if e["http_status"] in {401, 404}]),
    (0.07, [e for e in _ENTRIES if "migrate_to_chat_id" in (e.get("parameters") or {})]),
    (0.45, [e for e in _ENTRIES if e["http_status"] in {400, 403, 413, 421}]),
)
"""How often each kind is drawn; within its kind every entry is as likely as another."""


def effect(scheduler: Scheduler, what: str, options: Options, apply: Callable[[], T]) -> tuple[T | None, str | None]:
    """Pass the baton, do it, pass the baton again; its result, and the fault that happened besides."""
    task = scheduler.current
    key = f"{task.name} {task.steps} {what}"
    scheduler.pause(latency(scheduler, f"before {key}"))
    fault = scheduler.chance.fault(key, options)
    if fault == "dies before":
        die(scheduler, key, fault)
    result = None
    if fault not in {"refused", "never left"}:
        result = apply()
    scheduler.note(key if fault is None else f"{key}: {fault}")
    if fault == "dies after":
        die(scheduler, key, fault)
    scheduler.pause(latency(scheduler, f"after {key}"))
    return result, fault


def latency(scheduler: Scheduler, key: str) -> float:
    """Seconds an effect takes: mostly milliseconds, now and then seconds."""
    drawn = scheduler.chance.unit(key)
    slow = scheduler.chance.intensity > 0 and not scheduler.chance.quiet and drawn > 0.99
    return (drawn - 0.99) * 500 if slow else (0.001 + drawn * 0.01) * scheduler.slowness


def die(scheduler: Scheduler, key: str, fault: str) -> None:
    """The process ends here, with every handler in it."""
    scheduler.note(f"{key}: {fault}")
    scheduler.current.instance.deaths += 1
    raise Died


class SimulatedClock:
    """An instance's clocks; the wall clock is wrong by its skew."""

    def __init__(self, scheduler: Scheduler, instance: Instance) -> None:
        self._scheduler, self._instance = scheduler, instance

    def now(self) -> datetime:
        return self._scheduler.now() + timedelta(seconds=self._instance.skew)

    def monotonic(self) -> float:
        return self._scheduler.micros / 1e6

    def sleep(self, seconds: float) -> None:
        task = self._scheduler.current
        if self._scheduler.chance.fault(f"{task.name} {task.steps} waits", ((0.002, "told to stop"),)):
            self._scheduler.note(f"{task.name} is told to stop while it waits")
            raise Stopping
        if seconds > 0:
            self._scheduler.pause(seconds)


class TrueClock:
    """The store's own."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def now(self) -> datetime:
        return self._scheduler.now()

    def monotonic(self) -> float:
        return self._scheduler.micros / 1e6

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"a store does not wait, not for {seconds} s")


class SimulatedStore:
    """Refuses, or applies and then fails."""

    def __init__(self, scheduler: Scheduler, inside: MemoryStore) -> None:
        self._scheduler, self._inside = scheduler, inside

    def get(self, collection: Collection[R], id: str) -> Stored[R] | None:
        return self._read(f"reads {collection.name}", lambda: self._inside.get(collection, id))

    def create(self, collection: Collection[R], id: str, record: R) -> None:
        self._write(
            f"creates {collection.name}", lambda: self._inside.create(collection, id, record), AlreadyExists(id)
        )

    def replace(self, collection: Collection[R], stored: Stored[R], record: R) -> Stored[R]:
        return self._write(
            f"writes {collection.name}", lambda: self._inside.replace(collection, stored, record), Changed(stored.id)
        )

    def due_pairs(self, now: datetime, limit: int, *, stuck: bool = False) -> Sequence[Stored[Pair]]:
        return self._read("looks for due pairs", lambda: self._inside.due_pairs(now, limit, stuck=stuck))

    def count_due(self, now: datetime) -> int:
        return self._read("counts due pairs", lambda: self._inside.count_due(now))

    def count_running(self) -> int:
        return self._read("counts", self._inside.count_running)

    def count_attempted(self, since: datetime) -> int:
        return self._read("counts attempts", lambda: self._inside.count_attempted(since))

    def count_refused(self, since: datetime) -> int:
        return self._read("counts refusals", lambda: self._inside.count_refused(since))

    def pairs_of_client(self, client_id: str) -> Sequence[Stored[Pair]]:
        return self._read("reads a client's", lambda: self._inside.pairs_of_client(client_id))

    def pairs_of_channel(self, channel_id: int) -> Sequence[Stored[Pair]]:
        return self._read("reads a channel's", lambda: self._inside.pairs_of_channel(channel_id))

    def all_pairs(self) -> Iterator[Stored[Pair]]:
        return iter(self._read("reads all", lambda: list(self._inside.all_pairs())))

    def history(self, pair_id: str, *, before: datetime | None, limit: int) -> Sequence[Stored[HistoryEntry]]:
        return self._read("reads history", lambda: self._inside.history(pair_id, before=before, limit=limit))

    def _read(self, what: str, apply: Callable[[], T]) -> T:
        result, fault = effect(self._scheduler, what, READS, apply)
        if fault is not None:
            raise StoreUnavailable(fault)
        return cast("T", result)

    def _write(self, what: str, apply: Callable[[], T], lost_race: Exception) -> T:
        def tried() -> T | AlreadyExists | Changed:
            try:
                return apply()
            except (AlreadyExists, Changed) as error:
                return error

        result, fault = effect(self._scheduler, what, WRITES, tried)
        if fault == "applied, said changed":
            raise lost_race
        if fault is not None:
            raise StoreUnavailable(fault)
        if isinstance(result, AlreadyExists | Changed):
            raise result
        return cast("T", result)


class SimulatedBus:
    """Publishes; what becomes of an event on its way is for `carry`."""

    def __init__(self, scheduler: Scheduler, carry: Callable[[Event, str], None]) -> None:
        self._scheduler, self._carry = scheduler, carry

    def publish(self, events: Sequence[Event]) -> None:
        task = self._scheduler.current
        prefix = f"{task.name}.{task.steps}"

        def apply() -> None:
            for number, event in enumerate(events):
                self._carry(event, f"{prefix}.{number}")

        _, fault = effect(self._scheduler, "publishes", PUBLICATIONS, apply)
        if fault is not None:
            raise BusUnavailable(fault)


@dataclass
class Accepted:
    """A message that Telegram took."""

    micros: int
    chat: int
    message_id: int
    attempt_id: str
    task: str
    answered: bool = False
    """Whether the caller was told its id."""
    gone: bool = False


@dataclass(frozen=True)
class Curse:
    """From then until then, a chat refuses everything; without a chat, every chat does."""

    chat: int | None
    begin: int
    end: int
    words: str = CURSE


class SimulatedTelegram:
    """Takes messages and remembers them; answers with anything in the catalogue, or not at all."""

    def __init__(self, scheduler: Scheduler, chats: frozenset[int], curses: Sequence[Curse]) -> None:
        self._scheduler = scheduler
        self._chats = chats
        self._curses = curses
        self.accepted: list[Accepted] = []
        self.notices: list[int] = []
        self.refused: set[str] = set()
        """Attempts that were answered with a refusal, or with a chat's new id."""
        self.emptied: list[tuple[int, datetime]] = []
        self.moved: dict[int, int] = {}

    def make_ready(self) -> None:
        return None

    def send_message(self, chat: int, message: Message, *, may_leave: Callable[[], bool]) -> telegram.Outcome:
        scheduler = self._scheduler
        task = scheduler.current
        key = f"{task.name} {task.steps} sends"
        if not may_leave():
            return telegram.TooLate()
        assert message.html
        scheduler.pause(scheduler.chance.unit(f"way {key}") * 0.04)
        fault = scheduler.chance.fault(key, CALLS)
        if fault == "dies before":
            die(scheduler, key, fault)
        if fault == "never left":
            scheduler.note(f"{key}: {fault}")
            return telegram.NotDelivered("the connection was refused")
        if fault == "lost":
            scheduler.note(f"{key}: {fault}")
            scheduler.pause(READ_TIMEOUT)
            return telegram.Unconfirmed("no answer in 45 s")
        words = self._cursed(chat)
        if words is not None:
            return self._answer(chat, key, {"http_status": 400, "description": words})
        if fault == "catalogue":
            return self._answer(chat, key, _drawn(scheduler.chance, key))
        taken = self._accept(chat)
        if fault == "dies after":
            die(scheduler, key, fault)
        if fault == "accepted, no answer":
            scheduler.note(f"{key}: {fault}")
            scheduler.pause(READ_TIMEOUT)
            return telegram.Unconfirmed("no answer in 45 s")
        scheduler.pause(latency(scheduler, f"answer {key}"))
        if fault is not None:
            scheduler.note(f"{key}: {fault}")
            scheduler.pause(FROZEN_SECONDS)
        taken.answered = True
        return telegram.Sent(taken.message_id)

    def delete_messages(self, chat: int, message_ids: Sequence[int]) -> telegram.Outcome:
        return self._remove(f"deletes {list(message_ids)}", chat, message_ids, empties=True)

    def edit_text(self, chat: int, message_id: int, text: str) -> telegram.Outcome:
        assert text
        return self._remove(f"edits {message_id} down", chat, [message_id], empties=False)

    def get_me(self) -> telegram.Bot | telegram.Outcome:
        return telegram.Bot(1, "bot")

    def membership(self, chat: int) -> telegram.Membership | telegram.Outcome:
        found, fault = effect(
            self._scheduler,
            f"looks at {chat}",
            DELETIONS,
            lambda: telegram.Membership("channel", "", "administrator", True, None),
        )
        return telegram.NotDelivered(fault or "") if found is None else found

    def _remove(self, what: str, chat: int, message_ids: Sequence[int], *, empties: bool) -> telegram.Outcome:
        def apply() -> None:
            for message in self.accepted:
                message.gone = message.gone or (message.chat == chat and message.message_id in message_ids)
            if empties and all(message.gone for message in self.accepted if message.chat == chat):
                self.emptied.append((chat, self._scheduler.now()))

        _, fault = effect(self._scheduler, what, DELETIONS, apply)
        return telegram.Done() if fault is None else telegram.NotDelivered(fault)

    def _cursed(self, chat: int) -> str | None:
        now = self._scheduler.micros
        return next((c.words for c in self._curses if c.chat in {chat, None} and c.begin <= now < c.end), None)

    def _accept(self, chat: int) -> Accepted:
        scheduler = self._scheduler
        task = scheduler.current
        message = Accepted(scheduler.micros, chat, len(self.accepted) + len(self.notices) + 1, "", task.name)
        if chat in self._chats or chat in self.moved.values():
            message.attempt_id = task.ids[-1]
            self.accepted.append(message)
        else:
            self.notices.append(scheduler.micros)
        scheduler.note(f"{task.name}: Telegram takes message {message.message_id} for chat {chat}")
        return message

    def _answer(self, chat: int, key: str, entry: dict[str, Any]) -> telegram.Outcome:
        scheduler, chance = self._scheduler, self._scheduler.chance
        parameters = dict(entry.get("parameters") or {})
        if parameters.get("retry_after", RESTARTING) != RESTARTING:
            flood = chance.unit(f"flood {key}")
            parameters["retry_after"] = int(flood * LONGEST_FLOOD) + 6 if flood > 0.8 else parameters["retry_after"]
        if "migrate_to_chat_id" in parameters:
            parameters["migrate_to_chat_id"] = self.moved.setdefault(chat, chat - 10**10)
        if entry.get("delivered") == "unknown" and chance.unit(f"taken {key}") < 0.5:
            self._accept(chat)
        scheduler.note(f"{key}: Telegram answers {entry['http_status']} {entry['description']} {parameters or ''}")
        scheduler.pause(chance.unit(f"answer {key}") * 8)
        body: dict[str, Any] = {"ok": False, "description": entry["description"], "parameters": parameters}
        outcome = read_answer(entry["http_status"], body, sends=True)
        if isinstance(outcome, telegram.Refused | telegram.Migrated) and scheduler.current.ids:
            self.refused.add(scheduler.current.ids[-1])
        return outcome


def _drawn(chance: Chance, key: str) -> dict[str, Any]:
    drawn = chance.unit(f"kind {key}")
    for share, entries in CATALOGUE:
        drawn -= share
        if drawn < 0:
            return entries[chance.below(f"entry {key}", len(entries))]
    raise AssertionError("the shares make one")
