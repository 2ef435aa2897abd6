"""The original's pairs into the store. Can be repeated at any time: what is there stays, what was cut off is gone on with.

A pair that has not been sent for here yet follows the original's newer state; once it has, only its texts do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from infra.operator.csv_table import Defect
from infra.operator.import_pairs import create_pair, edit_pair, spread
from infra.operator.import_plan import known, plan
from infra.operator.new_pair import new_pair
from infra.operator.pair_rows import PairRow
from infra.operator.pairs_csv import ImportRow
from shared.decision import Decision, unchanged
from shared.pair import Pair, replace
from shared.runs import Policy
from shared.store import PAIRS, Store, update

PLACED_HERE = ("next_send_time", "created_at", "updated_at", "paused_at")
"""Times that the carrying over itself may set: they alone make no difference."""


@dataclass(frozen=True)
class Planned:
    """What is to be written: pairs to create, pairs whose state here is older than the original's, texts to edit."""

    create: tuple[tuple[Pair, PairRow], ...]
    refresh: tuple[Pair, ...]
    edit: tuple[tuple[str, PairRow], ...]
    unchanged: int
    rejected: tuple[Defect, ...]

    @property
    def writes(self) -> int:
        return len(self.create) + len(self.refresh) + len(self.edit)


def planned(store: Store, rows: Sequence[ImportRow], *, now: datetime, spread_hours: float) -> Planned:
    """Compare the original's rows with the store; nothing is written. Raises StoreUnavailable."""
    there: dict[int, Pair] = {}
    untouched: dict[str, Pair] = {}
    for stored in store.all_pairs():
        there[stored.record.open_channel_id] = stored.record
        if _untouched(stored.record):
            untouched[stored.id] = stored.record
    compared = plan(rows, (known(pair) for pair in there.values()), now=now)
    contradicted = {(defect.file, defect.line) for defect in compared.rejected}
    refresh: list[Pair] = []
    for row in rows:
        mine = there.get(row.pair.open_channel_id)
        usable = mine is not None and mine.id in untouched and row.state is not None
        if mine is not None and usable and (row.pair.file, row.pair.line) not in contradicted:
            fresh = new_pair(row, now=now)
            if fresh.id == mine.id and _older(mine, fresh, now):
                refresh.append(fresh)
    refreshed = {pair.id for pair in refresh}
    edit = tuple((id, row) for id, row in compared.edit if id not in refreshed)
    placed = spread([*compared.create, *refresh], now=now, hours=spread_hours)
    created = len(compared.create)
    return Planned(
        create=tuple(zip(placed[:created], compared.sources, strict=True)),
        refresh=tuple(placed[created:]),
        edit=edit,
        unchanged=len(rows) - created - len(refresh) - len(edit) - len(compared.rejected),
        rejected=tuple(compared.rejected),
    )


def write(
    store: Store, work: Planned, *, policy: Policy, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> tuple[Defect, ...]:
    """Write what is planned; the rows that another writer has made impossible meanwhile.

    Raises StoreUnavailable; what was written until then stays, and the same command can be repeated.
    """
    rejected: list[Defect] = []
    done = 0
    progress(done, work.writes)
    for pair, row in work.create:
        there = create_pair(store, pair, row)
        if isinstance(there, Defect):
            rejected.append(there)
        done += 1
        progress(done, work.writes)
    for pair in work.refresh:
        update(store, PAIRS, pair.id, lambda stored, _: _refreshed(stored, pair))  # noqa: B023 - used within the iteration
        done += 1
        progress(done, work.writes)
    for id, row in work.edit:
        edit_pair(store, id, row.texts(), policy)
        done += 1
        progress(done, work.writes)
    return tuple(rejected)


def _refreshed(stored: Pair, fresh: Pair) -> Decision[Pair, None]:
    return Decision(fresh, None) if _untouched(stored) and stored != fresh else unchanged(None)


def _untouched(pair: Pair) -> bool:
    """Nothing has happened to the pair here since it was carried over."""
    return pair.run is None and pair.last_broadcast is None and pair.ended_at is None


def _older(mine: Pair, fresh: Pair, now: datetime) -> bool:
    """Whether the original knows more. What was overdue there has been given a time here, which stays."""
    placed = {name: getattr(mine, name) for name in PLACED_HERE}
    if replace(fresh, **placed) != mine:
        return True
    overdue = fresh.next_send_time is None or fresh.next_send_time <= now
    return not overdue and fresh.next_send_time != mine.next_send_time
