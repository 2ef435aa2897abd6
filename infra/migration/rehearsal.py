"""The whole moving over, rehearsed: a PostgreSQL of its own with the original's tables, and a simulated Telegram.

    python -m infra.migration.rehearsal

Each step is the command that docs/moving-over.md names. It ends with exit code 0, or at the first step that did not come out right.
"""

import csv
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

import psycopg

from infra.embedded.service import Service
from infra.embedded.workspace import open_workspace
from infra.migration.throwaway_postgres import NoPostgres, binaries, throwaway_postgres
from infra.telegram_simulator.server import SimulatorServer
from infra.telegram_simulator.simulator import Simulator
from shared.clock import MachineClock
from shared.settings import Settings
from shared.telegram_http import TelegramHttp

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SAMPLE = ROOT / "infra" / "sample" / "pairs.csv"
TOKEN = "123456789:AAE-a-token-that-only-the-simulator-takes"
BOT = "rehearsal_bot"
WINDOW = "0.001"
PATIENCE_SECONDS = 300.0
STATES: tuple[dict[str, Any], ...] = (
    {"broadcast_status": "completed", "last_sent_time": "1 day", "next_send_time": "-1 minute"},
    {"broadcast_status": "in_progress", "next_send_time": "-3 days"},
    {"broadcast_status": "failed", "next_send_time": "-2 days", "consecutive_failures": 2, "failed_broadcasts": 2},
    {"broadcast_status": "failed", "next_send_time": "-40 days", "consecutive_failures": 5, "is_active": False},
    {"broadcast_status": "pending", "next_send_time": None},
    {"broadcast_status": "pending", "next_send_time": "7 hours"},
    {"broadcast_status": "pending", "next_send_time": "-1 day", "is_active": False},
)


class Wrong(Exception):
    """Raised when a step did not come out right."""


def main() -> int:
    """Rehearse; the exit code."""
    simulator = Simulator(MachineClock(), accept_unknown_channels=True, bot_username=BOT)
    try:
        with (
            throwaway_postgres() as url,
            SimulatorServer(simulator) as telegram,
            tempfile.TemporaryDirectory(prefix="rehearsal-") as folder,
        ):
            _rehearse(url, simulator, telegram.url, Path(folder))
    except (NoPostgres, Wrong) as error:
        print(f"\nThe rehearsal stopped: {error}", file=sys.stderr)
        return 1
    print("\nThe rehearsal came out right.")
    return 0


def _rehearse(url: str, simulator: Simulator, telegram_url: str, folder: Path) -> None:
    environ = {
        "DATA_DIR": str(folder / "data"),
        "BOT_TOKEN": TOKEN,
        "BOT_USERNAME": BOT,
        "TELEGRAM_API_URL": telegram_url,
        "ORIGINAL_DATABASE_URL": url,
        "TICK_SECONDS": "1",
    }
    with psycopg.connect(url, autocommit=True) as original:
        _step("The original's tables")
        active = _fill(original, simulator)
        texts = _rows(original, "main_clients_database", "open_channel_id")
        print(f"{len(texts)} pairs, {active} of them to be sent")

        _step("Dry run")
        _ctl(environ, "migrate", "--spread", WINDOW)
        _step("Migrate")
        _ctl(environ, "migrate", "--write", "--spread", WINDOW)
        _step("Verify")
        _ctl(environ, "verify", "--from", url, "--rights")
        _step("Shadow run")
        before = simulator.accepted_count()
        _ctl(environ, "shadow", "--for", "0.1", "--from", url)
        _expect(simulator.accepted_count() == before, "the shadow run sent something")

        _step("Live, against the simulated Telegram")
        _go_live(environ, telegram_url, active)
        standing = sorted(len(simulator.visible(channel.chat_id)) for channel in simulator.channels())
        sent = simulator.accepted_count() - before
        print(f"{sent} messages sent; {standing.count(1)} channels with one message, {standing.count(2)} with two")
        _expect(sent == 2 * active and 2 not in standing, "a message was lost or doubled")
        _ctl(environ, "verify", "--from", url)

        _step("Export, and back into the original's tables")
        first = _back(environ, url, original, folder / "first")
        _expect(
            _rows(original, "main_clients_database", "open_channel_id") == texts, "the original's texts have changed"
        )
        _step("The same again from there, with a fresh folder")
        again = {**environ, "DATA_DIR": str(folder / "again")}
        _ctl(again, "migrate", "--write", "--spread", WINDOW)
        second = _back(again, url, original, folder / "second")
        for was, now in zip(first, second, strict=True):
            _expect(was == now, f"a state has changed on its way there and back:\n{was}\n{now}")
        print(f"{len(texts)} rows of texts and {len(second)} of states: equal")


def _fill(original: "psycopg.Connection[Any]", simulator: Simulator) -> int:
    """The sample's pairs, each with one of the states the original leaves behind, and standing messages. How many will be sent."""
    original.execute((HERE / "original.sql").read_bytes())
    original.execute((HERE / "message_columns.sql").read_bytes())
    active = 0
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            values = {name: value or None for name, value in row.items()}
            values |= {"client_wallet_address": "0x00", "client_payout_currency": "usdt"}
            original.execute("INSERT INTO registered_users VALUES (%s) ON CONFLICT DO NOTHING", [row["client_id"]])
            _insert(original, "main_clients_database", values)
            if number == len(STATES):
                active += 1
                continue
            state = {**STATES[number % len(STATES)]}
            for name in ("next_send_time", "last_sent_time"):
                state[name] = _moment(original, state.get(name), past=name == "last_sent_time")
            channels = {name: row[name] for name in ("client_id", "open_channel_id", "closed_channel_id")}
            standing: dict[str, Any] = {}
            for which in ("open", "closed"):
                call = {"chat_id": row[f"{which}_channel_id"], "text": "the original's message"}
                while simulator.call(TOKEN, "sendMessage", call).status == 429:
                    time.sleep(0.1)
                message = simulator.visible(int(row[f"{which}_channel_id"]))[-1]
                standing[f"last_{which}_message_id"] = message.message_id
                standing[f"last_{which}_message_sent_at"] = message.sent_at.astimezone(UTC).replace(tzinfo=None)
            _insert(original, "broadcast_manager", {**channels, **state, **standing})
            paused = state.get("is_active") is False and "consecutive_failures" not in state
            later = STATES[number % len(STATES)].get("next_send_time") == "7 hours"
            active += not paused and not later
    return active


def _moment(original: "psycopg.Connection[Any]", offset: str | None, *, past: bool) -> datetime | None:
    if offset is None:
        return None
    sign = "-" if past else "+"
    found = original.execute(f"SELECT now() {sign} %s::interval".encode(), [offset]).fetchone()
    assert found is not None
    moment: datetime = found[0]
    return moment


def _insert(original: "psycopg.Connection[Any]", table: str, values: dict[str, Any]) -> None:
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    original.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})".encode(), list(values.values()))


def _rows(original: "psycopg.Connection[Any]", table: str, order: str) -> list[Any]:
    return original.execute(f"SELECT * FROM {table} ORDER BY {order}".encode()).fetchall()


def _go_live(environ: dict[str, str], telegram_url: str, active: int) -> None:
    """The service, until every pair that is due has been sent for."""
    workspace = open_workspace(Settings(environ))
    telegram = TelegramHttp(telegram_url, lambda: TOKEN)
    stop = Event()
    service = Service(workspace, telegram, lambda: BOT, stop=stop)
    service.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    try:
        while True:
            pairs = [stored.record for stored in workspace.store.all_pairs()]
            done = sum(pair.last_broadcast is not None and pair.run is None for pair in pairs)
            if done == active:
                break
            _expect(time.monotonic() < deadline, f"only {done} of {active} pairs were sent for")
            stop.wait(0.2)
    finally:
        stop.set()
        service.join()
        telegram.close()
        workspace.close()


def _back(environ: dict[str, str], url: str, original: "psycopg.Connection[Any]", folder: Path) -> list[Any]:
    """Export, load, and what broadcast_manager holds then."""
    _ctl(environ, "export", "--to", str(folder))
    programs = binaries()
    assert programs is not None
    command = [str(programs / "psql"), url, "-q", "-v", "ON_ERROR_STOP=1", "-f", str(HERE / "go_back.sql")]
    _run(command, cwd=folder, environ={})
    return _rows(original, "broadcast_manager", "open_channel_id")


def _ctl(environ: dict[str, str], *arguments: str) -> None:
    shown = ["$ORIGINAL_DATABASE_URL" if argument.startswith("postgresql:") else argument for argument in arguments]
    print(f"$ broadcastctl {' '.join(shown)}")
    _run([sys.executable, "-m", "infra.operator.cli", *arguments], cwd=ROOT, environ=environ)


def _run(command: list[str], *, cwd: Path, environ: dict[str, str]) -> None:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    print(done.stdout.rstrip(), flush=True)
    _expect(done.returncode == 0, f"{Path(command[0]).name} ended with {done.returncode}")


def _step(name: str) -> None:
    print(f"\n== {name}", flush=True)


def _expect(condition: bool, otherwise: str) -> None:
    if not condition:
        raise Wrong(otherwise)


if __name__ == "__main__":
    sys.exit(main())
