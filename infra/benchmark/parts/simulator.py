"""What the simulated Telegram can answer alone, for no sender can be seen to be faster."""

from infra.benchmark import work
from infra.benchmark.hammer import CONNECTIONS, hammer
from infra.benchmark.sizes import Sizes
from infra.benchmark.tables import Cell, Say, Table
from infra.benchmark.telegram_process import TelegramProcess
from infra.benchmark.usage import usage

COLUMNS = ("sender", "messages", "messages/s", "Telegram's CPU s/1,000", "messages a CPU second")


def measure(sizes: Sizes, say: Say) -> list[Table]:
    """Both of a pair's messages, with everything about them checked as always."""
    messages = work.messages(work.pairs(sizes.simulator_pairs))
    say(f"{len(messages):,} messages")
    with TelegramProcess("--no-limits") as telegram:
        before = usage(telegram.pid).cpu_seconds
        rate = hammer(telegram.url, messages)
        cpu_seconds = (usage(telegram.pid).cpu_seconds - before) / len(messages) * 1000
    row: list[Cell] = [
        f"{CONNECTIONS} connections, requests made beforehand",
        len(messages),
        rate,
        cpu_seconds,
        1000 / cpu_seconds if cpu_seconds else None,
    ]
    note = "Without latency. It is a process of its own and takes one core at most."
    return [Table("The simulated Telegram alone", COLUMNS, [row], note)]
