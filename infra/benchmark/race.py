"""One sender's run against the simulated Telegram: what it achieved and what it used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from infra.benchmark.telegram_process import Account, TelegramProcess
from infra.benchmark.usage import usage
from infra.telegram_simulator.record import Summary


class Sender(Protocol):
    """A process that is given messages to send. It is measured from `begin` to the end of `wait_done`."""

    name: str

    @property
    def pid(self) -> int:
        """Of the running process."""

    def start(self) -> None:
        """Start it and wait until it has imported what it needs and has its work at hand. Raises NotDone."""

    def begin(self) -> None:
        """Have it send."""

    def wait_done(self, seconds: float) -> None:
        """Until it knows what became of every message. Raises NotDone."""


@dataclass(frozen=True)
class Result:
    """What one sender achieved: messages a second, CPU seconds for 1,000 messages, MiB at most."""

    name: str
    rate: float
    too_many_requests: int
    account: Account
    cpu_seconds: float
    peak_memory: float


def race(sender: Sender, telegram: TelegramProcess, chats: Sequence[int], *, seconds: float) -> Result:
    """Have it send one message to each of these chats, within so many seconds. Raises NotDone."""
    sender.start()
    before = usage(sender.pid)
    sender.begin()
    sender.wait_done(seconds)
    after = usage(sender.pid)
    summary, account = telegram.summary(), telegram.account(chats)
    return Result(
        name=sender.name,
        rate=rate(summary),
        too_many_requests=summary.too_many_requests,
        account=account,
        cpu_seconds=(after.cpu_seconds - before.cpu_seconds) / max(1, account.accepted) * 1000,
        peak_memory=after.peak_memory,
    )


def rate(summary: Summary) -> float:
    """(n − 1) / (last − first) over the messages Telegram accepted; 0 for fewer than two."""
    first, last = summary.first_accepted_monotonic, summary.last_accepted_monotonic
    if first is None or last is None or last <= first:
        return 0.0
    return (summary.accepted - 1) / (last - first)
