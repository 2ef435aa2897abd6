"""The shadow run: everything but the call to Telegram, on a copy of the records, beside the original at work.

The functions run as they would, with a Telegram that takes note and answers yes. What they did is compared with what the original
says it did. The records themselves are only read, so the run can be repeated, and the switch-over still begins from them.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from threading import Event, Lock

from infra.embedded.database import Database
from infra.embedded.service import Service
from infra.embedded.sqlite_queue import SqliteQueue
from infra.embedded.sqlite_store import SqliteStore
from infra.embedded.workspace import Workspace
from shared.clock import Clock, MachineClock
from shared.messages import Message
from shared.pair import Pair, Record
from shared.settings import BOT_USERNAME, JWT_SECRET_KEY, Settings
from shared.store import PAIRS, Store
from shared.telegram import Bot, Membership, Outcome, Sent
from shared.telegram import Done as TakenDown

LOOK_SECONDS = 1.0


class Verdict(StrEnum):
    """How the two compare for one pair, within the time of the run."""

    BOTH = "both"
    HERE = "here alone"
    ORIGINAL = "the original alone"
    NEITHER = "neither"


class Line(Record, frozen=True, kw_only=True):
    """One pair in the report; `original_sent` is the original's last_sent_time if it lies within the run."""

    pair_id: str
    open_channel_id: int
    title: str
    due: datetime | None
    would_send: tuple[datetime, ...]
    original_sent: datetime | None

    @property
    def verdict(self) -> Verdict:
        if self.would_send and self.original_sent is not None:
            return Verdict.BOTH
        if self.would_send:
            return Verdict.HERE
        return Verdict.NEITHER if self.original_sent is None else Verdict.ORIGINAL


@dataclass(frozen=True)
class Noted:
    """A message that would have been sent."""

    chat: int
    at: datetime


class SilentTelegram:
    """Takes note of every message and says that it was posted. Nothing leaves the machine."""

    def __init__(self, clock: Clock, username: str) -> None:
        self._clock = clock
        self._username = username
        self._lock = Lock()
        self.noted: list[Noted] = []

    def make_ready(self) -> None:
        """There is no connection."""

    def send_message(self, chat: int, message: Message, *, may_leave: Callable[[], bool]) -> Outcome:  # noqa: ARG002 - the protocol's
        """Noted, as sent."""
        with self._lock:
            self.noted.append(Noted(chat, self._clock.now()))
            return Sent(len(self.noted))

    def delete_messages(self, chat: int, message_ids: Sequence[int]) -> Outcome:  # noqa: ARG002
        """As done."""
        return TakenDown()

    def edit_text(self, chat: int, message_id: int, text: str) -> Outcome:  # noqa: ARG002
        """As done."""
        return TakenDown()

    def get_me(self) -> Bot | Outcome:
        """The bot that would send."""
        return Bot(1, self._username)

    def membership(self, chat: int) -> Membership | Outcome:  # noqa: ARG002
        """As if every right were there."""
        return Membership(kind="channel", title="", status="administrator", can_post=True, can_send=None)


def run(
    pairs: Iterable[Pair], settings: Settings, *, length: timedelta, stop: Event, watch: Callable[[int], None]
) -> tuple[datetime, datetime, list[Noted]]:
    """Run on a copy for so long, until `stop` is set, or until nothing more falls due in time.

    `watch` is told each second how many messages would have been sent. Returns when it began, when it ended, and what it noted.
    """
    with tempfile.TemporaryDirectory(prefix="shadow-") as folder:
        workspace = _copy(pairs, settings, Path(folder))
        try:
            username = settings.get(BOT_USERNAME) or "shadow_bot"
            telegram = SilentTelegram(workspace.clock, username)
            ended = Event()
            service = Service(workspace, telegram, lambda: username, stop=ended)
            began = workspace.clock.now()
            until = began + length
            service.start()
            try:
                while not stop.is_set() and workspace.clock.now() < until and _more_to_come(workspace.store, until):
                    stop.wait(LOOK_SECONDS)
                    watch(len(telegram.noted))
            finally:
                ended.set()
                service.join()
            return began, workspace.clock.now(), telegram.noted
        finally:
            workspace.close()


def compare(
    pairs: Iterable[Pair],
    noted: Iterable[Noted],
    last_sent: Mapping[str, datetime | None],
    *,
    began: datetime,
    ended: datetime,
) -> list[Line]:
    """Each pair's line, by when it would have been sent, then by when it is due. Pure."""
    times: dict[int, list[datetime]] = {}
    for message in noted:
        times.setdefault(message.chat, []).append(message.at)
    lines = []
    for pair in pairs:
        original = last_sent.get(pair.id)
        lines.append(
            Line(
                pair_id=pair.id,
                open_channel_id=pair.open_channel_id,
                title=pair.open_channel_title,
                due=pair.wake_at,
                would_send=tuple(sorted(times.get(pair.open_chat_id, []) + times.get(pair.closed_chat_id, []))),
                original_sent=original if original is not None and began <= original <= ended else None,
            )
        )
    never = datetime.max.replace(tzinfo=began.tzinfo)
    return sorted(lines, key=lambda line: (min(line.would_send, default=never), line.due or never, line.pair_id))


def _more_to_come(store: Store, until: datetime) -> bool:
    return bool(store.due_pairs(until, 1))


def _copy(pairs: Iterable[Pair], settings: Settings, folder: Path) -> Workspace:
    clock = MachineClock()
    database = Database(folder / "shadow.db")
    store = SqliteStore(database, clock)
    with database.transaction():
        for pair in pairs:
            store.create(PAIRS, pair.id, pair)
    if not settings.get(JWT_SECRET_KEY):
        settings = settings.having(JWT_SECRET_KEY, "of a shadow run, which nobody can reach")
    return Workspace(
        store=store,
        bus=SqliteQueue(database, clock),
        settings=settings,
        clock=clock,
        database=database,
        data_dir=folder,
    )
