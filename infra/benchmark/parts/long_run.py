"""Thousands of pairs due at once under a high ceiling: everything is sent, once, and memory does not grow."""

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.benchmark import work
from infra.benchmark.embedded_engine import EmbeddedEngine
from infra.benchmark.race import race
from infra.benchmark.sizes import Sizes
from infra.benchmark.tables import Cell, Say, Table
from infra.benchmark.telegram_process import TelegramProcess

CEILING = 1_000
"""Messages a second: what Telegram takes of paid broadcasts."""
TELEGRAM = ("--latency-ms", "60", "--rate", str(CEILING))
PATIENCE = 120.0
SLOWEST = 50.0
"""Messages a second that are exceeded by far."""
COLUMNS = (
    "pairs", "messages", "seconds", "messages/s", "429s", "lost", "doubled", "CPU s/1,000", "MiB, first third", "MiB, last third",
    "first third = 1",
)  # fmt: skip


def measure(sizes: Sizes, say: Say) -> list[Table]:
    """All pairs due at once on the embedded engine."""
    count = sizes.long_run_pairs
    say(f"{count:,} pairs due at once")
    given = work.pairs(count)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="benchmark-")))
        telegram = stack.enter_context(TelegramProcess(*TELEGRAM))
        engine = stack.enter_context(EmbeddedEngine(folder, telegram.url, given, rate=CEILING))
        result = race(engine, telegram, work.chats(given), patience=PATIENCE + 2 * count / SLOWEST)
    first, last = thirds(result.memory)
    row: list[Cell] = [
        f"{count:,}",
        result.account.accepted,
        result.seconds,
        result.rate,
        result.too_many_requests,
        result.account.lost,
        result.account.doubled,
        result.cpu_seconds,
        first,
        last,
        last / first,
    ]
    note = f"Telegram takes {CEILING:,} messages a second, and 1 a second for a chat. Memory is the median of what is resident."
    return [Table("All pairs due at once under a high ceiling", COLUMNS, [row], note)]


def thirds(samples: Sequence[float]) -> tuple[float, float]:
    """Medians of the first and the last third of at least one sample."""
    some = max(1, len(samples) // 3)
    return statistics.median(samples[:some]), statistics.median(samples[-some:])
