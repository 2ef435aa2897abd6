"""`broadcastctl export`: the original's tables accept what it writes."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest

from infra.migration import export
from shared.pair import Live
from tests.clocks import NOON
from tests.migration.conftest import Original
from tests.operator.conftest import Operator
from tests.pairs import a_pair
from tests.runs import claimed, sent

AWKWARD = 'a "quote", a comma,\na line and NULL'


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_an_active_pair_is_pending_whatever_became_of_its_last_broadcast() -> None:
    [row] = read(export.state_table([sent(claimed(a_pair()))]))

    assert (row["broadcast_status"], row["is_active"]) == ("pending", "t")
    assert (row["total_broadcasts"], row["successful_broadcasts"]) == ("1", "1")
    assert (row["last_open_message_id"], row["last_open_message_sent_at"]) == ("11", "2026-06-01 12:00:00")


def test_a_paused_pair_is_not_sent_there_either() -> None:
    [row] = read(export.state_table([a_pair(is_active=False)]))

    assert (row["broadcast_status"], row["is_active"]) == ("failed", "f")


def test_an_ended_pair_is_left_out() -> None:
    ended = a_pair(is_active=False, ended_at=NOON)

    assert read(export.state_table([ended])) == []
    assert read(export.pair_table([ended])) == []


@pytest.mark.parametrize("message_columns", [True, False])
def test_the_tables_accept_every_value(original: Original, message_columns: bool) -> None:
    if message_columns:
        original.has_message_columns()
    pairs = [
        a_pair(1, closed_channel_donation_message=AWKWARD, open_channel_description="", last_error_message="NULL"),
        a_pair(2, sub_2_price=Decimal("99999999.99"), sub_2_time=32767, last_sent_time=NOON - timedelta(days=1)),
        a_pair(3, open_live=Live(chat=-1001000000003, message_id=2**40, sent_at=NOON), next_send_time=None),
    ]

    with original.connection.cursor() as cursor:
        with cursor.copy("COPY broadcast_manager FROM STDIN (FORMAT csv, HEADER match)") as copy:
            copy.write(export.state_table(pairs, message_columns=message_columns))
        columns = ", ".join(export.PAIR_COLUMNS)
        cursor.execute("ALTER TABLE main_clients_database ALTER client_wallet_address SET DEFAULT '0x00'")
        cursor.execute("ALTER TABLE main_clients_database ALTER client_payout_currency SET DEFAULT 'usdt'")
        with cursor.copy(f"COPY main_clients_database ({columns}) FROM STDIN (FORMAT csv, HEADER match)") as copy:
            copy.write(export.pair_table(pairs))

    query = "SELECT closed_channel_donation_message, open_channel_description, sub_2_price FROM main_clients_database ORDER BY id"
    assert original.rows(query) == [
        (AWKWARD, "", None),
        ("Thank you, crew.", "Notes from the quay", Decimal("99999999.99")),
        ("Thank you, crew.", "Notes from the quay", None),
    ]
    [(error, next_send_time)] = original.rows(
        "SELECT max(last_error_message), max(next_send_time) FROM broadcast_manager"
    )
    assert (error, next_send_time) == ("NULL", NOON)


def test_both_files_are_written_and_a_run_on_its_way_is_told(operator: Operator) -> None:
    operator.keep(claimed(a_pair()))
    folder = operator.folder / "out"

    output = operator.run("export", "--to", str(folder)).output

    assert sorted(path.name for path in folder.iterdir()) == ["broadcast_manager.csv", "main_clients_database.csv"]
    assert "1 broadcast was still on its way" in output
