"""Which rows of main_clients_database can be used, and what is said about the others."""

from decimal import Decimal

import pytest

from infra.operator.csv_table import Defect, FileError
from infra.operator.pair_rows import PairRow
from infra.operator.pairs_csv import parse
from tests.operator.csvs import A_PAIR, CLOSED, DEFECTS_CSV, OPEN, PAIRS_CSV, data, numbered, pairs_csv, written

OF_THE_DEFECTS_FILE = [
    (2, "client_id", "is empty", "a UUID"),
    (3, "client_id", "'42' is not a UUID", "owner"),
    (4, "open_channel_id", "@northlight", "starts with -100"),
    (5, "open_channel_id", "1001234567890 is positive", "starts with -100"),
    (6, "closed_channel_id", "is empty", "starts with -100"),
    (7, "closed_channel_id", "-1001111111111", "two different channels"),
    (8, "sub_1_price", "tier 1 is empty", "at least one tier"),
    (9, "sub_2_time", "tier 2 has a price", "leave both empty"),
    (10, "sub_1_price", "'-5.00' is not above zero", "above 0.00"),
    (11, "sub_1_time", "0 days is out of range", "between 1 and 32767"),
    (12, "sub_1_price", "'NaN' is not a price", "such as 9.99"),
    (13, "sub_1_price", "'9,99' has a comma", "write a point: 9.99"),
    (14, "open_channel_title", "is empty", "title"),
    (15, "open_channel_title", "129 characters", "at most 30"),
    (16, "closed_channel_donation_message", "257 characters", "at most 256"),
    (17, "open_channel_title", "U+0000, U+202E", "not allowed"),
]


def rows_of(content: bytes) -> list[PairRow]:
    return [row.pair for row in parse([("f.csv", content)]).rows]


def defects_of(content: bytes) -> tuple[Defect, ...]:
    return parse([("f.csv", content)]).defects


def the_row(**changes: str) -> PairRow:
    parsed = parse([("f.csv", pairs_csv(changes))])
    assert parsed.defects == ()
    return parsed.rows[0].pair


def the_defect(**changes: str) -> Defect:
    parsed = parse([("f.csv", pairs_csv(changes))])
    assert parsed.rows == ()
    (defect,) = parsed.defects
    assert (defect.file, defect.line) == ("f.csv", 2)
    return defect


@pytest.mark.parametrize(("line", "field", "what", "remedy"), OF_THE_DEFECTS_FILE)
def test_each_kind_of_defect_is_reported_by_line_field_and_reason(
    line: int, field: str, what: str, remedy: str
) -> None:
    (defect,) = [d for d in parse([data(DEFECTS_CSV)]).defects if d.line == line]

    assert (defect.file, defect.field) == (DEFECTS_CSV, field)
    assert what in defect.reason
    assert remedy in defect.reason


def test_the_last_row_of_the_defects_file_is_usable_alone() -> None:
    parsed = parse([data(DEFECTS_CSV)])

    assert [row.pair.line for row in parsed.rows] == [18]
    assert [d.line for d in parsed.defects] == list(range(2, 18))


def test_the_last_row_of_the_defects_file_repeats_a_pair_of_the_main_file() -> None:
    parsed = parse([data(PAIRS_CSV), data(DEFECTS_CSV)])

    (defect,) = [d for d in parsed.defects if d.line == 18]
    assert (defect.file, defect.field) == (DEFECTS_CSV, "open_channel_id")
    assert f"the open channel of line 2 of {PAIRS_CSV}" in defect.reason
    assert len(parsed.rows) == 17


def test_all_pairs_of_the_sample_are_usable() -> None:
    parsed = parse([data(PAIRS_CSV)])

    assert parsed.defects == ()
    assert len(parsed.rows) == 17
    assert parsed.rows[4].pair.closed_channel_description == ""


def test_a_row_becomes_a_record() -> None:
    row = the_row(sub_2_price="12.5", sub_2_time="90", notification_status="t", notification_id="8134355749")

    assert (row.open_channel_id, row.closed_channel_id) == (int(OPEN), int(CLOSED))
    assert (row.sub_1_price, row.sub_1_time) == (Decimal("5.00"), 30)
    assert (str(row.sub_2_price), row.sub_2_time) == ("12.50", 90)
    assert (row.sub_3_price, row.sub_3_time) == (None, None)
    assert (row.notification_status, row.notification_id) == (True, 8134355749)
    assert row.created_by == "tradewinds"


def test_every_field_of_a_row_that_is_wrong_is_reported() -> None:
    found = defects_of(pairs_csv({"client_id": "x", "sub_1_price": "0", "open_channel_title": "y" * 31}))

    assert {d.field for d in found} == {"client_id", "sub_1_price", "open_channel_title"}


@pytest.mark.parametrize(
    "id", ["-1234", "-10012345678901", "--100123456", "-100 1234567", "-1001234567.", "-0100123456", "x"]
)
def test_what_is_no_channel_id_is_a_defect(id: str) -> None:
    defect = the_defect(open_channel_id=id)

    assert defect.field == "open_channel_id"
    assert "-100" in defect.reason


@pytest.mark.parametrize("id", ["-12345", "-1001234567890"])
def test_a_channel_id_has_5_to_14_characters(id: str) -> None:
    assert the_row(open_channel_id=id).open_channel_id == int(id)


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ("0", "not above zero"),
        ("0.00", "not above zero"),
        ("5.001", "more than two decimals"),
        ("100000000.00", "too high"),
        ("Infinity", "not a price"),
        ("1e3", "not a price"),
        ("$5", "not a price"),
        ("1,234.50", "not a price"),
        ("٥", "not a price"),
    ],
)
def test_what_is_no_price_is_a_defect(price: str, words: str) -> None:
    defect = the_defect(sub_1_price=price)

    assert defect.field == "sub_1_price"
    assert words in defect.reason


@pytest.mark.parametrize("price", ["0.01", "99999999.99", "7", "5.10", "5.100"])
def test_a_price_has_up_to_two_decimals(price: str) -> None:
    assert the_row(sub_1_price=price).sub_1_price == Decimal(price)


@pytest.mark.parametrize("days", ["-1", "32768", "1.5", "1e1", "9" * 40, "a month"])
def test_what_is_no_number_of_days_is_a_defect(days: str) -> None:
    assert the_defect(sub_1_time=days).field == "sub_1_time"


@pytest.mark.parametrize("days", ["1", "32767"])
def test_days_are_between_1_and_32767(days: str) -> None:
    assert the_row(sub_1_time=days).sub_1_time == int(days)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_tier_needs_both_its_price_and_its_time(number: int) -> None:
    assert the_defect(**{f"sub_{number}_price": "", f"sub_{number}_time": "7"}).field == f"sub_{number}_price"
    assert the_defect(**{f"sub_{number}_price": "7", f"sub_{number}_time": ""}).field == f"sub_{number}_time"


@pytest.mark.parametrize(("text", "value"), [("t", True), ("true", True), ("f", False), ("FALSE", False), ("", False)])
def test_booleans_are_read_as_psql_writes_them(text: str, value: bool) -> None:
    assert the_row(notification_status=text, notification_id="8134355749").notification_status is value


def test_another_word_for_a_boolean_is_a_defect() -> None:
    assert "write t or f" in the_defect(notification_status="yes").reason


@pytest.mark.parametrize("id", ["", "1234", "1234567890123456", "-8134355749", "@me"])
def test_a_notification_that_is_on_needs_a_user_id(id: str) -> None:
    assert the_defect(notification_status="t", notification_id=id).field == "notification_id"


@pytest.mark.parametrize("id", ["", "0", "1234"])
def test_a_notification_that_is_off_needs_none(id: str) -> None:
    assert the_row(notification_status="f", notification_id=id).notification_id is None


@pytest.mark.parametrize(
    ("field", "longest"),
    [
        ("open_channel_title", 30),
        ("closed_channel_title", 30),
        ("open_channel_description", 140),
        ("closed_channel_description", 140),
        ("closed_channel_donation_message", 256),
        ("created_by", 50),
    ],
)
def test_a_text_may_be_as_long_as_its_column_and_no_longer(field: str, longest: int) -> None:
    assert getattr(the_row(**{field: "色" * longest}), field) == "色" * longest
    assert the_defect(**{field: "色" * (longest + 1)}).field == field


@pytest.mark.parametrize("field", ["open_channel_title", "closed_channel_title", "closed_channel_donation_message"])
@pytest.mark.parametrize("blank", ["", "  ", "\u200b\u2003"])
def test_a_text_that_must_be_seen_cannot_be_blank(field: str, blank: str) -> None:
    assert "is empty" in the_defect(**{field: blank}).reason


@pytest.mark.parametrize("character", ["\x00", "\x07", "\x1b", "\x7f", "\x9b", *"\u202a\u202e\u2066\u2069"])
def test_control_and_direction_characters_are_a_defect(character: str) -> None:
    defect = the_defect(closed_channel_donation_message=f"Thank{character}you")

    assert f"U+{ord(character):04X}" in defect.reason
    assert character not in str(defect)


@pytest.mark.parametrize("text", ["خط عربي", "👩‍👩‍👧 family", "a\u200fb", "Español – 5"])
def test_right_to_left_text_and_joined_emoji_are_fine(text: str) -> None:
    assert the_row(open_channel_title=text).open_channel_title == text


def test_a_newline_is_fine_in_a_message_and_not_in_a_title() -> None:
    assert (
        the_row(closed_channel_donation_message="Thank you,\r\ncrew.").closed_channel_donation_message
        == "Thank you,\ncrew."
    )
    assert "U+000A" in the_defect(open_channel_title="Har\nbor").reason


@pytest.mark.parametrize(
    ("second", "field"),
    [
        ({"open_channel_id": OPEN, "closed_channel_id": "-1002000000002"}, "open_channel_id"),
        ({"open_channel_id": "-1001000000002", "closed_channel_id": CLOSED}, "closed_channel_id"),
        ({"open_channel_id": CLOSED, "closed_channel_id": "-1002000000002"}, "open_channel_id"),
        ({"open_channel_id": "-1001000000002", "closed_channel_id": OPEN}, "closed_channel_id"),
    ],
)
def test_a_channel_used_twice_is_a_defect_of_the_second_row(second: dict[str, str], field: str) -> None:
    parsed = parse([("f.csv", pairs_csv({}, second))])

    (defect,) = parsed.defects
    assert (defect.line, defect.field) == (3, field)
    assert "line 2 of f.csv" in defect.reason
    assert len(parsed.rows) == 1


def test_a_row_that_cannot_be_used_does_not_block_its_channels() -> None:
    assert [row.line for row in rows_of(pairs_csv({"sub_1_price": "0"}, {}))] == [3]


def test_a_missing_required_column_is_one_error_for_the_file() -> None:
    without = {name: value for name, value in A_PAIR.items() if name != "client_id"}

    with pytest.raises(FileError, match=r"f\.csv: the column client_id is missing"):
        parse([("f.csv", written(without, without))])


def test_extra_columns_are_ignored() -> None:
    assert len(rows_of(written({"client_wallet_address": "0xabc", **A_PAIR}))) == 1


def test_columns_in_another_order_are_fine() -> None:
    assert rows_of(written(dict(reversed(A_PAIR.items())))) == rows_of(pairs_csv())


def test_a_column_that_is_not_in_the_file_is_not_given() -> None:
    without = {name: value for name, value in A_PAIR.items() if not name.startswith("sub_3")}

    (row,) = rows_of(written(without))

    assert "sub_3_price" not in row.texts()
    assert row.texts()["sub_2_price"] is None


def test_a_uuid_in_capitals_is_the_same_client() -> None:
    assert the_row(client_id=A_PAIR["client_id"].upper()).client_id == A_PAIR["client_id"]


def test_many_rows_of_pairs_with_channels_of_their_own_are_fine() -> None:
    assert len(rows_of(pairs_csv(*(numbered(n) for n in range(1, 50))))) == 49
