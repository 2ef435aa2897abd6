"""Whatever the bytes: rows, defects or a FileError, and never anything else."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from infra.operator.csv_table import FileError, read_table
from infra.operator.pairs_csv import parse
from tests.operator.csvs import A_PAIR, A_STATE, numbered, pairs_csv, states_csv

anything = st.text() | st.text(st.sampled_from('-+.,0123456789@tf"\n\r \x00\u202eé:'))
names = st.sampled_from(sorted(A_PAIR))
state_names = st.sampled_from(sorted(A_STATE))


@given(st.binary())
def test_any_bytes_are_rows_defects_or_a_file_error(content: bytes) -> None:
    with suppress(FileError):
        parse([("f.csv", content)])
    with suppress(FileError):
        parse([("p.csv", pairs_csv())], ("s.csv", content))


@given(st.text())
def test_any_text_below_a_header_is_rows_or_defects_within_the_file(garbage: str) -> None:
    content = pairs_csv() + garbage.encode()

    parsed = parse([("f.csv", content)])

    lines = content.count(b"\n") + content.count(b"\r") + 1
    assert parsed.rows[0].pair.line == 2
    assert all(2 < defect.line <= lines for defect in parsed.defects)


@given(st.lists(st.dictionaries(names, anything), min_size=1, max_size=4))
def test_each_row_of_any_fields_is_used_or_reported_and_never_both(changes: list[dict[str, str]]) -> None:
    numbers = [{**numbered(i), **change} for i, change in enumerate(changes, 1)]
    content = pairs_csv(*numbers)

    parsed = parse([("f.csv", content)])

    used = [row.pair.line for row in parsed.rows]
    reported = {defect.line for defect in parsed.defects}
    assert len(used) + len(reported) == len(changes)
    assert not set(used) & reported


@given(st.dictionaries(state_names, anything))
def test_a_state_of_any_fields_is_used_or_reported(changes: dict[str, str]) -> None:
    parsed = parse([("p.csv", pairs_csv())], ("s.csv", states_csv(changes)))

    used = [row for row in parsed.rows if row.state is not None]
    reported = [d for d in parsed.defects if d.file == "s.csv"]
    assert bool(used) != bool(reported)


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_what_psql_quotes_comes_back(rows: list[list[str]]) -> None:
    quoted = "".join(",".join('"' + field.replace('"', '""') + '"' for field in row) + "\n" for row in rows)

    table = read_table("a,b\n" + quoted, "f.csv")

    assert [list(row.fields.values()) for row in table.rows] == [[field.strip() for field in row] for row in rows]
    assert table.defects == ()
