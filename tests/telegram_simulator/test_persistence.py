"""With a database, what was in Telegram survives the death of the process."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from infra.telegram_simulator.limits import Limits
from infra.telegram_simulator.simulator import Simulator
from tests.telegram_simulator.support import CHAT, OTHER, ManualClock, World, keyboard, result


def reopened(path: Path) -> Simulator:
    return Simulator(ManualClock(), limits=Limits.off(), database=path)


def test_everything_sent_edited_and_deleted_is_there_after_a_new_start(tmp_path: Path) -> None:
    path = tmp_path / "telegram.sqlite"
    world = World(database=path)
    markup = keyboard({"text": "Buy", "url": "https://t.me/b?start=x"})
    edited = world.sent("<b>one</b>", parse_mode="HTML", reply_markup=markup)
    deleted = world.sent("two", chat_id=OTHER)
    world.call("editMessageText", chat_id=CHAT, message_id=edited, text="new")
    world.call("deleteMessages", chat_id=OTHER, message_ids=[deleted])
    before = [world.simulator.messages(chat) for chat in (CHAT, OTHER)]
    world.simulator.close()
    again = reopened(path)
    assert [again.messages(chat) for chat in (CHAT, OTHER)] == before
    assert again.visible(OTHER) == []
    assert {channel.name for channel in again.channels()} == {"Morning news", "Evening news"}
    again.close()


def test_ids_go_on_where_they_stopped(tmp_path: Path) -> None:
    path = tmp_path / "telegram.sqlite"
    world = World(database=path)
    message_id = world.sent()
    world.simulator.close()
    again = World(database=path)
    assert again.sent() == message_id + 1
    again.simulator.close()


def test_rights_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "telegram.sqlite"
    world = World(database=path)
    world.simulator.add_channel(CHAT, "Morning news", member="kicked")
    world.simulator.close()
    again = reopened(path)
    assert {channel.chat_id: channel.member for channel in again.channels()}[CHAT] == "kicked"
    again.close()


def test_a_message_is_on_disk_before_the_call_returns(tmp_path: Path) -> None:
    path = tmp_path / "telegram.sqlite"
    world = World(database=path)
    message_id = world.sent()
    reader = sqlite3.connect(path)
    assert reader.execute("SELECT chat_id, message_id FROM messages").fetchall() == [(CHAT, message_id)]
    reader.close()
    world.simulator.close()


def test_a_reset_empties_the_file_too(tmp_path: Path) -> None:
    path = tmp_path / "telegram.sqlite"
    world = World(database=path)
    world.sent()
    world.simulator.reset()
    world.simulator.close()
    again = reopened(path)
    assert (again.messages(CHAT), len(again.channels())) == ([], 2)
    again.close()


def test_a_file_of_a_newer_simulator_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "telegram.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ValueError, match="newer simulator"):
        reopened(path)


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.telegram_simulator.support import World
world = World(database=Path(sys.argv[1]))
for _ in range(50):
    print(world.sent(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_nothing_it_had_answered(tmp_path: Path) -> None:
    path = tmp_path / "telegram.sqlite"
    root = Path(__file__).parents[2]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], cwd=root, env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    again = reopened(path)
    assert [m.message_id for m in again.visible(CHAT)] == [int(line) for line in killed.stdout.split()]
    again.close()


def test_calls_from_many_threads_give_each_message_its_own_id() -> None:
    world = World()
    ids: list[int] = []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        ids.extend(int(result(world.send())["message_id"]) for _ in range(100))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids) == list(range(min(ids), min(ids) + 800))
    assert world.simulator.accepted_count() == 800
