"""One sender's run against the simulated Telegram: what it achieved and what it used."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event, Thread
from types import TracebackType
from typing import Protocol

from infra.benchmark.telegram_process import Account, TelegramProcess
from infra.benchmark.usage import NoProc, usage
from infra.telegram_simulator.record import Summary

SAMPLE_SECONDS = 0.5


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
    """What one sender achieved: messages a second, CPU seconds for 1,000 messages, MiB."""

    name: str
    rate: float
    seconds: float
    """From the first accepted message to the last."""
    too_many_requests: int
    account: Account
    cpu_seconds: float
    memory: Sequence[float]
    """At equal distances from its beginning to its end."""
    peak_memory: float


def race(sender: Sender, telegram: TelegramProcess, chats: Sequence[int], *, patience: float) -> Result:
    """Have it send one message to each of these chats, within so many seconds. Raises NotDone."""
    sender.start()
    before = usage(sender.pid)
    with MemorySamples(sender.pid) as memory:
        sender.begin()
        sender.wait_done(patience)
    after = usage(sender.pid)
    summary, account = telegram.summary(), telegram.account(chats)
    between = span(summary)
    return Result(
        name=sender.name,
        rate=(summary.accepted - 1) / between if between else 0.0,
        seconds=between,
        too_many_requests=summary.too_many_requests,
        account=account,
        cpu_seconds=(after.cpu_seconds - before.cpu_seconds) / max(1, account.accepted) * 1000,
        memory=memory.found,
        peak_memory=after.peak_memory,
    )


def span(summary: Summary) -> float:
    """Seconds from the first accepted message to the last; 0 for fewer than two."""
    first, last = summary.first_accepted_monotonic, summary.last_accepted_monotonic
    return 0.0 if first is None or last is None else last - first


class MemorySamples:
    """Resident MiB of a process, again and again while entered."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stop = Event()
        self._thread = Thread(target=self._sample, name="memory-samples")
        self.found: list[float] = []

    def __enter__(self) -> "MemorySamples":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        ended = False
        while not ended:
            try:
                self.found.append(usage(self._pid).memory)
            except NoProc:
                return
            ended = self._stop.wait(SAMPLE_SECONDS)
