"""The small things all measurements stand on."""

import os
import sys
from pathlib import Path

import pytest

from infra.benchmark import work
from infra.benchmark.hammer import hammer
from infra.benchmark.parts.long_run import thirds
from infra.benchmark.parts.resend import percentile
from infra.benchmark.peer import REQUIREMENTS, Peer, PeerProcess
from infra.benchmark.race import Result, race
from infra.benchmark.tables import Table
from infra.benchmark.telegram_process import TelegramProcess
from infra.benchmark.usage import NoProc, usage
from infra.benchmark.waiting import NotDone, wait_until

POSTING = Peer("a loop", "tests.benchmark.posting")
PATIENCE = 60.0


def test_a_table_is_aligned_and_says_what_is_not_known() -> None:
    table = Table(
        "How fast?", ("sender", "a second", "lost"), [["ours", 1234.5, 0], ["theirs", 0.126, None]], "A note."
    )

    assert table.text().splitlines() == [
        "### How fast?",
        "",
        "| sender | a second | lost |",
        "| ------ | -------: | ---: |",
        "| ours   |    1,234 |    0 |",
        "| theirs |     0.13 |    – |",
        "",
        "A note.",
    ]


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_one_of_the_values(share: float, expected: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], share) == expected


def test_thirds_leave_the_middle_out() -> None:
    assert thirds([1, 2, 3, 50, 60, 70, 7, 8, 9]) == (2, 8)
    assert thirds([5]) == (5, 5)


def test_a_process_uses_cpu_and_memory() -> None:
    before = usage(os.getpid())
    sum(range(3_000_000))
    after = usage(os.getpid())

    assert after.cpu_seconds > before.cpu_seconds
    assert after.peak_memory >= after.memory > 1


def test_a_process_that_is_not_there_uses_nothing_that_could_be_said() -> None:
    with pytest.raises(NoProc, match="process 99999999"):
        usage(99999999)


def test_what_does_not_come_is_explained() -> None:
    with pytest.raises(NotDone, match="After 0 s: two are left"):
        wait_until(lambda: False, 0, lambda: "two are left")


def test_each_message_goes_to_a_chat_of_its_own() -> None:
    pairs = work.pairs(3)
    chats = [message["chat_id"] for message in work.messages(pairs)]

    assert chats == work.chats(pairs)
    assert len(set(chats)) == 6


# --- with a simulated Telegram beside ---------------------------------------------------------------------------------


def raced(folder: Path, rate: float) -> Result:
    pairs = work.pairs(5)
    with TelegramProcess("--no-limits") as telegram:
        peer = PeerProcess(folder, telegram.url, pairs, peer=POSTING, python=Path(sys.executable), rate=rate)
        with peer as sender:
            return race(sender, telegram, work.chats(pairs), patience=PATIENCE)


@pytest.mark.server
def test_a_sender_is_measured_by_what_telegram_accepted(tmp_path: Path) -> None:
    result = raced(tmp_path, 30)

    assert (result.account.accepted, result.account.lost, result.account.doubled) == (10, 0, 0)
    assert result.rate == pytest.approx(9 / result.seconds)
    assert result.peak_memory >= max(result.memory) > 1


@pytest.mark.server
def test_what_a_sender_loses_and_doubles_is_counted(tmp_path: Path) -> None:
    result = raced(tmp_path, 13)

    assert (result.account.accepted, result.account.lost, result.account.doubled) == (10, 1, 1)
    assert result.account.without == {work.FIRST_OPEN}


@pytest.mark.server
def test_a_sender_that_ends_is_said_with_its_last_words(tmp_path: Path) -> None:
    nowhere, python = "http://127.0.0.1:9", Path(sys.executable)
    with PeerProcess(tmp_path, nowhere, work.pairs(1), peer=POSTING, python=python, rate=1) as sender:
        sender.start()
        sender.begin()

        with pytest.raises(NotDone, match=r"(?s)a loop ended with 1:.*refused"):
            sender.wait_done(PATIENCE)


@pytest.mark.server
def test_a_refusal_ends_the_trial_of_telegram_alone() -> None:
    with TelegramProcess("--rate", "1") as telegram, pytest.raises(NotDone, match="429"):
        hammer(telegram.url, work.messages(work.pairs(3)))


@pytest.mark.server
def test_a_simulated_telegram_that_does_not_start_is_said() -> None:
    with pytest.raises(NotDone, match="did not start"), TelegramProcess("--latency-ms", "-1"):
        pass


def test_the_peers_are_pinned_and_none_of_them_is_ours() -> None:
    names = {line.split("==")[0] for line in REQUIREMENTS.read_text().splitlines() if "==" in line}

    assert {"aiogram", "python-telegram-bot", "tgcast"} <= names
