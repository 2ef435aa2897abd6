"""`python -m infra.telegram_simulator` as a process."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.telegram_simulator.support import CHAT, TOKEN

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "infra.telegram_simulator"]


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            address = re.search(r"at (http://\S+)", process.stdout.readline())
            assert address is not None
            yield process, address[1]
        finally:
            process.kill()


def test_it_serves_and_remembers_and_stops_on_ctrl_c(tmp_path: Path) -> None:
    database = str(tmp_path / "telegram.sqlite")
    channels = tmp_path / "channels.json"
    channels.write_text(json.dumps([{"chat_id": CHAT, "title": "Morning news"}]))
    with running("--database", database, "--channels", str(channels)) as (process, url):
        sent = requests.post(f"{url}/bot{TOKEN}/sendMessage", json={"chat_id": CHAT, "text": "hi"}, timeout=10).json()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    with running("--database", database) as (_, url):
        record = requests.get(f"{url}/control/record", timeout=10).json()
    assert record[0]["messages"][0]["message_id"] == sent["result"]["message_id"]


def test_the_rate_is_as_given() -> None:
    with running("--rate", "1", "--accept-unknown-channels") as (_, url):
        statuses = [
            requests.post(f"{url}/bot{TOKEN}/sendMessage", json={"chat_id": chat, "text": "x"}, timeout=10).status_code
            for chat in (-1001, -1002, -1003, -1004)
        ]
    assert statuses[0] == 200
    assert 429 in statuses


def failure(*arguments: str) -> str:
    done = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_busy_port_is_reported_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}" in failure("--port", str(port))


def test_a_wrong_channels_file_is_reported_in_a_sentence(tmp_path: Path) -> None:
    wrong = tmp_path / "channels.json"
    wrong.write_text('[{"id": 1}]')
    assert "channels.json" in failure("--port", "0", "--channels", str(wrong))
    assert "missing.json" in failure("--port", "0", "--channels", str(tmp_path / "missing.json"))


def test_help_explains_each_option() -> None:
    shown = subprocess.run([*COMMAND, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for option in ("--host", "--port", "--database", "--latency-ms", "--no-limits", "--rate", "--channels"):
        assert option in shown
