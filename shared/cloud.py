"""A function's engine on Google Cloud, put together where its instance starts.

What a function is deployed without (a bus, Telegram) costs it no import; using it all the same is a fault in the code, and loud.
"""

import os
from collections.abc import Callable, Collection
from typing import Any

from shared import engine, logs
from shared.bus import Bus
from shared.clock import MachineClock
from shared.departures import OneOfMany
from shared.engine import Engine, Precision
from shared.firestore_store import FirestoreStore, open_firestore
from shared.settings import (
    BOT_USERNAME,
    BROADCAST_AUTO_INTERVAL,
    BROADCAST_MANUAL_INTERVAL,
    FIRESTORE_DATABASE,
    GOOGLE_CLOUD_PROJECT,
    LOG_LEVEL,
    PAID_BROADCAST,
    TELEGRAM_RATE,
    Setting,
    SettingError,
    Settings,
    check_rate,
)
from shared.telegram import Bot, Telegram

PRECISION = Precision(spread=0.1, lead=0.6, prepare=0.15)
"""Between two machines whose clocks differ by up to 50 ms, with a document written over the network before each call."""
HIGHEST_RATE = 150.0
"""Messages a second. Each message moves its pair in the index of `wake_at` three times, and Firestore takes about 500 writes a
second where the values of an index only grow (Firestore, best practices)."""
EVERYWHERE: tuple[Setting[Any], ...] = (
    GOOGLE_CLOUD_PROJECT,
    FIRESTORE_DATABASE,
    LOG_LEVEL,
    TELEGRAM_RATE,
    PAID_BROADCAST,
    BROADCAST_AUTO_INTERVAL,
    BROADCAST_MANUAL_INTERVAL,
)
"""What every function reads."""


class _Absent:
    """Stands for a part this function was deployed without."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"this function was deployed without {self._what}, and asked it for {name}")


def start(
    *,
    reads: Collection[Setting[Any]] = (),
    demands: Collection[Setting[Any]] = (),
    bus: Callable[[Settings], Bus] | None = None,
    telegram: Callable[[Settings], Telegram] | None = None,
) -> None:
    """Check the settings of this instance, and have its function work on Firestore.

    `reads` are settings beyond those every function reads; `demands` those that must be there. A BOT_USERNAME that is read and not
    given is asked of Telegram. Raises SettingError, which ends the
    instance before it takes an event.
    """
    settings = Settings(os.environ)
    logs.set_up("json", settings.get(LOG_LEVEL))
    settings.check((*EVERYWHERE, *reads, *demands))
    missing = [setting.name for setting in (GOOGLE_CLOUD_PROJECT, *demands) if not settings.get(setting)]
    if missing:
        raise SettingError("\n".join(f"{name} is not set; set it or {name}_FILE." for name in missing))
    if settings.get(TELEGRAM_RATE) > HIGHEST_RATE:
        raise SettingError(
            f"TELEGRAM_RATE: {settings.get(TELEGRAM_RATE):g} messages a second are more than Firestore can record;"
            f" with this engine at most {HIGHEST_RATE:g}, since each message is written three times and an index of growing"
            " times takes about 500 writes a second."
        )
    check_rate(settings)
    line = telegram(settings) if telegram is not None else _absent("Telegram")
    asks_name = BOT_USERNAME in reads and not settings.get(BOT_USERNAME)
    username = _ask_name(line) if asks_name else settings.get(BOT_USERNAME)
    clock = MachineClock()
    engine.use(
        Engine(
            store=FirestoreStore(open_firestore(settings)),
            bus=bus(settings) if bus is not None else _absent("a bus"),
            telegram=line,
            clock=clock,
            settings=settings,
            precision=PRECISION,
            departures=OneOfMany(clock),
            bot_username=lambda: username,
        )
    )


def _ask_name(telegram: Telegram) -> str:
    bot = telegram.get_me()
    if isinstance(bot, Bot):
        return bot.username
    raise SettingError(
        f"BOT_USERNAME is not set, and Telegram does not say the bot's name: {bot}. Set it, or try again."
    )


def _absent(what: str) -> Any:
    return _Absent(what)
