"""`broadcastctl pairs import`: what it says and how it ends."""

import os
import pty
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.telegram_simulator.server import SimulatorServer
from infra.telegram_simulator.simulator import Simulator
from shared.settings import Settings
from shared.store import StoreUnavailable
from tests.clocks import ManualClock
from tests.operator.conftest import Operator
from tests.operator.csvs import DATA, DEFECTS_CSV, PAIRS_CSV, STATES_CSV, numbered, pairs_csv, states_csv

MAIN, DEFECTS, STATES = (str(DATA / name) for name in (PAIRS_CSV, DEFECTS_CSV, STATES_CSV))


def test_a_good_file_is_summed_up_with_exit_code_0(operator: Operator) -> None:
    result = operator.run("pairs", "import", MAIN)

    assert result.stdout == "17 new, 0 updated, 0 unchanged, 0 rows rejected; memory.\nDue now: 17 of the new pairs.\n"
    assert result.stderr == "Writing to memory.\n"
    assert operator.workspace.closed


def test_again_nothing_is_new(operator: Operator) -> None:
    operator.run("pairs", "import", MAIN, "--state", STATES)

    result = operator.run("pairs", "import", MAIN, "--state", STATES)

    assert result.stdout == "0 new, 0 updated, 17 unchanged, 0 rows rejected; memory.\n"


def test_rejected_rows_are_said_by_file_line_field_and_reason_with_exit_code_1(operator: Operator) -> None:
    result = operator.run("pairs", "import", DEFECTS, status=1)

    assert result.stdout.startswith("1 new, 0 updated, 0 unchanged, 16 rows rejected")
    lines = result.stderr.splitlines()[1:]
    assert len(lines) == 16
    assert f"{DEFECTS}:13: sub_1_price: '9,99' has a comma; write a point: 9.99" in lines


def test_several_files_are_imported_together(operator: Operator) -> None:
    result = operator.run("pairs", "import", MAIN, DEFECTS, STATES, status=1)

    assert result.stdout.startswith("17 new, 0 updated, 0 unchanged, 17 rows rejected")
    assert operator.json("pairs", "show", "384f41fa-a68e-4cdf-880a-395eaad18f15")["total_broadcasts"] == 2


def test_json_is_one_document(operator: Operator) -> None:
    found = operator.json("pairs", "import", DEFECTS, status=1)

    counts = {name: found[name] for name in ("new", "updated", "unchanged", "rejected", "due_now")}
    assert counts == {"new": 1, "updated": 0, "unchanged": 0, "rejected": 16, "due_now": 1}
    assert found["defects"][0] == {
        "file": DEFECTS,
        "line": 2,
        "field": "client_id",
        "reason": "is empty; write the id of the pair's owner, a UUID",
    }


def test_a_row_with_two_wrong_fields_is_one_rejected_row(operator: Operator) -> None:
    path = operator.file("p.csv", pairs_csv({"client_id": "x", "sub_1_price": "0"}))

    assert operator.json("pairs", "import", path, status=1)["rejected"] == 1


def test_a_row_the_store_contradicts_is_rejected_too(operator: Operator) -> None:
    operator.run("pairs", "import", operator.file("p.csv", pairs_csv()))

    result = operator.run(
        "pairs", "import", operator.file("p.csv", pairs_csv({"closed_channel_id": "-1009"})), status=1
    )

    assert "p.csv:2: closed_channel_id:" in result.stderr


def test_a_file_can_come_from_standard_input(operator: Operator) -> None:
    result = operator.run("pairs", "import", "-", input=pairs_csv({}, {**numbered(2), "sub_1_price": "0"}), status=1)

    assert result.stdout.startswith("1 new")
    assert "\nstandard input:3: sub_1_price:" in result.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n", "open_channel_id"),
        (b"\xff\xfea\x00", "not UTF-8"),
        (states_csv(), "give the export of main_clients_database as well"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_error_with_exit_code_2(
    operator: Operator, content: bytes, words: str
) -> None:
    result = operator.run("pairs", "import", operator.file("p.csv", content), status=2)

    assert words in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [[], ["nowhere.csv"], [str(DATA)]])
def test_a_file_that_is_not_there_is_wrong_usage(operator: Operator, arguments: list[str]) -> None:
    operator.run("pairs", "import", *arguments, status=2)


def test_a_header_alone_imports_nothing(operator: Operator) -> None:
    header = pairs_csv().splitlines()[0] + b"\n"

    assert operator.run("pairs", "import", operator.file("p.csv", header)).stdout.startswith(
        "No rows under the header."
    )


def test_a_spread_is_said(operator: Operator) -> None:
    result = operator.run("pairs", "import", MAIN, "--spread", "12")

    assert "spread over 12 h" in result.stdout
    due = {stored.record.next_send_time for stored in operator.workspace.store.all_pairs()}
    assert len(due) == 17


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "9000", "soon"])
def test_what_is_no_number_of_hours_is_wrong_usage(operator: Operator, hours: str) -> None:
    assert "hours" in operator.run("pairs", "import", MAIN, "--spread", hours, status=2).stderr


def test_a_store_that_does_not_answer_is_one_sentence_with_exit_code_1(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any) -> None:
        raise StoreUnavailable("the store does not answer")

    monkeypatch.setattr(operator.workspace.store, "create", down)

    result = operator.run("pairs", "import", MAIN, status=1)

    assert result.stderr == "Writing to memory.\nError: the store does not answer\n"
    assert operator.workspace.closed


def test_an_escape_sequence_in_a_file_does_not_reach_the_terminal(operator: Operator) -> None:
    path = operator.file("p.csv", pairs_csv({"client_id": "\x1b[2J"}))

    assert "\x1b" not in operator.run("pairs", "import", path, status=1).output


def test_the_sample_is_the_main_file() -> None:
    assert (DATA.parents[1] / "infra" / "sample" / "pairs.csv").read_bytes() == Path(MAIN).read_bytes()


@pytest.mark.parametrize(("rows", "shown"), [(250, True), (20, False)])
def test_long_work_shows_a_bar_on_a_terminal(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, rows: int, shown: bool
) -> None:
    from infra.operator import progress

    primary, secondary = pty.openpty()
    with os.fdopen(secondary, "w") as terminal:
        path = operator.file("p.csv", pairs_csv(*(numbered(n) for n in range(1, rows + 1))))
        monkeypatch.setattr(progress, "sys", _Stand(terminal))
        operator.run("pairs", "import", path)
        terminal.write("the end")
        terminal.flush()
        seen = ""
        while "the end" not in seen:
            seen += os.read(primary, 4096).decode()
    os.close(primary)

    assert (re.search(r"Importing.*100%", seen, re.S) is not None) == shown


def test_without_a_terminal_there_is_no_bar(operator: Operator) -> None:
    path = operator.file("p.csv", pairs_csv(*(numbered(n) for n in range(1, 251))))

    assert operator.run("pairs", "import", path).stderr == "Writing to memory.\n"


class _Stand:
    """`sys` with a terminal as stderr."""

    def __init__(self, terminal: Any) -> None:
        self.stderr = terminal
        self.stdin = sys.stdin


def test_with_check_what_the_bot_lacks_is_said_after_the_import(operator: Operator) -> None:
    path = operator.file("p.csv", pairs_csv(numbered(1), numbered(2)))
    token = "123456789:AAE-known-token-of-the-tests-0123456789"
    simulator = Simulator(ManualClock(), token=token, accept_unknown_channels=True)
    with SimulatorServer(simulator) as server:
        operator.run("pairs", "import", path)
        first = next(operator.workspace.store.all_pairs()).record
        simulator.add_channel(first.closed_chat_id, "Closed", can_post=False)
        environ = {"BOT_TOKEN": token, "TELEGRAM_API_URL": server.url, "TELEGRAM_RATE": "1000"}
        operator.workspace.settings = Settings(environ)

        said = operator.run("pairs", "import", path, "--check", status=1).stdout
        document = operator.json("pairs", "import", path, "--check", status=1)

    assert f"{first.open_channel_id}: " in said
    assert "give it the right to post" in said
    assert [finding["channel"] for finding in document["rights"]] == [first.open_channel_id]


def test_without_a_token_nothing_can_be_checked_and_the_import_is_done(operator: Operator) -> None:
    path = operator.file("p.csv", pairs_csv(numbered(1)))

    assert "BOT_TOKEN is not set" in operator.run("pairs", "import", path, "--check", status=1).stderr
    assert len(list(operator.workspace.store.all_pairs())) == 1
