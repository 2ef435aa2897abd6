"""Words, times and tables for a terminal. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from shared.fields import escaped

_UNITS = ((86400, "day", "days"), (3600, "h", "h"), (60, "min", "min"), (1, "s", "s"))
_NO_HOURS = 7 * 86400
NOTHING = "–"


def as_json(document: Any) -> str:
    """One JSON document, indented."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def plain(text: str) -> str:
    """The text in one line, with nothing in it that could disturb a terminal."""
    return escaped(re.sub(r"\s+", " ", text)).strip()


def when(moment: datetime | None, now: datetime) -> str:
    """A time with its zone, and how far away it is."""
    if moment is None:
        return NOTHING
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC ({relative(moment, now)})"


def relative(moment: datetime, now: datetime) -> str:
    """How far away a time is, in its two largest units at most: `in 3 h`, `2 days 4 h ago`, `now`."""
    ahead = moment >= now
    words = duration(abs(moment - now))
    if words == "0 s":
        return "now"
    return f"in {words}" if ahead else f"{words} ago"


def duration(length: timedelta) -> str:
    """A length of time, cut to its two largest units; below an hour, and from a week on, to one."""
    seconds = int(length.total_seconds())
    for place, (size, one, many) in enumerate(_UNITS):
        if seconds >= size or size == 1:
            number, rest = divmod(seconds, size)
            words = f"{number} {one if number == 1 else many}"
            if size <= 60 or seconds >= _NO_HOURS:
                return words
            size_below, one_below, many_below = _UNITS[place + 1]
            below = rest // size_below
            return words if below == 0 else f"{words} {below} {one_below if below == 1 else many_below}"
    raise AssertionError("the last unit takes everything")


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, two spaces apart; the last one is not padded."""
    cells = [list(headers), *([plain(cell) for cell in row] for row in rows)]
    widths = [max(columns(row[i]) for row in cells) for i in range(len(headers))]
    return "\n".join(
        "  ".join(pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


def listing(pairs: Sequence[tuple[str, str]]) -> str:
    """Names and values, one a line, the values aligned."""
    width = max(columns(name) for name, _ in pairs)
    return "\n".join(f"{pad(name, width)}  {plain(value)}".rstrip() for name, value in pairs)


def pad(text: str, width: int) -> str:
    """The text with spaces up to so many columns."""
    return text + " " * (width - columns(text))


def columns(text: str) -> int:
    """How many columns a terminal gives the text: two for a wide character, none for a combining one."""
    return sum(_column(character) for character in text)


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def _column(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1
