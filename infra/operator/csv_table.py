"""A CSV file as `psql \\copy … CSV HEADER` writes it, as records that know the line they begin on.

Pure: bytes and text in, records and defects out.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


class FileError(Exception):
    """Raised when a file as a whole cannot be used; the text names it and says what to do."""


@dataclass(frozen=True)
class Defect:
    """A row, or one field of it, that cannot be used. `line` is the file's physical line on which the row begins."""

    file: str
    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.reason}"


@dataclass(frozen=True)
class Row:
    """One record: its fields by column, white space around them stripped."""

    line: int
    fields: Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """A file's columns, its records, and the lines that are no records."""

    file: str
    columns: frozenset[str]
    rows: tuple[Row, ...]
    defects: tuple[Defect, ...]


WHOLE_ROW = "row"
"""The field of a defect that concerns all of them."""


def decode(raw: bytes, file: str) -> str:
    """The file's text, without a byte order mark. Raises FileError for what is not UTF-8."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FileError(
            f"{file} is not UTF-8 text (line {line} has the byte 0x{raw[error.start]:02x}); export it again as UTF-8, "
            "in psql with \\encoding UTF8"
        ) from None


def read_table(text: str, file: str) -> Table:
    """The records of a CSV with a header. Raises FileError when there is no usable header."""
    lines = list(io.StringIO(text, newline=""))
    defects: list[Defect] = []
    rows: list[Row] = []
    header: list[str] | None = None
    for line, end, record in _records(lines):
        if isinstance(record, str):
            if header is None:
                raise FileError(f"{file}: the header on line {line} cannot be read: {record}")
            defects.append(Defect(file, line, WHOLE_ROW, record))
        elif header is None:
            header = _header(record, file)
        elif len(record) != len(header):
            defects.append(Defect(file, line, WHOLE_ROW, _wrong_count(len(record), len(header), line, end)))
        else:
            rows.append(Row(line, dict(zip(header, map(str.strip, record), strict=True))))
    if header is None:
        raise FileError(f"{file} is empty; a header with the names of the columns is expected in its first line")
    return Table(file, frozenset(header), tuple(rows), tuple(defects))


def require(table: Table, columns: Sequence[str]) -> None:
    """Raises FileError that names every one of these columns that the table lacks."""
    missing = [name for name in columns if name not in table.columns]
    if not missing:
        return
    what = f"the column {missing[0]} is" if len(missing) == 1 else f"the columns {', '.join(missing)} are"
    hint = "export the table with its header, as \\copy … CSV HEADER does"
    if len(table.columns) == 1 and any(mark in next(iter(table.columns)) for mark in ";\t"):
        hint = "its columns are separated by semicolons or tabs; save it with commas"
    raise FileError(f"{table.file}: {what} missing from the header; {hint}")


def _header(record: list[str], file: str) -> list[str]:
    names = [name.strip() for name in record]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FileError(f"{file}: the header has {', '.join(repr(n) for n in twice)} more than once; keep one of each")
    return names


def _records(lines: Sequence[str]) -> Iterator[tuple[int, int, list[str] | str]]:
    """Each record's first and last line with its fields, or with a sentence if it cannot be read; blank lines are skipped.

    After a line that cannot be read the next one is tried as a record of its own: an unclosed quote costs one row, not the file.
    """
    start = 0
    while start < len(lines):
        reader = csv.reader((lines[i] for i in range(start, len(lines))), strict=True)
        first = start
        try:
            for record in reader:
                if record:
                    yield first + 1, start + reader.line_num, record
                first = start + reader.line_num
            return
        except csv.Error:
            yield (
                first + 1,
                first + 1,
                "its quotes do not match; close each quote, and write a quote inside a field twice",
            )
            start = first + 1


def _wrong_count(found: int, expected: int, line: int, end: int) -> str:
    has = f"the row has {found} field{'' if found == 1 else 's'} and the header {expected}"
    if end > line:
        return f"{has}; it runs from line {line} to {end}, so a quote is probably not closed"
    return f"{has}; put a field that contains a comma in quotes" if found > expected else f"{has}; the row is cut off"
