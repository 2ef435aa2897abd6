"""Reading a CSV file: lines, quotes, encodings."""

import pytest

from infra.operator.csv_table import FileError, Table, decode, read_table, require


def read(text: str) -> Table:
    return read_table(text, "f.csv")


def lines_of(table: Table) -> list[tuple[int, dict[str, str]]]:
    return [(row.line, dict(row.fields)) for row in table.rows]


def test_a_row_knows_its_line_and_its_fields_are_stripped() -> None:
    assert lines_of(read("a,b\n1, x \n2,y\n")) == [(2, {"a": "1", "b": "x"}), (3, {"a": "2", "b": "y"})]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_newline_counts_as_one_line(newline: str) -> None:
    assert [row.line for row in read(newline.join(["a,b", "1,x", "2,y"])).rows] == [2, 3]


def test_a_row_after_a_quoted_newline_has_the_line_it_begins_on() -> None:
    table = read('a,b\n1,"x\ny\nz"\n2,w\n')

    assert [row.line for row in table.rows] == [2, 5]
    assert table.rows[0].fields["b"] == "x\ny\nz"


def test_blank_lines_are_skipped_and_still_counted() -> None:
    assert [row.line for row in read("\na,b\n\n1,x\n\n\n2,y\n").rows] == [4, 7]


def test_unusual_separators_of_lines_inside_a_field_do_not_shift_the_count() -> None:
    assert [row.line for row in read("a,b\n1,x\u2028\x0by\n2,z\n").rows] == [2, 3]


@pytest.mark.parametrize(("row", "words"), [("1", "cut off"), ("1,2,3", "in quotes"), ("1,2,3,4", "4 fields")])
def test_a_row_with_another_number_of_fields_is_a_defect_and_the_others_are_read(row: str, words: str) -> None:
    table = read(f"a,b\n{row}\n5,6\n")

    assert [(d.file, d.line, d.field) for d in table.defects] == [("f.csv", 2, "row")]
    assert words in table.defects[0].reason
    assert [r.line for r in table.rows] == [3]


def test_an_unclosed_quote_costs_its_row_and_no_other() -> None:
    table = read('a,b\n1,x\n2,"y\n3,z\n4,"w"\n')

    assert [d.line for d in table.defects] == [3]
    assert "quotes" in table.defects[0].reason
    assert [r.line for r in table.rows] == [2, 4, 5]


def test_an_unclosed_quote_in_a_long_file_costs_its_row_and_no_other() -> None:
    rows = 40_000

    table = read('a,b\n1,"x\n' + "2,some words\n" * rows)

    assert [d.line for d in table.defects] == [2]
    assert len(table.rows) == rows


def test_a_row_that_swallowed_lines_says_from_where_to_where() -> None:
    table = read('a,b\n1,"x\n2,y",z\n')

    assert "from line 2 to 3" in table.defects[0].reason


@pytest.mark.parametrize("text", ["", "\n\n", "\r\n"])
def test_an_empty_file_is_an_error(text: str) -> None:
    with pytest.raises(FileError, match=r"f\.csv is empty"):
        read(text)


def test_a_header_alone_is_no_error() -> None:
    assert read("a,b\n").rows == ()


def test_a_column_named_twice_is_an_error() -> None:
    with pytest.raises(FileError, match="'a' more than once"):
        read("a,b,a\n1,2,3\n")


def test_a_header_with_an_unclosed_quote_is_an_error() -> None:
    with pytest.raises(FileError, match="header on line 1"):
        read('a,"b\n1,2\n')


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert decode(b"\xef\xbb\xbfa,b", "f.csv") == "a,b"


@pytest.mark.parametrize(
    ("raw", "line", "byte"), [(b"a,b\n\xe9t\xe9,1\n", 2, "e9"), ("a,b\n".encode("utf-16"), 1, "ff")]
)
def test_what_is_not_utf_8_is_an_error_that_names_the_line(raw: bytes, line: int, byte: str) -> None:
    with pytest.raises(FileError, match=rf"f\.csv is not UTF-8 text \(line {line} has the byte 0x{byte}\)"):
        decode(raw, "f.csv")


def test_missing_columns_are_one_error_that_names_them_all() -> None:
    with pytest.raises(FileError, match="the columns c, d are missing"):
        require(read("a,b\n"), ("a", "c", "d"))


def test_a_file_with_semicolons_is_told_so() -> None:
    with pytest.raises(FileError, match="separated by semicolons"):
        require(read("a;b\n1;2\n"), ("a",))


def test_columns_that_are_there_are_no_error() -> None:
    require(read("a,b,extra\n"), ("b", "a"))
