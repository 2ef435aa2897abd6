"""The whole program as a process, for tests that start, kill and ask it."""

import csv
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from infra.embedded.workspace import Workspace, open_workspace
from infra.telegram_simulator.simulator import Simulator
from shared.pair import Channel, DeliveryState, Pair
from shared.settings import Settings
from tests.pairs import OWNER

ROOT = Path(__file__).parents[2]
TOKEN = "987654321:AAF-known-token-of-the-acceptance-tests-01"
SECRET = "the-acceptance-tests-secret-of-enough-bytes"
COLUMNS = (
    "open_channel_id,open_channel_title,open_channel_description,closed_channel_id,closed_channel_title,"
    "closed_channel_description,closed_channel_donation_message,sub_1_price,sub_1_time,sub_2_price,sub_2_time,"
    "sub_3_price,sub_3_time,notification_status,notification_id,client_id,created_by"
)
PATIENCE = 60.0
"""Seconds after which a condition that does not come true is a failure; on an idle machine none takes a tenth of it."""


def free_port() -> int:
    """A port nobody listens on now.

    It lies below those that outgoing connections get: until the program listens, one of a test beside this one could take it.
    """
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def write_pairs(path: Path, count: int) -> None:
    """A CSV of so many pairs, as psql writes it."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS.split(","))
        for n in range(count):
            ids = (-1001000000000 - n, -1002000000000 - n)
            texts = (f"Open {n}", "about", ids[1], f"Closed {n}", "", "Thank you.")
            writer.writerow([ids[0], *texts, "5.00", 30, "", "", "", "", "f", "", OWNER, "tests"])


class Program:
    """`python -m infra.embedded` on a folder of its own."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.port = free_port()
        self.settings = {"PORT": self.port, "DATA_DIR": self.data_dir, "JWT_SECRET_KEY": SECRET, **settings}
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        """Only what the program needs and the settings: nothing of the shell the tests run in."""
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
        return {**kept, "PYTHONPATH": str(ROOT), **{name: str(value) for name, value in self.settings.items()}}

    def start(self) -> None:
        """Start and wait until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.embedded"], cwd=self.folder, env=self.environ, stdout=log, stderr=log
            )
        wait_for(self.answers, lambda: self.log.read_text())

    def answers(self) -> bool:
        """Whether it answers; a process that has ended is a failure at once."""
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"it ended with {self.process.returncode}:\n{self.log.read_text()}")
        try:
            return requests.get(self.url("/health"), timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def url(self, path: str) -> str:
        """An address of the program."""
        return f"http://127.0.0.1:{self.port}{path}"

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ctrl-C, as a terminal sends it; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)

    def run_to_the_end(self) -> subprocess.CompletedProcess[str]:
        """Start it where it is expected to refuse."""
        return subprocess.run(
            [sys.executable, "-m", "infra.embedded"],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def ctl(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """broadcastctl with the same settings."""
        return subprocess.run(
            [sys.executable, "-m", "infra.operator.cli", *arguments],
            cwd=self.folder,
            env={**self.environ, **settings},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def workspace(self) -> Workspace:
        """Its records, opened beside it or after it."""
        return open_workspace(Settings({name: str(value) for name, value in self.settings.items()}))

    def pairs(self) -> list[Pair]:
        """All pairs as they are stored now."""
        workspace = self.workspace()
        try:
            return [stored.record for stored in workspace.store.all_pairs()]
        finally:
            workspace.close()

    def all_settled(self) -> bool:
        """Whether every pair has finished a run and none is on."""
        pairs = self.pairs()
        return bool(pairs) and all(pair.run is None and pair.last_broadcast is not None for pair in pairs)


def wait_for(condition: Any, explain: Any = lambda: "") -> None:
    """Look until it is true, or fail."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, explain()
        time.sleep(0.05)  # the program under test is another process; nothing here can be injected


def account(pairs: Sequence[Pair], simulator: Simulator) -> Mapping[str, int]:
    """Compare every record with what the simulated Telegram received, message by message.

    Fails at the first untruth; answers how many were sent, unconfirmed, and unconfirmed but accepted.
    """
    counts = {"sent": 0, "unconfirmed": 0, "unconfirmed but accepted": 0}
    for pair in pairs:
        run = pair.last_broadcast
        assert run is not None, f"{pair.open_channel_title} was forgotten"
        for channel in Channel:
            delivery = run.delivery(channel)
            accepted = [message.message_id for message in simulator.messages(pair.chat(channel))]
            assert len(accepted) <= 1, f"{pair.title(channel)} got {len(accepted)} messages"
            if delivery.state is DeliveryState.SENT:
                assert accepted == [delivery.message_id], f"{pair.title(channel)}: {accepted}, {delivery}"
                counts["sent"] += 1
            else:
                assert delivery.state is DeliveryState.UNCONFIRMED, f"{pair.title(channel)}: {delivery}"
                counts["unconfirmed"] += 1
                counts["unconfirmed but accepted"] += len(accepted)
    return counts


def no_secret_in(text: str) -> None:
    """Fails if the text holds the bot's token or the secret of the tokens."""
    assert TOKEN not in text
    assert TOKEN.split(":")[1] not in text
    assert SECRET not in text
    assert not re.search(r"eyJ[\w-]+\.eyJ", text)
