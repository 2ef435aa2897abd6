"""What becomes of each row of the original: decided here, row by row, and said in the report. Pure.

The original's states mean little: `completed` was never due again, `failed` never retried, `in_progress` stayed for ever after a
crash. All were meant to go on, so the time decides, and what is overdue is spread over a window.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from infra.migration.postgres import PAIR_TABLE, STATE_TABLE, Tables
from infra.operator.csv_table import Defect, Row, Table, decode, read_table
from infra.operator.pair_rows import read_pairs, unique
from infra.operator.pairs_csv import ImportRow, join
from infra.operator.state_rows import StateRow, read_states
from shared.runs import FAILURES_BEFORE_PAUSE

OPEN_TITLE, CLOSED_TITLE = "Our channel", "Our members' channel"


class Fate(StrEnum):
    """What a row's past means here."""

    KEPT = "goes on at its time"
    OVERDUE = "overdue: sent within the window"
    TOO_FAR = "its next time was more than one interval away: sent within the window"
    NEW = "had no state: sent within the window"
    STUCK = "was in progress: look whether its messages stand; goes on like the others"
    FAILED = "had failed and was never retried: goes on like the others"
    SWITCHED_ON = "was switched off after failures, and nobody could switch it on: goes on, with no failures counted"
    PAUSED = "was switched off without failures: stays paused until somebody resumes it"
    TITLE_MENDED = "had no title: gets one until its owner gives another"
    ORPHANED_STATE = "its channel is registered no more, or with another partner: left out"
    REJECTED = "cannot be taken over: mend the row and repeat"


@dataclass(frozen=True)
class Note:
    """One row's fate. `channel` is the open channel's id as the table has it."""

    channel: str
    fate: Fate
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.channel}: {self.fate.value}{f' ({self.detail})' if self.detail else ''}"


@dataclass(frozen=True)
class Fated:
    """Every row that is taken over, with the state it gets here, and every row's fate."""

    rows: tuple[ImportRow, ...]
    notes: tuple[Note, ...]


def decide(tables: Tables, *, now: datetime, interval: timedelta) -> Fated:
    """Read both tables together. Raises FileError for a table without the original's columns."""
    notes: list[Note] = []
    pair_table = _titled(read_table(decode(tables.pairs, PAIR_TABLE), PAIR_TABLE), notes)
    state_table = read_table(decode(tables.states, STATE_TABLE), STATE_TABLE)
    registered = {_channels(row) for row in pair_table.rows}
    for row in state_table.rows:
        if _channels(row) not in registered:
            detail = f"closed channel {row.fields.get('closed_channel_id', '')}"
            notes.append(Note(row.fields.get("open_channel_id", ""), Fate.ORPHANED_STATE, detail))
    state_table = dataclasses.replace(
        state_table, rows=tuple(row for row in state_table.rows if _channels(row) in registered)
    )
    read, wrong = read_pairs(pair_table)
    kept, twice = unique(read)
    states = read_states(state_table)
    joined, left_out = join(kept, states)
    places = {
        (t.file, row.line): row.fields.get("open_channel_id", "") for t in (pair_table, state_table) for row in t.rows
    }
    notes += [_rejected(defect, places) for defect in (*wrong, *twice, *left_out)]
    rows: list[ImportRow] = []
    for taken in joined:
        fated, fates = _fate(taken, now=now, interval=interval)
        rows.append(fated)
        notes += [Note(str(taken.pair.open_channel_id), fate, _detail(taken, fate)) for fate in fates]
    return Fated(tuple(rows), tuple(notes))


def _fate(row: ImportRow, *, now: datetime, interval: timedelta) -> tuple[ImportRow, list[Fate]]:
    state = row.state
    if state is None:
        return row, [Fate.NEW]
    fates: list[Fate] = []
    changes: dict[str, Any] = {}
    if state.consecutive_failures >= FAILURES_BEFORE_PAUSE:
        changes |= {"is_active": True, "consecutive_failures": 0}
        fates.append(Fate.SWITCHED_ON)
    elif not state.is_active:
        return row, [Fate.PAUSED]
    fates += {"in_progress": [Fate.STUCK], "failed": [Fate.FAILED]}.get(state.broadcast_status, [])
    following = state.next_send_time
    if following is None or following <= now:
        fates.append(Fate.OVERDUE)
        changes["next_send_time"] = now
    elif following > now + interval:
        fates.append(Fate.TOO_FAR)
        changes["next_send_time"] = now
    elif not fates:
        fates.append(Fate.KEPT)
    return (ImportRow(row.pair, dataclasses.replace(state, **changes)) if changes else row), fates


def _detail(row: ImportRow, fate: Fate) -> str:
    state: StateRow | None = row.state
    if state is None:
        return ""
    if fate in {Fate.SWITCHED_ON, Fate.FAILED, Fate.PAUSED}:
        return state.last_error_message or ""
    return f"{state.next_send_time:%Y-%m-%d %H:%M} UTC" if fate is Fate.TOO_FAR and state.next_send_time else ""


def _titled(table: Table, notes: list[Note]) -> Table:
    """The table with a title where there is none: the original posted the word None, and a pair must not stay silent for it."""
    defaults = {"open_channel_title": OPEN_TITLE, "closed_channel_title": CLOSED_TITLE}
    rows: list[Row] = []
    for row in table.rows:
        empty = {name: title for name, title in defaults.items() if name in row.fields and not row.fields[name]}
        for name, title in empty.items():
            notes.append(Note(row.fields.get("open_channel_id", ""), Fate.TITLE_MENDED, f"{name}: {title}"))
        fields: Mapping[str, str] = {**row.fields, **empty}
        rows.append(Row(row.line, fields))
    return dataclasses.replace(table, rows=tuple(rows))


def _channels(row: Row) -> tuple[str, str]:
    return row.fields.get("open_channel_id", ""), row.fields.get("closed_channel_id", "")


def _rejected(defect: Defect, places: Mapping[tuple[str, int], str]) -> Note:
    channel = places.get((defect.file, defect.line), f"line {defect.line}")
    return Note(channel, Fate.REJECTED, f"{defect.file}, {defect.field}: {defect.reason}")
