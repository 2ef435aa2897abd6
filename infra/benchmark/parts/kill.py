"""kill -9 in the middle of the work, then a start: what is lost, what is sent twice, what nobody knows.

Of the peers only tgcast keeps what it has to do; the others begin anew, and send again what they had sent.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from infra.benchmark import work
from infra.benchmark.embedded_engine import EmbeddedEngine
from infra.benchmark.peer import TGCAST, NoPeers, PeerProcess, install
from infra.benchmark.sizes import Sizes
from infra.benchmark.tables import Cell, Say, Table
from infra.benchmark.telegram_process import TelegramProcess
from infra.benchmark.waiting import wait_until
from shared.pair import Channel, DeliveryState, Pair

RATE = 30.0
LATENCY = ("--latency-ms", "60")
PATIENCE = 240.0
COLUMNS = ("sender", "kills", "messages", "lost", "doubled", "unconfirmed", "s until it goes on")


@dataclass(frozen=True)
class Aftermath:
    """What one kill did. `lost`: nobody got it, and the sender does not say so. `unconfirmed`: the sender says it does not know."""

    messages: int
    lost: int
    doubled: int
    unconfirmed: int | None
    """None for a sender that never says so."""
    seconds: float
    """From the start after the kill to the next message."""


class Survivor(Protocol):
    """A sender that goes on where it was killed."""

    def start(self) -> None: ...

    def begin(self) -> None: ...

    def wait_done(self, seconds: float) -> None: ...

    def kill(self) -> None: ...


def measure(sizes: Sizes, say: Say) -> list[Table]:
    """Our engine and tgcast, each killed several times."""
    rows = []
    say(f"{EmbeddedEngine.name}, {sizes.kills} times")
    rows.append(_row(EmbeddedEngine.name, [_ours(sizes.killed_pairs) for _ in range(sizes.kills)]))
    note = (
        "Unconfirmed: the process died inside the call. The owner is told, and the message is never sent again blindly."
    )
    if sizes.peers:
        say(f"{TGCAST.name}, {sizes.kills} times")
        try:
            python = install()
            rows.append(_row(TGCAST.name, [_tgcast(python, sizes.killed_pairs) for _ in range(sizes.kills)]))
        except NoPeers as error:
            note = f"{note} {error}"
    return [Table("kill -9 when half of the messages are accepted, then a start", COLUMNS, rows, note)]


def _ours(pairs: int) -> Aftermath:
    given = work.pairs(pairs)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="benchmark-")))
        telegram = stack.enter_context(TelegramProcess(*LATENCY))
        engine = stack.enter_context(EmbeddedEngine(folder, telegram.url, given, rate=RATE))
        return _killed(engine, telegram, given, begins_anew=False, unconfirmed=partial(_unconfirmed, engine))


def _tgcast(python: Path, pairs: int) -> Aftermath:
    given = work.pairs(pairs)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="benchmark-")))
        telegram = stack.enter_context(TelegramProcess(*LATENCY))
        peer = PeerProcess(folder, telegram.url, given, peer=TGCAST, python=python, rate=RATE)
        return _killed(stack.enter_context(peer), telegram, given, begins_anew=True, unconfirmed=lambda: None)


def _killed(
    sender: Survivor,
    telegram: TelegramProcess,
    pairs: Sequence[Pair],
    *,
    begins_anew: bool,
    unconfirmed: Callable[[], frozenset[int] | None],
) -> Aftermath:
    """`begins_anew`: whether the sender must be told to begin after the second start as well."""
    chats = work.chats(pairs)
    sender.start()
    sender.begin()
    half = len(chats) // 2
    wait_until(
        lambda: telegram.summary().accepted >= half, PATIENCE, lambda: f"{telegram.summary().accepted} are accepted"
    )
    sender.kill()
    before = time.monotonic()
    sender.start()
    if begins_anew:
        sender.begin()
    sender.wait_done(PATIENCE)
    account, unknown = telegram.account(chats), unconfirmed()
    after = [call.monotonic for call in telegram.calls() if call.accepted and call.monotonic > before]
    return Aftermath(
        messages=len(chats),
        lost=len(account.without - (unknown or frozenset())),
        doubled=account.doubled,
        unconfirmed=None if unknown is None else len(unknown),
        seconds=min(after, default=time.monotonic()) - before,
    )


def _unconfirmed(engine: EmbeddedEngine) -> frozenset[int]:
    """Chats of the messages the records call so."""
    runs = [pair.last_broadcast for pair in engine.pairs()]
    deliveries = [run.delivery(channel) for run in runs if run is not None for channel in Channel]
    return frozenset(d.chat for d in deliveries if d.state is DeliveryState.UNCONFIRMED)


def _row(name: str, kills: Sequence[Aftermath]) -> list[Cell]:
    unconfirmed = [kill.unconfirmed for kill in kills if kill.unconfirmed is not None]
    return [
        name,
        len(kills),
        sum(kill.messages for kill in kills),
        sum(kill.lost for kill in kills),
        sum(kill.doubled for kill in kills),
        sum(unconfirmed) if unconfirmed else None,
        max(kill.seconds for kill in kills),
    ]
