"""Production on one machine: both emulators, each function a process from its bundle, the relay, a simulated Telegram, ticks."""

import csv
import io
import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from uuid import uuid4

from google.cloud import firestore

from infra.operator.import_pairs import import_pairs
from infra.operator.pairs_csv import parse
from infra.rehearsal.emulators import Emulator, emulator
from infra.rehearsal.firestore_proxy import Operations, firestore_proxy
from infra.rehearsal.processes import FunctionProcess
from infra.rehearsal.pubsub import Pubsub, declared
from infra.rehearsal.relay import Mischief, Relay
from infra.telegram_simulator.limits import Limits
from infra.telegram_simulator.server import SimulatorServer
from infra.telegram_simulator.simulator import Simulator
from shared.bus import BusUnavailable
from shared.clock import MachineClock
from shared.engine import policy_of
from shared.events import TickEvent
from shared.firestore_store import FirestoreStore
from shared.pair import Channel, Pair, replace
from shared.pubsub_bus import PubsubBus
from shared.settings import Settings
from shared.store import PAIRS

SAMPLE = Path(__file__).parents[1] / "sample" / "pairs.csv"
BOT = "rehearsal_broadcast_bot"
TOKEN = "1000000002:rehearsal-of-production-takes-any-token"
SECRET = "the-secret-of-a-rehearsal-that-is-over-soon"
MOST_THREADS = 256
LOOK_SECONDS = 0.2


class TooSlow(Exception):
    """Raised when what is waited for does not come; the text says what there is instead."""


class Production:
    """Everything that runs, once entered. `settings` go to every function."""

    def __init__(
        self,
        build: Path,
        *,
        folder: Path,
        settings: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        mischief: Mischief | None = None,
        tick_seconds: float = 60.0,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._build = build
        self._folder = folder
        self._settings = dict(settings or {})
        self._mischief = mischief
        self._tick_seconds = tick_seconds
        self._say = say
        self._stack = ExitStack()
        self._stop = Event()
        self.operations = Operations()
        self.simulator = Simulator(
            MachineClock(), limits=limits or Limits(), bot_username=BOT, accept_unknown_channels=True
        )
        self.project = f"rehearsal-{uuid4().hex[:8]}"
        self.processes: dict[str, FunctionProcess] = {}
        self.firestore: Emulator
        self.pubsub_emulator: Emulator
        self.store: FirestoreStore
        self.relay: Relay

    def __enter__(self) -> "Production":
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._stack.close()

    def import_pairs(self, count: int) -> None:
        """Store so many pairs, all due now; past the operations that are counted."""
        parsed = parse([("sample", sample(count))])
        assert not parsed.defects, parsed.defects
        import_pairs(self.store, parsed.rows, now=MachineClock().now(), policy=policy_of(Settings({})))

    def pairs(self) -> list[Pair]:
        """All pairs as they are stored now, uncounted."""
        return [stored.record for stored in self.store.all_pairs()]

    def make_due(self, moment: datetime | None = None) -> None:
        """Have every pair's next broadcast begin at this moment, or now."""
        for stored in self.store.all_pairs():
            due = moment or MachineClock().now()
            self.store.replace(PAIRS, stored, replace(stored.record, next_send_time=due))

    def tick(self) -> None:
        """Publish a tick, as Cloud Scheduler does."""
        self.bus.publish([TickEvent()])

    def wait_until(self, done: Callable[[], bool], seconds: float, explain: Callable[[], str] = lambda: "") -> None:
        """Raises TooSlow."""
        deadline = monotonic() + seconds
        while not done():
            if monotonic() > deadline:
                raise TooSlow(f"after {seconds:.0f} s: {explain()}")
            sleep(LOOK_SECONDS)

    def wait_until_settled(self, since: datetime, seconds: float) -> None:
        """Until each pair has finished a run claimed after this time and none is on. Raises TooSlow."""
        self.wait_until(lambda: not self.unsettled(since), seconds, lambda: f"{len(self.unsettled(since))} pairs left")

    def unsettled(self, since: datetime) -> list[Pair]:
        """Pairs without a run that began after this time and is finished."""
        return [
            pair
            for pair in self.pairs()
            if pair.run is not None or pair.last_broadcast is None or pair.last_broadcast.claimed_at < since
        ]

    def visible(self, pair: Pair, channel: Channel) -> list[int]:
        """Ids of the messages that stand in the pair's channel."""
        return [message.message_id for message in self.simulator.visible(pair.chat(channel))]

    def url(self, function: str, path: str = "") -> str:
        """An address of a function."""
        return f"{self.processes[function].url}{path}"

    def _start(self) -> None:
        self._say("Starting Google's emulators …")
        self.firestore = self._stack.enter_context(emulator("firestore"))
        self.pubsub_emulator = self._stack.enter_context(emulator("pubsub"))
        proxied = self._stack.enter_context(firestore_proxy(self.firestore.host, self.operations))
        server = self._stack.enter_context(SimulatorServer(self.simulator))
        client = _client(self.firestore.host, self.project)
        self.store = FirestoreStore(client)
        self.pubsub = Pubsub(self.pubsub_emulator.host, self.project)
        self._stack.callback(self.pubsub.close)
        self.bus = PubsubBus(self.pubsub.publisher, self.project)
        subscriptions = declared()
        self.pubsub.create(subscriptions)
        of_function = {how.function: how for how in subscriptions.values()}
        for path in sorted(path for path in self._build.iterdir() if (path / "main.py").exists()):
            name = path.name
            self._say(f"Starting {name} from {path} …")
            how = of_function.get(name)
            threads = 16 if how is None else min(MOST_THREADS, how.instances * how.concurrency)
            settings = {
                "GOOGLE_CLOUD_PROJECT": self.project,
                "FIRESTORE_EMULATOR_HOST": proxied,
                "PUBSUB_EMULATOR_HOST": self.pubsub_emulator.host,
                "TELEGRAM_API_URL": server.url,
                "BOT_TOKEN": TOKEN,
                "BOT_USERNAME": BOT,
                "JWT_SECRET_KEY": SECRET,
                "THREADS": str(threads),
                **self._settings,
            }
            process = FunctionProcess(name, path, settings, log=self._folder / f"{name}.log")
            self.processes[name] = self._stack.enter_context(process)
        urls = {name: process.url for name, process in self.processes.items()}
        self.relay = Relay(self.pubsub, subscriptions, urls, mischief=self._mischief)
        self._stack.callback(self.relay.stop)
        self.relay.start()
        ticker = Thread(target=self._tick, name="scheduler")
        self._stack.callback(ticker.join)
        self._stack.callback(self._stop.set)
        ticker.start()

    def _tick(self) -> None:
        while not self._stop.wait(self._tick_seconds):
            try:
                self.tick()
            except BusUnavailable as error:
                self._say(f"A tick is lost: {error}")


def sample(count: int) -> bytes:
    """So many pairs as CSV: those of the sample, then copies with channels of their own."""
    rows = list(csv.DictReader(io.StringIO(SAMPLE.read_text(encoding="utf-8"))))
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    for number in range(count):
        row = dict(rows[number % len(rows)])
        if number >= len(rows):
            row |= {
                "open_channel_id": str(-1004000000000 - number),
                "closed_channel_id": str(-1005000000000 - number),
                "open_channel_title": f"{row['open_channel_title'][:20]} {number}",
            }
        writer.writerow(row)
    return out.getvalue().encode()


def log_lines(process: FunctionProcess) -> list[Mapping[str, object]]:
    """A function's log as its JSON lines."""
    return [json.loads(line) for line in process.said.splitlines() if line.startswith("{")]


def _client(host: str, project: str) -> firestore.Client:
    """A client of the emulator itself, past the proxy that counts. The library takes the address from the environment alone."""
    before = os.environ.get("FIRESTORE_EMULATOR_HOST")
    os.environ["FIRESTORE_EMULATOR_HOST"] = host
    try:
        return firestore.Client(project=project)
    finally:
        if before is None:
            del os.environ["FIRESTORE_EMULATOR_HOST"]
        else:
            os.environ["FIRESTORE_EMULATOR_HOST"] = before
