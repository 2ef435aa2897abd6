"""Rows of broadcast_manager: which can be used, and how they find their pairs."""

from datetime import UTC, datetime

import pytest

from infra.operator.csv_table import Defect, FileError
from infra.operator.pairs_csv import Parsed, parse
from infra.operator.state_rows import StateRow
from tests.operator.csvs import (
    A_STATE,
    CLOSED,
    OPEN,
    PAIRS_CSV,
    STATE_ID,
    STATES_CSV,
    data,
    numbered,
    pairs_csv,
    states_csv,
    written,
)


def parsed(*changes: dict[str, str], pairs: bytes | None = None) -> Parsed:
    return parse([("p.csv", pairs or pairs_csv()), ("s.csv", states_csv(*changes))])


def the_state(**changes: str) -> StateRow:
    found = parsed(changes)
    assert found.defects == ()
    state = found.rows[0].state
    assert state is not None
    return state


def the_defect(**changes: str) -> Defect:
    """The state's defect; its pair is held back, which is the other one."""
    found = parsed(changes)
    assert found.rows == ()
    return next(d for d in found.defects if d.file == "s.csv")


def test_all_states_of_the_sample_find_their_pairs() -> None:
    found = parse([data(PAIRS_CSV), data(STATES_CSV)])

    assert found.defects == ()
    assert [row.state is not None for row in found.rows] == [True] * 17


def test_the_table_of_states_is_known_by_its_columns_in_whatever_place_it_is_given() -> None:
    first = parse([data(STATES_CSV), data(PAIRS_CSV)])

    assert first == parse([data(PAIRS_CSV), data(STATES_CSV)]) == parse([data(PAIRS_CSV)], data(STATES_CSV))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2025-11-13 00:00:07.1+00", datetime(2025, 11, 13, 0, 0, 7, 100000, UTC)),
        ("2025-11-13 05:30:07+05:30", datetime(2025, 11, 13, 0, 0, 7, tzinfo=UTC)),
        ("2025-11-12 16:00:07.123456-08", datetime(2025, 11, 13, 0, 0, 7, 123456, UTC)),
        ("2025-11-13T00:00:07Z", datetime(2025, 11, 13, 0, 0, 7, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_psql_writes_them(text: str, time: datetime) -> None:
    found = the_state(next_send_time=text).next_send_time

    assert found == time
    assert found is not None
    assert found.tzinfo is UTC


@pytest.mark.parametrize("column", ["next_send_time", "last_sent_time", "last_error_time", "created_at"])
def test_a_time_without_a_zone_is_a_defect_that_says_to_add_one(column: str) -> None:
    defect = the_defect(**{column: "2025-11-13 00:00:07"})

    assert (defect.line, defect.field) == (2, column)
    assert "add one, such as 2025-11-13 00:00:07+00" in defect.reason


@pytest.mark.parametrize("text", ["soon", "infinity", "2025-13-01 00:00:00+00", "0001-01-01 00:00:00+05", "2025-11-13"])
def test_what_is_no_time_is_a_defect(text: str) -> None:
    assert the_defect(next_send_time=text).field == "next_send_time"


@pytest.mark.parametrize("text", ["-1", "1.5", "many", str(2**31)])
@pytest.mark.parametrize("column", ["total_broadcasts", "consecutive_failures", "manual_trigger_count"])
def test_what_is_no_count_is_a_defect(column: str, text: str) -> None:
    assert the_defect(**{column: text}).field == column


def test_an_id_that_is_no_uuid_is_a_defect() -> None:
    assert the_defect(id="17").field == "id"


def test_is_active_must_be_said() -> None:
    assert the_defect(is_active="").field == "is_active"


def test_the_later_columns_become_the_standing_messages_and_their_times_are_utc() -> None:
    state = the_state(
        last_open_message_id="77",
        last_open_message_sent_at="2026-05-31 12:00:00.1",
        last_closed_message_id="",
        last_closed_message_sent_at="",
    )

    assert state.open_standing is not None
    assert state.open_standing.message_id == 77
    assert state.open_standing.sent_at == datetime(2026, 5, 31, 12, 0, 0, 100000, UTC)
    assert state.closed_standing is None


def test_without_the_later_columns_nothing_is_known_to_stand() -> None:
    assert the_state().open_standing is None


def test_a_pair_whose_state_cannot_be_used_is_held_back_and_says_where_to_look() -> None:
    found = parsed({"created_at": "2025-11-13 00:00:07"})

    assert found.rows == ()
    assert [(d.file, d.line) for d in found.defects] == [("p.csv", 2), ("s.csv", 2)]
    assert "s.csv, line 2" in found.defects[0].reason


def test_a_pair_without_a_state_is_imported() -> None:
    found = parsed({}, pairs=pairs_csv({}, numbered(2)))

    assert [row.state is None for row in found.rows] == [False, True]
    assert found.defects == ()


@pytest.mark.parametrize("column", ["open_channel_id", "closed_channel_id"])
def test_a_state_belongs_to_a_pair_only_by_both_channels(column: str) -> None:
    found = parsed({column: "-1009999999999"})

    (defect,) = found.defects
    assert (defect.file, defect.line) == ("s.csv", 2)
    assert "no usable pair" in defect.reason
    assert found.rows[0].state is None


def test_a_state_of_another_client_is_reported_and_its_pair_held_back() -> None:
    found = parsed({"client_id": "980d37eb-e3c7-51da-8456-b67c003dd836"})

    assert found.rows == ()
    assert {(d.file, d.field) for d in found.defects} == {("p.csv", "client_id"), ("s.csv", "client_id")}


@pytest.mark.parametrize(
    ("second", "field"),
    [
        ({**numbered(2)}, "id"),
        ({"id": STATE_ID.replace("3", "4")}, "open_channel_id"),
        ({"id": STATE_ID.replace("3", "4"), "open_channel_id": "-1001000000002"}, "closed_channel_id"),
    ],
)
def test_an_id_or_channel_that_comes_twice_is_a_defect_of_the_second_row(second: dict[str, str], field: str) -> None:
    found = parsed({}, second)

    (defect,) = found.defects
    assert (defect.line, defect.field) == (3, field)
    assert "line 2" in defect.reason
    assert found.rows[0].state is not None


def test_states_without_pairs_are_an_error() -> None:
    with pytest.raises(FileError, match="give the export of main_clients_database as well"):
        parse([data(STATES_CSV)])


def test_two_tables_of_states_are_an_error() -> None:
    with pytest.raises(FileError, match="give one of them"):
        parse([data(PAIRS_CSV), data(STATES_CSV)], ("other.csv", data(STATES_CSV)[1]))


def test_a_missing_column_of_the_table_of_states_is_an_error() -> None:
    without = {name: value for name, value in A_STATE.items() if name != "is_active"}

    with pytest.raises(FileError, match=r"s\.csv: the column is_active is missing"):
        parse([("p.csv", pairs_csv())], ("s.csv", written(without)))


def test_an_error_of_the_past_is_kept_in_one_line() -> None:
    assert the_state(last_error_message="Bad\x1b[31m\nRequest").last_error_message == "Bad [31m Request"


def test_the_channels_are_those_of_the_row() -> None:
    assert the_state().channels == (int(OPEN), int(CLOSED))
