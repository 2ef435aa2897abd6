"""Rows into the store: new pairs are created, edited texts updated, everything else stays as it is.

Idempotent, and safe beside another importer or a running service: a pair is created only if it is absent, and an update is the
owner's own edit. An import that is cut off is repeated; what was done counts as unchanged then.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from infra.operator.csv_table import Defect
from infra.operator.import_plan import known, plan
from infra.operator.pair_rows import PairRow
from infra.operator.pairs_csv import ImportRow
from shared.owner import edit
from shared.pair import Pair, replace
from shared.runs import Policy
from shared.store import PAIRS, AlreadyExists, NewerRecord, Store, StoreUnavailable, Unreadable, update


@dataclass(frozen=True)
class Summary:
    """How many pairs an import created, changed and left alone, and the rows the store already contradicts."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: tuple[Defect, ...] = ()
    due_now: int = 0
    """Of the new ones, those whose first broadcast is due at once."""


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
        there = create_pair(store, pair, row)
        if there is None:
            new += 1
        elif isinstance(there, Defect):
            rejected.append(there)
        else:
            edits.append((there.id, row))
        done += 1
        progress(done, writes)
    updated = 0
    for id, row in edits:
        if edit_pair(store, id, row.texts(), policy):
            updated += 1
        else:
            unchanged += 1
        done = min(done + 1, writes)
        progress(done, writes)
    due_now = sum(_is_due(pair, now) for pair in create)
    return Summary(new=new, updated=updated, unchanged=unchanged, rejected=tuple(rejected), due_now=due_now)


def _is_due(pair: Pair, now: datetime) -> bool:
    return pair.wake_at is not None and pair.wake_at <= now


def create_pair(store: Store, pair: Pair, row: PairRow) -> Pair | Defect | None:
    """None if the pair is now there because of this call; else the one that was there already, or why it is in the way."""
    try:
        store.create(PAIRS, pair.id, pair)
        return None
    except AlreadyExists:
        pass
    try:
        stored = store.get(PAIRS, pair.id)
    except (NewerRecord, Unreadable) as error:
        return row.defect("open_channel_id", f"pair {pair.id} is in the store and cannot be read: {error}")
    if stored is None:
        raise StoreUnavailable(f"pair {pair.id} was there and is gone; import again")
    there = stored.record
    if there == pair:
        # The answer to this very write was lost.
        return None
    if (there.client_id, there.open_channel_id, there.closed_channel_id) != (
        pair.client_id,
        pair.open_channel_id,
        pair.closed_channel_id,
    ):
        return row.defect(
            "open_channel_id", f"another import made pair {pair.id} with other channels meanwhile; import again"
        )
    return there


def edit_pair(store: Store, id: str, changes: dict[str, Any], policy: Policy) -> bool:
    """Bring a pair's texts up to date, as its owner would; False if they are so already."""
    return update(store, PAIRS, id, lambda pair, at: edit(pair, now=at, changes=changes, policy=policy))[1]
