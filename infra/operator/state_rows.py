"""Rows of `broadcast_manager`: the id and the state a pair had before. Pure."""

from dataclasses import dataclass
from datetime import datetime

from infra.operator.csv_table import Defect, Row, Table, require
from infra.operator.pair_rows import Reader
from shared import fields

REQUIRED = (
    "id",
    "client_id",
    "open_channel_id",
    "closed_channel_id",
    "last_sent_time",
    "next_send_time",
    "last_manual_trigger_time",
    "manual_trigger_count",
    "total_broadcasts",
    "successful_broadcasts",
    "failed_broadcasts",
    "last_error_message",
    "last_error_time",
    "consecutive_failures",
    "is_active",
    "created_at",
    "updated_at",
)
TELLING = frozenset({"next_send_time", "is_active", "consecutive_failures"})
"""Columns by which a file is known to be this table and not the other."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A message that stands in a channel, as the table knows it; `sent_at` is missing in rows older than that column."""

    message_id: int
    sent_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class StateRow:
    """A usable row; times are in UTC. `broadcast_status` is read for reports alone: `next_send_time` and `is_active` say what comes
    next."""

    file: str
    line: int
    id: str
    client_id: str
    open_channel_id: int
    closed_channel_id: int
    last_sent_time: datetime | None
    next_send_time: datetime | None
    last_manual_trigger_time: datetime | None
    manual_trigger_count: int
    total_broadcasts: int
    successful_broadcasts: int
    failed_broadcasts: int
    last_error_message: str | None
    last_error_time: datetime | None
    consecutive_failures: int
    is_active: bool
    created_at: datetime | None
    updated_at: datetime | None
    open_standing: Standing | None
    closed_standing: Standing | None
    broadcast_status: str = ""

    @property
    def channels(self) -> tuple[int, int]:
        return self.open_channel_id, self.closed_channel_id

    def defect(self, field: str, reason: str) -> Defect:
        """This row cannot be used after all."""
        return Defect(self.file, self.line, field, reason)


Channels = tuple[int, int]


@dataclass(frozen=True)
class States:
    """The usable rows, what is wrong with the others, and the lines of those whose channels at least could be read."""

    rows: tuple[StateRow, ...]
    defects: tuple[Defect, ...]
    unusable: dict[Channels, tuple[str, int]]


def read_states(table: Table) -> States:
    """The rows of the table. Raises FileError when a required column is missing."""
    require(table, REQUIRED)
    rows: list[StateRow] = []
    defects = list(table.defects)
    unusable: dict[Channels, tuple[str, int]] = {}
    ids: dict[str, int] = {}
    channels: dict[int, int] = {}
    for row in table.rows:
        reader = Reader(table.file, row)
        open_id = reader.get("open_channel_id", fields.channel_id)
        closed_id = reader.get("closed_channel_id", fields.channel_id)
        state = _state(reader, table.file, row, open_id or 0, closed_id or 0)
        if not reader.defects:
            if state.id in ids:
                reader.refuse("id", f"line {ids[state.id]} has the same id; remove one of the two rows")
            for field, channel in (
                ("open_channel_id", state.open_channel_id),
                ("closed_channel_id", state.closed_channel_id),
            ):
                if channel in channels and not reader.defects:
                    reader.refuse(field, f"line {channels[channel]} has the same channel; remove one of the two rows")
        if not reader.defects:
            rows.append(state)
            ids[state.id] = row.line
            channels |= dict.fromkeys(state.channels, row.line)
            continue
        defects += reader.defects
        if open_id is not None and closed_id is not None:
            unusable.setdefault((open_id, closed_id), (table.file, row.line))
    usable = {state.channels for state in rows}
    return States(tuple(rows), tuple(defects), {key: at for key, at in unusable.items() if key not in usable})


def _state(reader: Reader, file: str, row: Row, open_id: int, closed_id: int) -> StateRow:
    return StateRow(
        file=file,
        line=row.line,
        id=reader.get("id", lambda text: fields.uuid(text, "the pair's id")) or "",
        client_id=reader.get("client_id", lambda text: fields.uuid(text, "the id of the pair's owner")) or "",
        open_channel_id=open_id,
        closed_channel_id=closed_id,
        last_sent_time=reader.get("last_sent_time", fields.moment),
        next_send_time=reader.get("next_send_time", fields.moment),
        last_manual_trigger_time=reader.get("last_manual_trigger_time", fields.moment),
        manual_trigger_count=reader.get("manual_trigger_count", fields.count) or 0,
        total_broadcasts=reader.get("total_broadcasts", fields.count) or 0,
        successful_broadcasts=reader.get("successful_broadcasts", fields.count) or 0,
        failed_broadcasts=reader.get("failed_broadcasts", fields.count) or 0,
        last_error_message=reader.get("last_error_message", fields.error_message),
        last_error_time=reader.get("last_error_time", fields.moment),
        consecutive_failures=reader.get("consecutive_failures", fields.count) or 0,
        is_active=reader.get("is_active", fields.boolean) or False,
        created_at=reader.get("created_at", fields.moment),
        updated_at=reader.get("updated_at", fields.moment),
        open_standing=_standing(reader, "open"),
        closed_standing=_standing(reader, "closed"),
        broadcast_status=reader.text("broadcast_status"),
    )


def _standing(reader: Reader, channel: str) -> Standing | None:
    message_id = reader.get(f"last_{channel}_message_id", fields.message_id)
    # These two columns really are stored without a zone, in UTC.
    sent_at = reader.get(f"last_{channel}_message_sent_at", lambda text: fields.moment(text, naive_is_utc=True))
    return None if message_id is None else Standing(message_id=message_id, sent_at=sent_at)
