"""The same messages through our engine and through its peers: how fast, how surely, at what cost."""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.benchmark import work
from infra.benchmark.embedded_engine import EmbeddedEngine
from infra.benchmark.race import Result, race
from infra.benchmark.tables import Table
from infra.benchmark.telegram_process import TelegramProcess
from shared.clock import MachineClock

LATENCY_MS = 60
UNLIMITED = 1000.0
"""Messages a second that senders are told they may send where Telegram sets no ceiling."""
PATIENCE = 120.0
COLUMNS = ("sender", "messages/s", "% of ceiling", "429s", "lost", "doubled", "CPU s/1,000", "peak MiB")

Say = Callable[[str], None]


def without_a_ceiling(pairs: int, say: Say) -> Table:
    """Telegram answers everything, each call after 60 ms."""
    say(f"our engine, {pairs} pairs, no ceiling")
    ours = embedded(pairs, UNLIMITED, "--no-limits", "--latency-ms", str(LATENCY_MS))
    return Table("No ceiling, Telegram answers after 60 ms", COLUMNS, [_row(ours, UNLIMITED)])


def embedded(pairs: int, rate: float, *telegram_options: str) -> Result:
    """Our engine sends so many pairs' messages."""
    now = MachineClock().now()
    given = work.pairs(pairs, next_send_time=now + timedelta(days=1), now=now)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="benchmark-")))
        telegram = stack.enter_context(TelegramProcess(*telegram_options))
        engine = stack.enter_context(EmbeddedEngine(folder, telegram.url, given, rate=rate))
        return race(engine, telegram, work.chats(given), seconds=PATIENCE + 2 * pairs / rate)


def _row(result: Result, ceiling: float) -> tuple[str | int | float, ...]:
    return (
        result.name,
        result.rate,
        100 * result.rate / ceiling,
        result.too_many_requests,
        result.account.lost,
        result.account.doubled,
        result.cpu_seconds,
        result.peak_memory,
    )
