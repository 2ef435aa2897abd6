"""A DATA_DIR: which databases lie in it, who runs on it, what else is kept there.

broadcast.db     pairs, history, pace and events, with a real bot
simulated.db     the same, with the simulated Telegram; a trial never mixes with the real thing
telegram.db      what the simulated Telegram has accepted
jwt-secret       the secret made when none is set, readable by its owner only
service.lock     held by the one process that runs here; says who and where
"""

import fcntl
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec
from dotenv import dotenv_values

from infra.embedded.database import Database
from infra.embedded.sign_in_links import Grant, SignInLinks
from infra.embedded.sqlite_queue import SqliteQueue
from infra.embedded.sqlite_store import SqliteStore
from shared.clock import Clock, MachineClock
from shared.engine import policy_of
from shared.runs import Policy
from shared.settings import BOT_TOKEN, DATA_DIR, JWT_SECRET_KEY, SQLITE_SYNCHRONOUS, Settings

REAL, SIMULATED = "broadcast.db", "simulated.db"


class WorkspaceError(Exception):
    """Raised when a DATA_DIR cannot be used; the text says why and what to do."""


class Holder(msgspec.Struct, frozen=True):
    """The process that runs on a DATA_DIR."""

    pid: int
    url: str
    database: str


def address(host: str, port: int) -> str:
    """Where a browser on this machine reaches what listens there: "everywhere" is no address, an IPv6 one stands in brackets."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


class ServiceLock:
    """Held as long as the process lives; the system lets go of it however the process ends."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "service.lock"
        self._file: IO[str] | None = None

    def take(self, holder: Holder) -> None:
        """Raises WorkspaceError if another process runs here."""
        file = self._path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            other = self.holder()
            who = "another process" if other is None else f"process {other.pid} at {other.url}"
            raise WorkspaceError(
                f"{who[0].upper()}{who[1:]} already runs on {self._path.parent}; stop it first, or set DATA_DIR to another folder."
            ) from None
        file.truncate(0)
        file.write(msgspec.json.encode(holder).decode())
        file.flush()
        self._file = file

    def holder(self) -> Holder | None:
        """Who runs here, None if nobody does."""
        try:
            with self._path.open("r", encoding="utf-8") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return msgspec.json.decode(file.read(), type=Holder)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None
        return None

    def release(self) -> None:
        """Let go of the folder."""
        if self._file is not None:
            self._file.close()
            self._file = None


@dataclass(frozen=True)
class Workspace:
    """An opened DATA_DIR."""

    store: SqliteStore
    bus: SqliteQueue
    settings: Settings
    clock: Clock
    database: Database
    data_dir: Path

    @property
    def policy(self) -> Policy:
        """The intervals in force."""
        return policy_of(self.settings)

    @property
    def dead_letters(self) -> SqliteQueue:
        """Where events lie that were put aside."""
        return self.bus

    @property
    def describe(self) -> str:
        """Where the records lie, for people."""
        kind = " (simulated Telegram)" if self.database.path.name == SIMULATED else ""
        return f"SQLite in {self.database.path}{kind}"

    @property
    def jwt_secret(self) -> str:
        """The secret tokens are signed with: JWT_SECRET_KEY, or the one made for this folder."""
        return self.settings.get(JWT_SECRET_KEY)

    @property
    def service_running(self) -> bool:
        """Whether a process runs on this folder."""
        return self.holder is not None

    @property
    def holder(self) -> Holder | None:
        """The process that runs on this folder."""
        return ServiceLock(self.data_dir).holder()

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def read_settings(environ: Mapping[str, str] | None = None, env_file: Path = Path(".env")) -> Settings:
    """Settings from the environment, and below it from the file `.env` in the current folder if there is one."""
    in_file = {name: value for name, value in dotenv_values(env_file).items() if value is not None}
    found = dict(os.environ if environ is None else environ)
    given = {name.removesuffix("_FILE") for name, value in found.items() if value.strip()}
    # A setting given in the environment wins over the file in both of its spellings.
    below = {name: value for name, value in in_file.items() if name.removesuffix("_FILE") not in given}
    return Settings({**found, **below})


def open_workspace(settings: Settings | None = None, *, database: str | None = None) -> Workspace:
    """Open the DATA_DIR of the settings.

    Without a name for the database: the real one with a BOT_TOKEN; else that of the process running here; else the one there is.
    Raises SettingError, WorkspaceError if the folder cannot be used, and StoreUnavailable if the database in it cannot.
    """
    settings = read_settings() if settings is None else settings
    data_dir = settings.get(DATA_DIR)
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorkspaceError(f"DATA_DIR {data_dir} cannot be made: {error.strerror}.") from None
    if not os.access(data_dir, os.W_OK | os.X_OK):
        raise WorkspaceError(
            f"DATA_DIR {data_dir} cannot be written to; give yourself the right, or choose another folder."
        )
    if not settings.given(JWT_SECRET_KEY):
        settings = settings.having(JWT_SECRET_KEY, made_secret(data_dir))
    name = database or _database_name(settings, data_dir)
    clock = MachineClock()
    opened = Database(data_dir / name, synchronous=settings.get(SQLITE_SYNCHRONOUS))
    return Workspace(
        store=SqliteStore(opened, clock),
        bus=SqliteQueue(opened, clock),
        settings=settings,
        clock=clock,
        database=opened,
        data_dir=data_dir,
    )


def link_for_owner(workspace: Workspace) -> str:
    """The code of a link for whoever owns this machine: the operator, and the client too where there is only one."""
    clients = {stored.record.client_id for stored in workspace.store.all_pairs() if stored.record.ended_at is None}
    only = next(iter(clients)) if len(clients) == 1 else None
    return SignInLinks(workspace.database).make(Grant(only, operator=True), now=workspace.clock.now())


def made_secret(data_dir: Path) -> str:
    """The secret kept in the folder, made when first asked for; readable by its owner only."""
    path = data_dir / "jwt-secret"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="utf-8").strip()
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        secret = secrets.token_urlsafe(48)
        file.write(secret + "\n")
    return secret


def _database_name(settings: Settings, data_dir: Path) -> str:
    if settings.get(BOT_TOKEN):
        return REAL
    holder = ServiceLock(data_dir).holder()
    if holder is not None:
        return holder.database
    return REAL if (data_dir / REAL).exists() else SIMULATED
