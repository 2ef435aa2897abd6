"""What a newcomer sees: the program as a process, with its simulated Telegram."""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.acceptance.running import Program, free_port, wait_for

pytestmark = pytest.mark.server


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


def test_without_any_setting_17_pairs_get_both_messages_and_a_page_shows_them(program: Program) -> None:
    program.start()
    wait_for(program.all_settled)

    pairs = program.pairs()
    page = requests.get(program.url("/telegram"), timeout=10)

    assert len(pairs) == 17
    assert all(pair.successful_broadcasts == 1 for pair in pairs)
    assert page.status_code == 200
    assert page.text.count("Donate to Support This Channel") == 17
    assert page.text.count("Hello, welcome to") == 17
    assert "Q&amp;A &lt;Live&gt;" in page.text


def test_a_second_start_posts_nothing_again_and_the_channels_are_as_they_were(program: Program) -> None:
    program.start()
    wait_for(program.all_settled)
    assert program.stop() == 0
    before = program.pairs()

    program.start()
    page = requests.get(program.url("/telegram"), timeout=10).text

    assert program.pairs() == before
    assert page.count("Hello, welcome to") == 17


def test_a_second_process_on_the_same_folder_is_refused_with_a_sentence(program: Program, tmp_path: Path) -> None:
    program.start()
    assert program.process is not None
    second = Program(tmp_path)

    refused = second.run_to_the_end()

    assert refused.returncode == 1
    assert f"process {program.process.pid} at http://127.0.0.1:{program.port} already runs on" in (
        refused.stderr.replace("Process", "process")
    )
    assert "Traceback" not in refused.stderr


def test_a_busy_port_is_named(program: Program, tmp_path: Path) -> None:
    program.start()
    (tmp_path / "second").mkdir()
    second = Program(tmp_path / "second", PORT=program.port)

    refused = second.run_to_the_end()

    assert refused.returncode == 1
    assert f"Port {program.port} on 127.0.0.1 cannot be used" in refused.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TELEGRAM_RATE": "fast"}, "TELEGRAM_RATE: 'fast' is wrong"),
        (
            {"TELEGRAM_RATE": "2000", "PAID_BROADCAST": "true"},
            "TELEGRAM_RATE: with PAID_BROADCAST Telegram takes at most",
        ),
        ({"BROADCAST_AUTO_INTERVAL": "0"}, "BROADCAST_AUTO_INTERVAL: '0' is wrong: it must be a number above zero"),
        ({"HOST": "no-such-host.invalid"}, "HOST: this machine has no address no-such-host.invalid"),
        ({"PORT": "80800"}, "PORT: '80800' is wrong"),
        ({"PAIRS": "missing.csv"}, "PAIRS: cannot read missing.csv"),
        ({"BOT_TOKEN_FILE": "/nowhere/token"}, "BOT_TOKEN_FILE: cannot read /nowhere/token"),
        ({"TELEGRAM_API_URL": "api.telegram.org"}, "TELEGRAM_API_URL"),
    ],
    ids=["rate", "paid rate", "interval", "host", "port", "pairs", "token file", "url"],
)
def test_a_wrong_setting_stops_the_start_and_is_named(program: Program, settings: dict[str, str], words: str) -> None:
    program.settings |= settings

    refused = program.run_to_the_end()

    assert refused.returncode == 2
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("name", ["simulated.db", "telegram.db"])
def test_a_database_that_is_none_is_named(program: Program, name: str) -> None:
    program.data_dir.mkdir()
    (program.data_dir / name).write_bytes(b"this is no database" * 100)

    refused = program.run_to_the_end()

    assert refused.returncode == 1
    assert f"{program.data_dir / name} is no database" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_all_wrong_settings_are_named_at_once(program: Program) -> None:
    program.settings |= {"TELEGRAM_RATE": "fast", "TICK_SECONDS": "-1"}

    refused = program.run_to_the_end()

    assert "TELEGRAM_RATE" in refused.stderr
    assert "TICK_SECONDS" in refused.stderr


def test_the_made_secret_is_readable_by_its_owner_only_and_stays(program: Program) -> None:
    del program.settings["JWT_SECRET_KEY"]
    program.start()
    path = program.data_dir / "jwt-secret"
    first = path.read_text()
    program.stop()
    program.start()

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == first
    assert first.strip() not in program.log.read_text()


@pytest.mark.parametrize(("secret", "warnings"), [("short", 1), ("long enough for a key of 32 bytes", 0)])
def test_a_short_secret_gets_one_warning_at_the_start(program: Program, secret: str, warnings: int) -> None:
    program.settings["JWT_SECRET_KEY"] = secret
    program.start()
    token = program.ctl("token", "--client", "8dcdf36a-dbde-52a4-a034-ed11820e0506").stdout.strip()
    for _ in range(3):
        answer = requests.get(program.url("/api/channels"), headers={"Authorization": f"Bearer {token}"}, timeout=10)
        assert answer.status_code == 200
    program.stop()

    assert program.log.read_text().count("shorter than 32 bytes") == warnings
    assert "InsecureKeyLength" not in program.log.read_text()


def test_settings_in_a_dot_env_file_count_and_the_environment_wins(program: Program) -> None:
    other = free_port()
    (program.folder / ".env").write_text(f"PORT={other}\nTELEGRAM_RATE=fast\n")
    program.settings["TELEGRAM_RATE"] = "25"

    program.start()

    assert program.answers()
