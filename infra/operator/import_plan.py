"""What an import has to do: its rows compared with what is stored. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from infra.operator.csv_table import Defect
from infra.operator.new_pair import id_of, new_pair
from infra.operator.pair_rows import PairRow
from infra.operator.pairs_csv import ImportRow
from shared.pair import Pair
from shared.pair_fields import EDITABLE


@dataclass(frozen=True)
class Known:
    """What an import must know of a pair that is in the store."""

    id: str
    client_id: str
    open_channel_id: int
    closed_channel_id: int
    texts: tuple[Any, ...]

    def differs(self, row: PairRow) -> bool:
        """Whether the row's texts are other ones."""
        mine = dict(zip(EDITABLE, self.texts, strict=True))
        return any(mine[name] != value for name, value in row.texts().items())


def known(pair: Pair) -> Known:
    """The part of a stored pair that an import needs."""
    return Known(
        id=pair.id,
        client_id=pair.client_id,
        open_channel_id=pair.open_channel_id,
        closed_channel_id=pair.closed_channel_id,
        texts=tuple(getattr(pair, name) for name in EDITABLE),
    )


@dataclass
class Plan:
    """What is to be done, found out in one pass over the rows."""

    create: list[Pair] = field(default_factory=list)
    sources: list[PairRow] = field(default_factory=list)
    """The rows of `create`, in the same order."""
    edit: list[tuple[str, PairRow]] = field(default_factory=list)
    unchanged: int = 0
    rejected: list[Defect] = field(default_factory=list)


def plan(rows: Iterable[ImportRow], stored: Iterable[Known], *, now: datetime) -> Plan:
    """Compare the rows with what is stored. Pure."""
    by_id: dict[str, Known] = {}
    by_channel: dict[int, Known] = {}
    for pair in stored:
        by_id[pair.id] = by_channel[pair.open_channel_id] = by_channel[pair.closed_channel_id] = pair
    planned = Plan()
    for row in rows:
        there = by_channel.get(row.pair.open_channel_id)
        if there is None or there.open_channel_id != row.pair.open_channel_id:
            there = None
        defect = _contradiction(row, there, by_id, by_channel)
        if defect is not None:
            planned.rejected.append(defect)
        elif there is None:
            planned.create.append(new_pair(row, now=now))
            planned.sources.append(row.pair)
        elif there.differs(row.pair):
            planned.edit.append((there.id, row.pair))
        else:
            planned.unchanged += 1
    return planned


def _contradiction(
    row: ImportRow, there: Known | None, by_id: dict[str, Known], by_channel: dict[int, Known]
) -> Defect | None:
    """Why the store does not allow this row, if it does not."""
    pair, state = row.pair, row.state
    if there is not None:
        if pair.client_id != there.client_id:
            return pair.defect(
                "client_id", f"pair {there.id} belongs to client {there.client_id}; an import changes no owner"
            )
        if pair.closed_channel_id != there.closed_channel_id:
            reason = f"pair {there.id} has the closed channel {there.closed_channel_id}; an import changes no channel"
            return pair.defect("closed_channel_id", reason)
        if state is not None and state.id != there.id:
            reason = f"the pair was imported before as {there.id} and keeps that id; import it without this table to edit its texts"
            return state.defect("id", reason)
        return None
    if id_of(row) in by_id:
        other = by_id[id_of(row)]
        defect = pair.defect if state is None else state.defect
        return defect("id", f"{other.id} is the id of the pair with the open channel {other.open_channel_id}")
    for name, channel in (("open_channel_id", pair.open_channel_id), ("closed_channel_id", pair.closed_channel_id)):
        if channel in by_channel:
            return pair.defect(
                name, f"{channel} is already a channel of pair {by_channel[channel].id}; use another channel"
            )
    return None
