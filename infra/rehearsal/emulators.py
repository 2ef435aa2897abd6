"""Google's own emulators of Firestore and Pub/Sub as child processes, on free ports, gone afterwards.

One that runs already is used where FIRESTORE_EMULATOR_HOST or PUBSUB_EMULATOR_HOST names it.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HOW_TO_GET_THEM = (
    "Google's emulators are not installed; get the gcloud CLI (https://cloud.google.com/sdk/docs/install) and Java 11 or newer,"
    " then: gcloud components install beta cloud-firestore-emulator pubsub-emulator"
)
START_SECONDS = 120.0
HOST_VARIABLES = {"firestore": "FIRESTORE_EMULATOR_HOST", "pubsub": "PUBSUB_EMULATOR_HOST"}
"""What Google's client libraries look at."""


class NoEmulator(Exception):
    """Raised where an emulator cannot be started; the text says what is missing or what it said."""


@dataclass(frozen=True)
class Emulator:
    """A running emulator; `group` is None for one that somebody else started."""

    host: str
    group: int | None

    def freeze(self) -> None:
        """SIGSTOP to all its processes: connections stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it stopped."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.group is None:
            raise NoEmulator("an emulator that was there before is not ours to stop")
        os.killpg(self.group, number)


def installed() -> bool:
    """Whether emulators can be started here, or run already."""
    found = shutil.which("gcloud") is not None and shutil.which("java") is not None
    return found or all(os.environ.get(name) for name in HOST_VARIABLES.values())


@contextmanager
def emulator(kind: str) -> Iterator[Emulator]:
    """A running emulator of this kind, `firestore` or `pubsub`. Raises NoEmulator."""
    given = os.environ.get(HOST_VARIABLES[kind])
    if given:
        yield Emulator(given, None)
        return
    gcloud = shutil.which("gcloud")
    if gcloud is None or shutil.which("java") is None:
        raise NoEmulator(HOW_TO_GET_THEM)
    with tempfile.TemporaryDirectory(prefix=f"{kind}-emulator-") as folder:
        port = free_port()
        beta = ["beta"] if kind == "pubsub" else []
        data = [f"--data-dir={folder}"] if kind == "pubsub" else []
        command = [gcloud, *beta, "emulators", kind, "start", f"--host-port=127.0.0.1:{port}", "--quiet", *data]
        log = Path(folder) / "log"
        with log.open("wb") as out:
            process = _start(command, folder, out)
        try:
            _wait_until_it_listens(kind, port, process, log)
            yield Emulator(f"127.0.0.1:{port}", process.pid)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def free_port() -> int:
    """A port nobody listens on now, for a child that is told its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start(command: list[str], folder: str, out: IO[bytes]) -> subprocess.Popen[bytes]:
    environ = {**os.environ, "CLOUDSDK_CONFIG": folder, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1"}
    # A group of its own: gcloud, a shell and Java are stopped together, and Ctrl-C reaches them through us alone.
    return subprocess.Popen(
        command, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
    )


def _wait_until_it_listens(kind: str, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise NoEmulator(f"the {kind} emulator did not start: {log.read_text(errors='replace')[-2000:].strip()}")
        time.sleep(0.1)
