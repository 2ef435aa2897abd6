"""Rows of `main_clients_database`: the channels, texts and tiers of a pair. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from infra.operator import fields
from infra.operator.csv_table import Defect, Row, Table, require
from infra.operator.fields import FieldError

T = TypeVar("T")

REQUIRED = (
    "open_channel_id",
    "open_channel_title",
    "closed_channel_id",
    "closed_channel_title",
    "closed_channel_donation_message",
    "sub_1_price",
    "sub_1_time",
    "client_id",
)
EDITABLE = (
    "open_channel_title",
    "open_channel_description",
    "closed_channel_title",
    "closed_channel_description",
    "closed_channel_donation_message",
    "sub_1_price",
    "sub_1_time",
    "sub_2_price",
    "sub_2_time",
    "sub_3_price",
    "sub_3_time",
    "notification_status",
    "notification_id",
)
"""What a later import of the same pair may change."""


@dataclass(frozen=True, kw_only=True)
class PairRow:
    """A usable row. `given` names the editable columns its file has: what a file does not mention is left as it is."""

    file: str
    line: int
    client_id: str
    created_by: str | None
    open_channel_id: int
    closed_channel_id: int
    open_channel_title: str
    open_channel_description: str
    closed_channel_title: str
    closed_channel_description: str
    closed_channel_donation_message: str
    sub_1_price: Decimal
    sub_1_time: int
    sub_2_price: Decimal | None
    sub_2_time: int | None
    sub_3_price: Decimal | None
    sub_3_time: int | None
    notification_status: bool
    notification_id: int | None
    given: frozenset[str]

    def texts(self) -> dict[str, Any]:
        """The editable fields that the file has."""
        return {name: getattr(self, name) for name in EDITABLE if name in self.given}

    def defect(self, field: str, reason: str) -> Defect:
        """This row cannot be used after all."""
        return Defect(self.file, self.line, field, reason)


class Reader:
    """The fields of one row, read one by one; what cannot be used is collected as defects, at most one a field."""

    def __init__(self, file: str, row: Row) -> None:
        self._file = file
        self._row = row
        self.defects: list[Defect] = []

    def text(self, column: str) -> str:
        """The field as it stands; empty if the file has no such column."""
        return self._row.fields.get(column, "")

    def get(self, column: str, parse: Callable[[str], T]) -> T | None:
        """The field's value, or None and a defect."""
        try:
            return parse(self.text(column))
        except FieldError as error:
            self.refuse(column, str(error))
            return None

    def refuse(self, column: str, reason: str) -> None:
        self.defects.append(Defect(self._file, self._row.line, column, reason))


def read_pairs(table: Table) -> tuple[list[PairRow], list[Defect]]:
    """The usable rows, and what is wrong with the others. Raises FileError when a required column is missing."""
    require(table, REQUIRED)
    given = frozenset(EDITABLE) & table.columns
    rows: list[PairRow] = []
    defects = list(table.defects)
    for row in table.rows:
        reader = Reader(table.file, row)
        values = _values(reader)
        if reader.defects:
            defects += reader.defects
        else:
            rows.append(PairRow(file=table.file, line=row.line, given=given, **values))
    return rows, defects


def unique(rows: list[PairRow]) -> tuple[list[PairRow], list[Defect]]:
    """The rows whose channels no earlier row uses, as open or as closed one; a later row is a defect."""
    used: dict[int, str] = {}
    kept: list[PairRow] = []
    defects: list[Defect] = []
    for row in rows:
        clashes = [
            row.defect(
                field,
                f"{channel} is already {used[channel]}; a channel can be used once, so remove one of the two rows",
            )
            for field, channel in (
                ("open_channel_id", row.open_channel_id),
                ("closed_channel_id", row.closed_channel_id),
            )
            if channel in used
        ]
        # A row that is the same pair again is one mistake, not two.
        defects += clashes[:1]
        if not clashes:
            kept.append(row)
            used[row.open_channel_id] = f"the open channel of line {row.line} of {row.file}"
            used[row.closed_channel_id] = f"the closed channel of line {row.line} of {row.file}"
    return kept, defects


def _values(reader: Reader) -> dict[str, Any]:
    open_id = reader.get("open_channel_id", fields.channel_id)
    closed_id = reader.get("closed_channel_id", fields.channel_id)
    if open_id is not None and open_id == closed_id:
        reader.refuse(
            "closed_channel_id", f"{closed_id} is the open channel as well; the pair needs two different channels"
        )
    values: dict[str, Any] = {
        "open_channel_id": open_id,
        "closed_channel_id": closed_id,
        "client_id": reader.get("client_id", lambda text: fields.uuid(text, "the id of the pair's owner")),
        "created_by": reader.get("created_by", fields.creator),
        "open_channel_title": reader.get("open_channel_title", fields.title),
        "open_channel_description": reader.get("open_channel_description", fields.description),
        "closed_channel_title": reader.get("closed_channel_title", fields.title),
        "closed_channel_description": reader.get("closed_channel_description", fields.description),
        "closed_channel_donation_message": reader.get("closed_channel_donation_message", fields.donation_message),
    }
    for number in (1, 2, 3):
        values |= _tier(reader, number)
    return values | _notification(reader)


def _tier(reader: Reader, number: int) -> dict[str, Any]:
    price, time = f"sub_{number}_price", f"sub_{number}_time"
    has_price, has_time = bool(reader.text(price)), bool(reader.text(time))
    if not has_price and not has_time:
        if number == 1:
            reader.refuse(price, "tier 1 is empty; the pair needs at least one tier with a price and a number of days")
        return {price: None, time: None}
    if not has_time:
        reader.refuse(time, f"is empty though tier {number} has a price; write its days, or leave both empty")
    if not has_price:
        reader.refuse(
            price, f"is empty though tier {number} has a number of days; write its price, or leave both empty"
        )
    return {
        price: reader.get(price, fields.price) if has_price else None,
        time: reader.get(time, fields.days) if has_time else None,
    }


def _notification(reader: Reader) -> dict[str, Any]:
    on = reader.get("notification_status", fields.boolean) if reader.text("notification_status") else False
    known = None
    if on is not None:
        known = reader.get("notification_id", lambda text: fields.notification_id(text, on=on))
    return {"notification_status": on, "notification_id": known}
