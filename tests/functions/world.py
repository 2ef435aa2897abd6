"""All functions together in one thread: memory backends, time that passes only in waits, and the simulated Telegram over HTTP."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from functions_framework import create_app

from infra.embedded.event_queue import Taken
from infra.telegram_simulator.limits import Limits
from infra.telegram_simulator.server import SimulatorServer
from infra.telegram_simulator.simulator import Simulator
from shared import engine
from shared.clock import Clock
from shared.departures import Departures, OneOfMany
from shared.engine import Engine, Precision
from shared.events import MessageEvent, TickEvent, Topic, decode
from shared.pair import Channel, Delivery, Pair, Run
from shared.settings import BOT_TOKEN, PAID_BROADCAST, Settings
from shared.store import PAIRS, Store
from shared.telegram_http import TelegramHttp
from tests.clocks import ManualClock
from tests.functions.posting import post
from tests.memory.queue import MemoryQueue
from tests.memory.store import MemoryStore

FUNCTIONS = Path(__file__).parents[2] / "functions"
CONSUMERS = {Topic.TICKS: "tick", Topic.BROADCASTS: "fanout", Topic.MESSAGES: "send"}
PAGES = ("trigger", "dashboard")
SECRET = "a-secret-of-the-website-that-is-long-enough"
TOKEN = "123456789:AAE-known-token-of-the-tests-0123456789"
BOT = "test_shop_bot"


@dataclass
class World:
    """What a test needs of the whole."""

    clock: ManualClock
    store: MemoryStore
    queue: MemoryQueue
    simulator: Simulator
    apps: dict[str, Flask]
    statuses: list[tuple[str, int]] = field(default_factory=list)
    """What each function answered, in order."""

    def add(self, *pairs: Pair) -> None:
        """Store pairs and register their channels with the simulated Telegram."""
        for pair in pairs:
            self.store.create(PAIRS, pair.id, pair)
            self.simulator.add_channel(pair.open_chat_id, pair.open_channel_title)
            self.simulator.add_channel(pair.closed_chat_id, pair.closed_channel_title)

    def pair(self, pair: Pair) -> Pair:
        """The pair as it is stored now."""
        stored = self.store.get(PAIRS, pair.id)
        assert stored is not None
        return stored.record

    def last(self, pair: Pair) -> Run:
        """The pair's last finished run."""
        run = self.pair(pair).last_broadcast
        assert run is not None
        return run

    def delivery(self, pair: Pair, channel: Channel) -> Delivery:
        """The message of the pair's run, the current one or else the last."""
        run = self.pair(pair).run
        return (run if run is not None else self.last(pair)).delivery(channel)

    def visible(self, pair: Pair, channel: Channel) -> list[int]:
        """Ids of the messages that stand in the channel."""
        return [message.message_id for message in self.simulator.visible(pair.chat(channel))]

    def tick(self) -> None:
        """Publish a tick and let everything happen that follows from it."""
        self.queue.publish([TickEvent()])
        self.run()

    def run(self, only: Iterable[Topic] = tuple(Topic)) -> None:
        """Deliver events until none can be delivered now."""
        topics = list(only)
        while sum(self._deliver(topic) for topic in topics):
            pass

    def deliver(self, taken: Taken) -> int:
        """Hand one event to its function, without acknowledging it; the status."""
        name = CONSUMERS[taken.topic]
        status, _ = post(self.apps[name], taken)
        self.statuses.append((name, status))
        return status

    def _deliver(self, topic: Topic) -> bool:
        taken = self.queue.take(topic, 1000)
        if topic is Topic.MESSAGES:
            taken.sort(key=lambda t: decode(MessageEvent, t.data).slot)
        for event in taken:
            status = self.deliver(event)
            if 200 <= status < 300:
                self.queue.acknowledge(event)
            else:
                self.queue.give_back(event, str(status))
        return bool(taken)

    def api(self) -> FlaskClient:
        """A client of the trigger function."""
        return self.apps["trigger"].test_client()


def make_world(
    *,
    environ: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    store: Callable[[MemoryStore], Store] = lambda store: store,
    bus: Callable[[MemoryQueue], Any] = lambda queue: queue,
    departures: Callable[[Clock], Departures] = OneOfMany,
) -> "tuple[World, Callable[[], None]]":
    """A world, and what closes it. `store` and `bus` may wrap what the functions get to see."""
    clock = ManualClock()
    memory, queue = MemoryStore(clock), MemoryQueue(clock)
    simulator = Simulator(clock, limits=limits or Limits(), bot_username=BOT)
    server = SimulatorServer(simulator)
    server.start()
    given = {"JWT_SECRET_KEY": SECRET, "CORS_ORIGINS": "https://www.example.com", **(environ or {})}
    settings = Settings(given, monotonic=clock.monotonic)
    telegram = TelegramHttp(
        server.url,
        lambda: settings.get(BOT_TOKEN) or TOKEN,
        paid=lambda: settings.get(PAID_BROADCAST),
        monotonic=clock.monotonic,
    )
    engine.use(
        Engine(
            store=store(memory),
            bus=bus(queue),
            telegram=telegram,
            clock=clock,
            settings=settings,
            precision=Precision(spread=0.015, lead=0.05, prepare=0.004),
            departures=departures(clock),
            bot_username=lambda: BOT,
        )
    )
    apps = {name: create_app(name, str(FUNCTIONS / name / "main.py")) for name in (*CONSUMERS.values(), *PAGES)}

    def close() -> None:
        telegram.close()
        server.stop()

    return World(clock, memory, queue, simulator, apps), close
