"""The embedded engine: every function in one process, on SQLite, behind one port."""

import logging
from collections.abc import Callable, Iterable, Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Event, Thread
from typing import Any

from functions_framework import create_app

import functions
from infra.embedded.dispatch import Dispatcher, EventFunction
from infra.embedded.pages import WsgiApp
from infra.embedded.recovery import recover
from infra.embedded.stopping import StoppableClock
from infra.embedded.workspace import Workspace
from shared import engine
from shared.clock import Clock
from shared.departures import Alone
from shared.engine import Engine, Precision
from shared.events import TickEvent, Topic
from shared.logs import fields
from shared.settings import TELEGRAM_RATE, TICK_SECONDS
from shared.telegram import Telegram

PRECISION = Precision(spread=0.015, lead=0.1, prepare=0.02)
"""Measured on two busy cores: with these a message leaves within 7.5 ms of its slot but for one in some hundreds."""
FUNCTIONS = Path(next(iter(functions.__path__)))
CONSUMERS = {Topic.TICKS: "tick", Topic.BROADCASTS: "fanout", Topic.MESSAGES: "send"}
TICK_WORKERS = 3
FANOUT_WORKERS = 4
MOST_SEND_WORKERS = 512
SEND_SECONDS = 10.0
"""Telegram holds a call back up to 8 s before it answers 429; at the full pace so many seconds' messages are inside a call."""
HOUSEKEEPING_SECONDS = 3600.0
FALLBACK_TICK_SECONDS = 60.0
"""Where the setting itself cannot be read."""

log = logging.getLogger(__name__)


class Service:
    """The functions, their events and their ticks. `stop` is set to end it."""

    def __init__(
        self, workspace: Workspace, telegram: Telegram, bot_username: Callable[[], str], *, stop: Event
    ) -> None:
        self._workspace = workspace
        self._stop = stop
        self._clock: Clock = StoppableClock(stop)
        engine.use(
            Engine(
                store=workspace.store,
                bus=workspace.bus,
                telegram=telegram,
                clock=self._clock,
                settings=workspace.settings,
                precision=PRECISION,
                departures=Alone(self._clock),
                bot_username=bot_username,
            )
        )
        self.trigger: WsgiApp = _load("trigger")
        self.dashboard: WsgiApp = _load("dashboard")
        rate = workspace.settings.get(TELEGRAM_RATE)
        workers = {
            Topic.TICKS: TICK_WORKERS,
            Topic.BROADCASTS: FANOUT_WORKERS,
            Topic.MESSAGES: min(MOST_SEND_WORKERS, max(16, int(rate * SEND_SECONDS))),
        }
        self._dispatchers = [
            Dispatcher(workspace.bus, topic, load_function(name), workers=workers[topic], stop=stop)
            for topic, name in CONSUMERS.items()
        ]
        self._ticker = Thread(target=self._tick, name="ticker")

    def start(self) -> None:
        """Make good what a process before this one left, then begin to work."""
        recover(self._workspace)
        for dispatcher in self._dispatchers:
            dispatcher.start()
        self._ticker.start()

    def join(self) -> None:
        """Wait until the work at hand is finished, once `stop` is set; also after a start that was cut short."""
        if self._ticker.ident is not None:
            self._ticker.join()
        for dispatcher in self._dispatchers:
            dispatcher.join()

    def _tick(self) -> None:
        """Publish a tick now and then every TICK_SECONDS; once an hour, let go of what is past its time."""
        next_housekeeping = self._clock.monotonic()
        while not self._stop.is_set():
            seconds = FALLBACK_TICK_SECONDS
            try:
                seconds = self._workspace.settings.get(TICK_SECONDS)
                self._workspace.bus.publish([TickEvent()])
                if self._clock.monotonic() >= next_housekeeping:
                    self._workspace.store.delete_expired(self._clock.now())
                    next_housekeeping += HOUSEKEEPING_SECONDS
            except Exception:
                log.exception(
                    "The tick could not be published; the next one tries again.", extra=fields(event="tick_lost")
                )
            self._stop.wait(seconds)


def route(prefixes: Mapping[str, WsgiApp], otherwise: WsgiApp) -> WsgiApp:
    """One app out of several, by the beginning of the path."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        for prefix, inner in prefixes.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                return inner(environ, start_response)
        return otherwise(environ, start_response)

    return app


def load_function(name: str) -> EventFunction:
    """The function that consumes events, loaded for the engine of now: a module of its own each time, as each instance has one."""
    spec = spec_from_file_location(f"{name}_function", FUNCTIONS / name / "main.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    function: EventFunction = getattr(module, name)
    return function


def _load(name: str) -> WsgiApp:
    app: WsgiApp = create_app(name, str(FUNCTIONS / name / "main.py"))
    return app
