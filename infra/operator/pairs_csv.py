"""The tables `main_clients_database` and `broadcast_manager` as CSV files, read together. Pure: bytes in, records out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from infra.operator.csv_table import Defect, FileError, Table, decode, read_table
from infra.operator.pair_rows import PairRow, read_pairs, unique
from infra.operator.state_rows import TELLING, StateRow, States, read_states


@dataclass(frozen=True)
class ImportRow:
    """A pair to import, with the state it had before if that is known."""

    pair: PairRow
    state: StateRow | None = None


@dataclass(frozen=True)
class Parsed:
    """What the files hold: rows that can be imported, and what is wrong with the others, in the files' order."""

    rows: tuple[ImportRow, ...]
    defects: tuple[Defect, ...]


File = tuple[str, bytes]
"""A file's name, as reports give it, and its content."""


def parse(files: Sequence[File], state: File | None = None) -> Parsed:
    """Read these files together; which table each one is shows in its columns, and `state` is the table of states.

    Raises FileError when a file cannot be used as a whole, when there are no pairs among them, or more than one table of states.
    """
    tables = [_table(file) for file in files]
    pair_tables = [table for table in tables if not _is_state(table)]
    state_tables = [table for table in tables if _is_state(table)]
    if state is not None:
        state_tables.append(_table(state))
    if not pair_tables:
        names = ", ".join(table.file for table in state_tables)
        raise FileError(
            f"{names} holds the state of pairs without their texts; give the export of main_clients_database as well"
        )
    if len(state_tables) > 1:
        first, second = state_tables[:2]
        raise FileError(f"{first.file} and {second.file} are both broadcast_manager tables; give one of them")
    read: list[PairRow] = []
    defects: list[Defect] = []
    for table in pair_tables:
        rows, wrong = read_pairs(table)
        read += rows
        defects += wrong
    kept, twice = unique(read)
    joined, left_out = [ImportRow(row) for row in kept], list[Defect]()
    if state_tables:
        joined, left_out = join(kept, read_states(state_tables[0]))
    order = {table.file: number for number, table in enumerate([*pair_tables, *state_tables])}
    found = sorted([*defects, *twice, *left_out], key=lambda d: (order[d.file], d.line))
    return Parsed(tuple(joined), tuple(found))


def join(pairs: Iterable[PairRow], states: States) -> tuple[list[ImportRow], list[Defect]]:
    """Each pair with its state row, found by both channels.

    A pair whose state row exists but cannot be used is held back: without it the pair would get another id, lose its counters
    and be sent at once.
    """
    defects = list(states.defects)
    by_channels = {state.channels: state for state in states.rows}
    rows: list[ImportRow] = []
    for pair in pairs:
        channels = (pair.open_channel_id, pair.closed_channel_id)
        state = by_channels.pop(channels, None)
        if channels in states.unusable:
            file, line = states.unusable[channels]
            defects.append(
                pair.defect("open_channel_id", f"its state in {file}, line {line}, cannot be used; mend that row first")
            )
        elif state is not None and state.client_id != pair.client_id:
            at = f"{pair.file}, line {pair.line}"
            defects.append(
                state.defect("client_id", f"{state.client_id} is not the owner that {at} names, {pair.client_id}")
            )
            at = f"{state.file}, line {state.line}"
            defects.append(
                pair.defect("client_id", f"{pair.client_id} is not the owner that {at} names, {state.client_id}")
            )
        else:
            rows.append(ImportRow(pair, state))
    for state in by_channels.values():
        reason = f"no usable pair has the open channel {state.open_channel_id} and the closed channel {state.closed_channel_id}"
        defects.append(state.defect("open_channel_id", f"{reason}; the row was left out"))
    return rows, defects


def _table(file: File) -> Table:
    name, content = file
    return read_table(decode(content, name), name)


def _is_state(table: Table) -> bool:
    return table.columns >= TELLING
