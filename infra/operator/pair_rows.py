"""Rows of `main_clients_database`: the channels, texts and tiers of a pair. Pure."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from infra.operator.csv_table import Defect, Row, Table, require
from shared import fields
from shared.pair_fields import EDITABLE, FieldReader, pair_fields

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


class Reader(FieldReader):
    """The fields of one row of a file; what cannot be used becomes a defect with its line."""

    def __init__(self, file: str, row: Row) -> None:
        super().__init__(row.fields)
        self._file = file
        self._row = row

    @property
    def defects(self) -> list[Defect]:
        return [Defect(self._file, self._row.line, refusal.field, refusal.error) for refusal in self.refused]


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
    client_id = reader.get("client_id", lambda text: fields.uuid(text, "the id of the pair's owner"))
    return {"client_id": client_id, **pair_fields(reader)}
