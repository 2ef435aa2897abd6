"""Settings from the environment: typed, checked at the start, and re-read from files while running.

Each setting NAME can also be given as NAME_FILE, the path of a file that holds its value. Such a file is looked at again at most
once a minute, so secrets and intervals change without a restart; white space around a value is stripped.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Generic, TypeVar
from uuid import UUID

T = TypeVar("T")

REREAD_SECONDS = 60.0
LONGEST_HOURS = 87_600
LONGEST_TICK = 3_600

log = logging.getLogger(__name__)


class SettingError(Exception):
    """Raised when a setting is missing or wrong; the text names it and says what to do, and never shows a secret's value."""


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One setting: its name, how its text becomes a value, and its text by default; None means it must be given."""

    name: str
    parse: Callable[[str], T]
    default: str | None
    secret: bool = False


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError("it must be a number above zero")
    return value


def _hours(text: str) -> float:
    value = _positive(text)
    if value > LONGEST_HOURS:
        raise ValueError(f"it must be at most {LONGEST_HOURS} hours, which is ten years")
    return value


def _seconds(text: str) -> float:
    value = _positive(text)
    if value > LONGEST_TICK:
        raise ValueError(f"it must be at most {LONGEST_TICK} seconds: nothing would be looked after for longer")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 65535:
        raise ValueError("it must be between 1 and 65535")
    return value


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _client_ids(text: str) -> tuple[str, ...]:
    ids = []
    for part in _list(text):
        try:
            ids.append(str(UUID(part)))
        except ValueError:
            raise ValueError("it must be the ids of clients, which are UUIDs, separated by commas") from None
    return tuple(ids)


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"it must be one of {', '.join(words)}")
        return text

    return parse


def _flag(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("it must be true or false")
    return text == "true"


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("it must begin with http:// or https://")
    return text.rstrip("/")


def _username(text: str) -> str:
    name = text.removeprefix("@")
    if name and not name.replace("_", "").isalnum():
        raise ValueError("it must be a bot's username, such as my_shop_bot")
    return name


BOT_TOKEN = Setting("BOT_TOKEN", str, "", secret=True)
BOT_USERNAME = Setting("BOT_USERNAME", _username, "")
TELEGRAM_API_URL = Setting("TELEGRAM_API_URL", _url, "https://api.telegram.org")
TELEGRAM_RATE = Setting("TELEGRAM_RATE", _positive, "25")
PAID_BROADCAST = Setting("PAID_BROADCAST", _flag, "false")
JWT_SECRET_KEY = Setting("JWT_SECRET_KEY", str, "", secret=True)
JWT_SECRET_KEY_PREVIOUS = Setting("JWT_SECRET_KEY_PREVIOUS", str, "", secret=True)
JWT_AUDIENCE = Setting("JWT_AUDIENCE", str, "")
JWT_ISSUER = Setting("JWT_ISSUER", str, "")
CORS_ORIGINS = Setting("CORS_ORIGINS", _list, "")
OPERATORS = Setting("OPERATORS", _client_ids, "")
BROADCAST_AUTO_INTERVAL = Setting("BROADCAST_AUTO_INTERVAL", _hours, "24")
BROADCAST_MANUAL_INTERVAL = Setting("BROADCAST_MANUAL_INTERVAL", _hours, "0.0833")
HOST = Setting("HOST", str, "127.0.0.1")
PORT = Setting("PORT", _port, "8080")
DATA_DIR = Setting("DATA_DIR", Path, "./data")
PAIRS = Setting("PAIRS", str, "")
TICK_SECONDS = Setting("TICK_SECONDS", _seconds, "60")
SQLITE_SYNCHRONOUS = Setting("SQLITE_SYNCHRONOUS", _one_of("NORMAL", "FULL"), "NORMAL")
GOOGLE_CLOUD_PROJECT = Setting("GOOGLE_CLOUD_PROJECT", str, "")
FIRESTORE_DATABASE = Setting("FIRESTORE_DATABASE", str, "(default)")
LOG_FORMAT = Setting("LOG_FORMAT", _one_of("auto", "text", "json"), "auto")
LOG_LEVEL = Setting("LOG_LEVEL", _one_of("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")

ALL: tuple[Setting[Any], ...] = (
    BOT_TOKEN,
    BOT_USERNAME,
    TELEGRAM_API_URL,
    TELEGRAM_RATE,
    PAID_BROADCAST,
    JWT_SECRET_KEY,
    JWT_SECRET_KEY_PREVIOUS,
    JWT_AUDIENCE,
    JWT_ISSUER,
    CORS_ORIGINS,
    OPERATORS,
    BROADCAST_AUTO_INTERVAL,
    BROADCAST_MANUAL_INTERVAL,
    HOST,
    PORT,
    DATA_DIR,
    PAIRS,
    TICK_SECONDS,
    SQLITE_SYNCHRONOUS,
    GOOGLE_CLOUD_PROJECT,
    FIRESTORE_DATABASE,
    LOG_FORMAT,
    LOG_LEVEL,
)


FREE_RATE, PAID_RATE = 30.0, 1000.0
"""Messages a second that Telegram allows a bot, and one that pays (Bot FAQ; Bot API, sendMessage, `allow_paid_broadcast`)."""


def check_rate(settings: "Settings") -> None:
    """Whether Telegram allows the pace asked for. Raises SettingError above what it allows anybody.

    Above the free rate it is only said: Telegram gives about 30 and no exact number, a simulated one may have no limit, and a 429
    costs time and no message.
    """
    rate = settings.get(TELEGRAM_RATE)
    if settings.get(PAID_BROADCAST):
        if rate > PAID_RATE:
            raise SettingError(
                f"TELEGRAM_RATE: with PAID_BROADCAST Telegram takes at most {PAID_RATE:g} messages a second."
            )
    elif rate > FREE_RATE:
        log.warning(
            "TELEGRAM_RATE is %g messages a second, and Telegram takes about %g from a bot: it will ask for pauses (429)."
            " Lower it, or pay for more with PAID_BROADCAST=true.",
            rate,
            FREE_RATE,
        )


class Settings:
    """The settings of a process. Safe to use from several threads."""

    def __init__(self, environ: Mapping[str, str], *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._environ = environ
        self._monotonic = monotonic
        self._lock = Lock()
        self._good: dict[str, Any] = {}
        self._good_until: dict[str, float] = {}

    def having(self, setting: Setting[Any], value: str) -> "Settings":
        """These settings with one more, for a value that is made rather than given."""
        return Settings({**self._environ, setting.name: value}, monotonic=self._monotonic)

    def get(self, setting: Setting[T]) -> T:
        """The setting's value.

        Raises SettingError for a value that is missing or wrong, unless a good one was read before: then that one stays in force
        and the fault is logged, for a slip in a file must not stop a running service.
        """
        if not self._fresh(setting.name):
            with self._lock:
                if not self._fresh(setting.name):
                    self._renew(setting)
        value: T = self._good[setting.name]
        return value

    def _fresh(self, name: str) -> bool:
        return name in self._good_until and self._monotonic() < self._good_until[name]

    def _renew(self, setting: Setting[Any]) -> None:
        name = setting.name
        try:
            self._good[name] = self._read(setting)
        except SettingError as error:
            if name not in self._good:
                raise
            log.error("%s The value read before stays in force.", error)
        self._good_until[name] = self._monotonic() + REREAD_SECONDS

    def given(self, setting: Setting[Any]) -> bool:
        """Whether the environment says anything about the setting."""
        return bool(
            self._environ.get(setting.name, "").strip() or self._environ.get(f"{setting.name}_FILE", "").strip()
        )

    def check(self, settings: Iterable[Setting[Any]]) -> None:
        """Read all these settings. Raises SettingError that names every one that is missing or wrong."""
        faults = []
        for setting in settings:
            try:
                self.get(setting)
            except SettingError as error:
                faults.append(str(error))
        if faults:
            raise SettingError("\n".join(faults))

    def _read(self, setting: Setting[T]) -> T:
        name = setting.name
        path = self._environ.get(f"{name}_FILE", "").strip()
        text: str | None = self._environ.get(name, "").strip()
        where = name
        if path and text:
            raise SettingError(f"{name} and {name}_FILE are both set; keep one of them.")
        if path:
            where = f"{name}_FILE"
            try:
                text = Path(path).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                raise SettingError(f"{where}: cannot read {path}: {reason}.") from None
        if not text:
            text = setting.default
        if text is None:
            raise SettingError(f"{name} is not set; set it or {name}_FILE.")
        try:
            return setting.parse(text)
        except ValueError as error:
            shown = "" if setting.secret else f" {text!r} is wrong:"
            raise SettingError(f"{where}:{shown} {error}.") from None
