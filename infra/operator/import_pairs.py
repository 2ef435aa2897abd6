"""Rows into the store: new pairs are created, edited texts updated, everything else stays as it is.

Idempotent, and safe beside another importer or a running service: a pair is created only if it is absent, and an update is the
owner's own edit. An import that is cut off is repeated; what was done counts as unchanged then.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from infra.operator.csv_table import Defect
from infra.operator.new_pair import id_of, new_pair
from infra.operator.pair_rows import EDITABLE, PairRow
from infra.operator.pairs_csv import ImportRow
from shared.owner import edit
from shared.pair import Pair, replace
from shared.runs import Policy
from shared.store import PAIRS, AlreadyExists, Store, StoreUnavailable, update


@dataclass(frozen=True)
class Summary:
    """How many pairs an import created, changed and left alone, and the rows the store already contradicts."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: tuple[Defect, ...] = ()
    due_now: int = 0
    """Of the new ones, those whose first broadcast is due at once."""


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


def spread(pairs: Sequence[Pair], *, now: datetime, hours: float) -> list[Pair]:
    """The pairs with the first broadcasts of those that are due spread evenly from now over so many hours."""
    due = sum(_is_due(pair, now) for pair in pairs)
    result: list[Pair] = []
    place = 0
    for pair in pairs:
        if _is_due(pair, now):
            result.append(replace(pair, next_send_time=now + place * timedelta(hours=hours) / due))
            place += 1
        else:
            result.append(pair)
    return result


def import_pairs(
    store: Store,
    rows: Iterable[ImportRow],
    *,
    now: datetime,
    policy: Policy,
    spread_hours: float | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Summary:
    """Bring the store up to these rows; `progress` is told how many writes of how many are done.

    Raises StoreUnavailable; what was written until then stays, and the same import can be repeated.
    """
    planned = plan(rows, (known(stored.record) for stored in store.all_pairs()), now=now)
    create = planned.create if spread_hours is None else spread(planned.create, now=now, hours=spread_hours)
    edits = list(planned.edit)
    done, writes = 0, len(create) + len(edits)
    new, unchanged, rejected = 0, planned.unchanged, planned.rejected
    progress(done, writes)
    for pair, row in zip(create, planned.sources, strict=True):
        there = _create(store, pair)
        if there is None:
            new += 1
        elif (there.client_id, there.closed_channel_id) != (pair.client_id, pair.closed_channel_id):
            rejected.append(
                row.defect("open_channel_id", f"{pair.open_channel_id} became another pair's channel meanwhile")
            )
        else:
            edits.append((there.id, row))
        done += 1
        progress(done, writes)
    updated = 0
    for id, row in edits:
        if _edit(store, id, row.texts(), policy):
            updated += 1
        else:
            unchanged += 1
        done = min(done + 1, writes)
        progress(done, writes)
    due_now = sum(_is_due(pair, now) for pair in create)
    return Summary(new=new, updated=updated, unchanged=unchanged, rejected=tuple(rejected), due_now=due_now)


def _is_due(pair: Pair, now: datetime) -> bool:
    return pair.wake_at is not None and pair.wake_at <= now


def _create(store: Store, pair: Pair) -> Pair | None:
    """None if the pair is now there because of this call; else the one that was there already."""
    try:
        store.create(PAIRS, pair.id, pair)
    except AlreadyExists:
        stored = store.get(PAIRS, pair.id)
        if stored is None:
            raise StoreUnavailable(f"pair {pair.id} was there and is gone; import again") from None
        # The answer to this very write may have been lost.
        return None if stored.record == pair else stored.record
    return None


def _edit(store: Store, id: str, changes: dict[str, Any], policy: Policy) -> bool:
    return update(store, PAIRS, id, lambda pair, at: edit(pair, now=at, changes=changes, policy=policy))[1]


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
