"""The same messages through our engine and through its peers: how fast, how surely, at what cost."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.benchmark import work
from infra.benchmark.embedded_engine import EmbeddedEngine
from infra.benchmark.peer import AIOGRAM_IN_TURN, AIOGRAM_SPACED, PTB, TGCAST, NoPeers, Peer, PeerProcess, install
from infra.benchmark.race import Result, Sender, race
from infra.benchmark.sizes import Sizes
from infra.benchmark.tables import Cell, Say, Table
from infra.benchmark.telegram_process import TelegramProcess
from shared.pair import Pair

CEILING = 30.0
"""Messages a second that Telegram is known to allow a bot's token."""
JUST_BELOW = 29.5
"""What those are set to that space their messages evenly but do not see to it that they arrive so."""
NO_CEILING = 1_000.0
"""Messages a second that all are set to where Telegram sets no ceiling."""
LATENCY = ("--latency-ms", "60")
PATIENCE = 120.0
SLOWEST = 5.0
"""Messages a second that any sender here exceeds by far."""
COLUMNS = (
    "sender", "messages", "messages/s", "% of ceiling", "429s", "lost", "doubled", "CPU s/1,000", "ours = 1", "peak MiB",
)  # fmt: skip
HOW = (
    "messages/s is (n − 1)/(last − first) over the messages Telegram accepted. CPU is the sender's own, for 1,000 messages and"
    " without its imports; what stands beside it is its ratio to ours."
)


@dataclass(frozen=True)
class Entry:
    """One that takes part: with how many pairs, and how its process is made from a folder, Telegram's address and the pairs."""

    name: str
    pairs: int
    make: Callable[[Path, str, Sequence[Pair]], AbstractContextManager[Sender]]


def measure(sizes: Sizes, say: Say) -> list[Table]:
    """One table with Telegram's limits enforced, one without."""
    peers, without = _peers(sizes, say)
    return [_limited(sizes, say, peers, without), _free(sizes, say, peers, without)]


def _peers(sizes: Sizes, say: Say) -> tuple[Path | None, str]:
    """Their Python; or none, and a sentence that says so."""
    if not sizes.peers:
        return None, " The peers took no part."
    say("the peers are installed, where they are not yet")
    try:
        return install(), ""
    except NoPeers as error:
        return None, f" {error}"


def _limited(sizes: Sizes, say: Say, peers: Path | None, without: str) -> Table:
    few, slow = sizes.peer_pairs, sizes.slow_peer_pairs
    theirs = [(PTB, few, JUST_BELOW), (AIOGRAM_SPACED, few, JUST_BELOW), (AIOGRAM_IN_TURN, slow, 0.0)]
    entries = [_ours(sizes.limited_pairs, CEILING), *_theirs(peers, [*theirs, (TGCAST, few, CEILING)])]
    title = "Telegram's limits enforced: 30 messages a second, 1 a second and 20 a minute for a chat"
    return Table(title, COLUMNS, _rows(entries, LATENCY, CEILING, say), HOW + without)


def _free(sizes: Sizes, say: Say, peers: Path | None, without: str) -> Table:
    many, slow = sizes.free_pairs, sizes.slow_peer_pairs
    theirs = [(PTB, many, NO_CEILING), (AIOGRAM_SPACED, many, NO_CEILING), (AIOGRAM_IN_TURN, slow, 0.0)]
    entries = [_ours(many, NO_CEILING), *_theirs(peers, [*theirs, (TGCAST, many, NO_CEILING)])]
    title = "No ceiling: Telegram takes everything and answers after 60 ms"
    note = f"All are set to {NO_CEILING:,.0f} messages a second; the share is that of it.{without}"
    return Table(title, COLUMNS, _rows(entries, (*LATENCY, "--no-limits"), NO_CEILING, say), note)


def _ours(pairs: int, rate: float) -> Entry:
    return Entry(EmbeddedEngine.name, pairs, partial(EmbeddedEngine, rate=rate))


def _theirs(python: Path | None, peers: Sequence[tuple[Peer, int, float]]) -> list[Entry]:
    """Each with its pairs and the messages a second it is set to."""
    if python is None:
        return []
    return [
        Entry(peer.name, pairs, partial(PeerProcess, peer=peer, python=python, rate=rate))
        for peer, pairs, rate in peers
    ]


def _rows(entries: Sequence[Entry], telegram: Sequence[str], ceiling: float, say: Say) -> list[list[Cell]]:
    results = []
    for entry in entries:
        say(f"{entry.name}: {2 * entry.pairs:,} messages, at most {ceiling:,.0f} a second")
        results.append(_result(entry, telegram))
    ours = results[0]
    return [
        [
            result.name,
            result.account.accepted,
            result.rate,
            100 * result.rate / ceiling,
            result.too_many_requests,
            result.account.lost,
            result.account.doubled,
            result.cpu_seconds,
            result.cpu_seconds / ours.cpu_seconds if ours.cpu_seconds else None,
            result.peak_memory,
        ]
        for result in results
    ]


def _result(entry: Entry, telegram_options: Sequence[str]) -> Result:
    given = work.pairs(entry.pairs)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="benchmark-")))
        telegram = stack.enter_context(TelegramProcess(*telegram_options))
        sender = stack.enter_context(entry.make(folder, telegram.url, given))
        return race(sender, telegram, work.chats(given), patience=PATIENCE + 2 * entry.pairs / SLOWEST)
