"""A pair's broadcasts in order, wherever they are kept."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from shared.pair import Pair, Run
from shared.store import Store

CLOCKS_APART = timedelta(minutes=1)
"""More than the clocks of two machines differ: a pair's first run may seem to be older than the pair."""


def runs_of(store: Store, pair: Pair, *, before: datetime | None, limit: int) -> Sequence[Run]:
    """Runs claimed before this time, newest first: the current and the last one from the pair's own record, the rest from the
    history, which may hold an older state of the last one. What was claimed before the pair was made is another's: an id comes
    again when a channel is registered anew after its ended pair is gone. Raises StoreUnavailable.
    """
    own = [run for run in (pair.run, pair.last_broadcast) if run is not None]
    at_hand = {run.run_id: run for run in own if before is None or run.claimed_at < before}
    older = store.history(pair.id, before=before, limit=limit + len(at_hand))
    since = pair.created_at - CLOCKS_APART
    past = {entry.id: entry.record.run for entry in older if entry.record.run.claimed_at >= since}
    runs = past | at_hand
    return sorted(runs.values(), key=lambda run: run.claimed_at, reverse=True)[:limit]
