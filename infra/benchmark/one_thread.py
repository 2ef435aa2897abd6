"""The functions on SQLite in this thread, event by event, on a clock that passes only in waits: for counting and for timing."""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from functions_framework import create_app

from infra.benchmark.counting_store import CountingStore
from infra.benchmark.owner import SECRET, authorization
from infra.benchmark.records import fill, make_due
from infra.benchmark.telegram_process import BOT, TOKEN
from infra.benchmark.waiting import NotDone
from infra.embedded.database import Database
from infra.embedded.dispatch import hand_over
from infra.embedded.event_queue import Taken
from infra.embedded.service import CONSUMERS, FUNCTIONS, PRECISION, load_function
from infra.embedded.sqlite_queue import SqliteQueue
from infra.embedded.sqlite_store import SqliteStore
from infra.telegram_simulator.server import SimulatorServer
from infra.telegram_simulator.simulator import Simulator
from shared import engine
from shared.departures import Alone
from shared.engine import Engine
from shared.events import MessageEvent, TickEvent, Topic, decode
from shared.pair import Pair
from shared.settings import Settings
from shared.telegram_http import TelegramHttp

MOST_EVENTS = 1000
"""Taken at a time."""


class SteppingClock:
    """Begins now; a wait moves it on by its length and returns at once."""

    def __init__(self) -> None:
        self._began = self._now = datetime.now(UTC)

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._began).total_seconds()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> None:
        """Let so much time pass."""
        self._now += by


class CountingDatabase(Database):
    """Counts each use of the database, which is a transaction."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.transactions = 0

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        self.transactions += 1
        with super().transaction() as connection:
            yield connection

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        self.transactions += 1
        return super().execute(statement, parameters)

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        self.transactions += 1
        return super().rows(statement, parameters)


class OneThread:
    """All functions on one file in this folder, with these pairs, once entered."""

    def __init__(self, folder: Path) -> None:
        self.clock = SteppingClock()
        self._database = CountingDatabase(folder / "one-thread.db")
        self._inside = SqliteStore(self._database, self.clock)
        self._store = CountingStore(self._inside)
        self._queue = SqliteQueue(self._database, self.clock)
        self._server = SimulatorServer(Simulator(self.clock, accept_unknown_channels=True, bot_username=BOT))

    @property
    def counts(self) -> Counter[str]:
        """Operations on the store and transactions of the database since they were last forgotten."""
        return self._store.counts + Counter(transaction=self._database.transactions)

    def forget_counts(self) -> None:
        """Count anew."""
        self._store.counts.clear()
        self._database.transactions = 0

    def fill(self, pairs: Sequence[Pair]) -> None:
        """Store new pairs in one transaction, uncounted."""
        fill(self._database, self._inside, pairs)

    def make_due(self) -> None:
        """Have every pair's next broadcast begin now, uncounted."""
        make_due(self._database, self._inside, self.clock.now())

    def tick(self) -> None:
        """Publish a tick and let everything happen that follows from it."""
        self._queue.publish([TickEvent()])
        self._run()

    def press(self, pair: Pair) -> None:
        """Press Resend for this pair and let everything happen that follows from it."""
        client = self._trigger.test_client()
        answer = client.post("/api/broadcast/trigger", json={"broadcast_id": pair.id}, headers=authorization())
        if answer.status_code != 200:
            raise NotDone(f"Resend was answered {answer.status_code}: {answer.text}")
        self._run()

    def _run(self) -> None:
        """Deliver events until none can be delivered now, messages in the order of their slots."""
        while sum(self._deliver(topic) for topic in Topic):
            pass

    def __enter__(self) -> "OneThread":
        self._server.start()
        self._telegram = TelegramHttp(self._server.url, lambda: TOKEN, monotonic=self.clock.monotonic)
        engine.use(
            Engine(
                store=self._store,
                bus=self._queue,
                telegram=self._telegram,
                clock=self.clock,
                settings=Settings({"JWT_SECRET_KEY": SECRET}),
                precision=PRECISION,
                departures=Alone(self.clock),
                bot_username=lambda: BOT,
            )
        )
        self._functions = {topic: load_function(name) for topic, name in CONSUMERS.items()}
        self._trigger = create_app("trigger", str(FUNCTIONS / "trigger" / "main.py"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._telegram.close()
        self._server.stop()
        self._database.close()

    def _deliver(self, topic: Topic) -> int:
        taken = self._queue.take(topic, MOST_EVENTS)
        if topic is Topic.MESSAGES:
            taken.sort(key=lambda event: decode(MessageEvent, event.data).slot)
        for event in taken:
            self._hand_over(event)
        return len(taken)

    def _hand_over(self, event: Taken) -> None:
        why = hand_over(self._functions[event.topic], event)
        if why is not None:
            raise NotDone(f"an event of {event.topic} was not handled: {why}")
        self._queue.acknowledge(event)
