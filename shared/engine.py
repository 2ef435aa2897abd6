"""What the functions of this process work with: handed in once, where a process starts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shared.bus import Bus
from shared.clock import Clock
from shared.departures import Departures
from shared.pace import Tempo
from shared.runs import Policy
from shared.settings import (
    BROADCAST_AUTO_INTERVAL,
    BROADCAST_MANUAL_INTERVAL,
    TELEGRAM_RATE,
    SettingError,
    Settings,
)
from shared.store import Store
from shared.telegram import Telegram


@dataclass(frozen=True)
class Precision:
    """How exactly an engine can keep its slots; seconds, as in Tempo."""

    spread: float
    lead: float
    prepare: float


@dataclass(frozen=True)
class Engine:
    """The four protocols, and what the settings say now."""

    store: Store
    bus: Bus
    telegram: Telegram
    clock: Clock
    settings: Settings
    precision: Precision
    departures: Departures
    bot_username: Callable[[], str]

    @property
    def tempo(self) -> Tempo:
        """The pace in force."""
        return Tempo(
            rate=self.settings.get(TELEGRAM_RATE),
            spread=self.precision.spread,
            lead=self.precision.lead,
            prepare=self.precision.prepare,
        )

    @property
    def policy(self) -> Policy:
        """The intervals in force."""
        return policy_of(self.settings)


def policy_of(settings: Settings) -> Policy:
    """The intervals these settings ask for."""
    return Policy(
        interval=timedelta(hours=settings.get(BROADCAST_AUTO_INTERVAL)),
        manual_interval=timedelta(hours=settings.get(BROADCAST_MANUAL_INTERVAL)),
    )


_current: list[Engine] = []


def use(engine: Engine) -> None:
    """From now on, functions loaded in this process work with this engine."""
    _current[:] = [engine]


def current() -> Engine:
    """The engine of this process. Raises SettingError if it was started without one."""
    if not _current:
        raise SettingError(
            "This function was started without an engine; on one machine, `make run` starts all of them."
        )
    return _current[0]
