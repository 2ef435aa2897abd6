"""Our engine on one machine as the process `make run` starts, with pairs of its own and a Telegram beside it."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import requests

from infra.benchmark.owner import SECRET
from infra.benchmark.records import fill, make_due
from infra.benchmark.telegram_process import ROOT, TOKEN
from infra.benchmark.waiting import NotDone, wait_until
from infra.embedded.workspace import REAL, open_workspace
from infra.rehearsal.emulators import free_port
from shared.events import TickEvent
from shared.pair import Pair
from shared.settings import Settings

START_SECONDS = 60.0
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")


class EmbeddedEngine:
    """`python -m infra.embedded` in a folder of its own. It is given its pairs before it starts, and none is due until `begin`."""

    name = "Broadcast Manager, embedded"

    def __init__(self, folder: Path, telegram_url: str, pairs: Sequence[Pair], *, rate: float) -> None:
        self._folder = folder
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.settings: Mapping[str, str] = {
            "BOT_TOKEN": TOKEN,
            "TELEGRAM_API_URL": telegram_url,
            "TELEGRAM_RATE": f"{rate:g}",
            "JWT_SECRET_KEY": SECRET,
            "DATA_DIR": str(folder / "data"),
            "PORT": str(self.port),
        }
        self.workspace = open_workspace(Settings(self.settings), database=REAL)
        fill(self.workspace.database, self.workspace.store, pairs)

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """Where it takes requests."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers. Raises NotDone."""
        environ = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        command = [sys.executable, "-m", "infra.embedded"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._folder,
                env={**environ, "PYTHONPATH": str(ROOT), **self.settings},
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, START_SECONDS, lambda: f"the engine does not answer:\n{self._said()}")

    def begin(self) -> None:
        """Have every pair due now, and look for what is due, once its first tick is over: two at once would share a batch."""
        wait_until(lambda: not self.workspace.bus.waiting(), START_SECONDS, lambda: "the first tick does not end")
        make_due(self.workspace.database, self.workspace.store, self.workspace.clock.now())
        self.workspace.bus.publish([TickEvent()])

    def wait_done(self, seconds: float) -> None:
        """Until nothing is due and no broadcast is on. Raises NotDone."""
        store, clock = self.workspace.store, self.workspace.clock
        wait_until(
            # In this order: the other way round a pair could be claimed between the two and be missed by both.
            lambda: not store.due_pairs(clock.now(), 1) and not store.count_running(),
            seconds,
            lambda: f"{store.count_running()} broadcasts are on:\n{self._said()}",
        )

    def pairs(self) -> list[Pair]:
        """All pairs as they are stored now."""
        return [stored.record for stored in self.workspace.store.all_pairs()]

    def kill(self) -> None:
        """kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "EmbeddedEngine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()
        self.workspace.close()

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise NotDone(f"The engine ended with {self._process.returncode}:\n{self._said()}")
        try:
            return requests.get(f"{self.url}/health", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:] if self._log.exists() else ""
