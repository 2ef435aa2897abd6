"""The peers from PyPI: an environment of their own, and a process that drives one of them."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import msgspec

from infra.benchmark import work
from infra.benchmark.telegram_process import ROOT, TOKEN
from infra.benchmark.waiting import NotDone, wait_until
from shared.pair import Pair

ENVIRONMENT = ROOT / "build" / "benchmark-peers"
REQUIREMENTS = ROOT / "infra" / "benchmark" / "drivers" / "requirements.txt"
START_SECONDS = 60.0


class NoPeers(Exception):
    """Raised where the peers cannot be installed; the text says why."""


@dataclass(frozen=True)
class Peer:
    """A peer and how it is set: what people call it, and the module that drives it."""

    name: str
    driver: str


AIOGRAM_IN_TURN = Peer("aiogram, its documented loop", "infra.benchmark.drivers.aiogram_in_turn")
AIOGRAM_SPACED = Peer("aiogram, evenly spaced by hand", "infra.benchmark.drivers.aiogram_spaced")
PTB = Peer("python-telegram-bot, AIORateLimiter evenly spaced", "infra.benchmark.drivers.ptb_rate_limiter")
TGCAST = Peer("tgcast, tuned", "infra.benchmark.drivers.tgcast_queue")


def install() -> Path:
    """The Python of the peers' environment, which is made where it is missing or its requirements changed. Raises NoPeers."""
    python, installed = ENVIRONMENT / "bin" / "python", ENVIRONMENT / "installed.txt"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if installed.exists() and installed.read_text(encoding="utf-8") == wanted:
        return python
    quietly = ["--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)],
        [str(python), "-m", "pip", "install", *quietly, "--no-deps", "-r", str(REQUIREMENTS)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoPeers(f"The peers could not be installed: {done.stderr.strip()[-500:]}")
    installed.write_text(wanted, encoding="utf-8")
    return python


class PeerProcess:
    """A driver as a process; a Sender."""

    def __init__(
        self, folder: Path, telegram_url: str, pairs: Sequence[Pair], *, peer: Peer, python: Path, rate: float
    ) -> None:
        self.name = peer.name
        self._folder = folder
        messages = folder / "messages.json"
        messages.write_bytes(msgspec.json.encode(work.messages(pairs)))
        self._command = [str(python), "-m", peer.driver]
        self._command += [str(messages), telegram_url, TOKEN, str(rate), str(folder)]
        self._said = folder / "said"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it has imported its library and read its work. Raises NotDone."""
        with self._said.open("wb") as out, (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=out, stderr=log)
        self._wait_for("ready", START_SECONDS)

    def begin(self) -> None:
        """Have it send."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()

    def wait_done(self, seconds: float) -> None:
        """Until it says that it is done. Raises NotDone."""
        self._wait_for("done", seconds)

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> "PeerProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.kill()

    def _wait_for(self, word: str, seconds: float) -> None:
        assert self._process is not None
        process = self._process

        def said() -> bool:
            if word in self._said.read_text().split():
                return True
            if process.poll() is not None:
                raise NotDone(f"{self.name} ended with {process.returncode}:\n{self._log()}")
            return False

        wait_until(said, seconds, lambda: f"{self.name} is not {word}:\n{self._log()}")

    def _log(self) -> str:
        return (self._folder / "log").read_text(errors="replace")[-2000:]
