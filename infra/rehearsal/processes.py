"""One function as a process of its own, served by functions-framework from its bundle, as on Cloud Run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import requests

from infra.rehearsal.emulators import free_port

START_SECONDS = 60.0
STOP_SECONDS = 20.0
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")


class NotStarted(Exception):
    """Raised when a function does not come up; the text is what it said."""


class FunctionProcess:
    """A bundle being served. Only its own settings reach it, nothing of the shell this runs in."""

    def __init__(
        self, function: str, bundle: Path, settings: Mapping[str, str], *, log: Path, python: Path | None = None
    ) -> None:
        self.function = function
        self.port = free_port()
        self._bundle = bundle
        self._settings = settings
        self._log = log
        self._python = python or Path(sys.executable)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it takes requests."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def said(self) -> str:
        """Its log up to now."""
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

    def start(self) -> None:
        """Start it and wait until it listens. Raises NotStarted."""
        environ = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        # The bundle comes first on the path, so that its copies are run and not the repository's.
        environ |= {"PYTHONPATH": str(self._bundle), "THREADS": "64", **self._settings}
        command = [str(self._python), "-m", "functions_framework"]
        command += [f"--target={self.function}", f"--source={self._bundle / 'main.py'}"]
        command += ["--host=127.0.0.1", f"--port={self.port}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self._bundle, env=environ, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.ping()
                return
            except requests.ConnectionError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise NotStarted(f"{self.function} did not start: {self.said[-3000:]}") from None
                time.sleep(0.05)

    def ping(self) -> int:
        """The status of a request that means nothing to any function. Raises ConnectionError."""
        return requests.get(f"{self.url}health", timeout=10).status_code

    def kill(self) -> None:
        """kill -9 to the process and its worker."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, as Cloud Run does; SIGKILL if it takes longer than that gives it."""
        if self._process is None or self._process.poll() is not None:
            return
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> "FunctionProcess":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
