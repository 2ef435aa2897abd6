"""Which pair an operator means: by its id, the beginning of it, or its open channel's id."""

import re
from uuid import UUID

from infra.operator.workspace_access import Failed, Unusable
from shared.fields import shown
from shared.pair import Pair, new_pair_id
from shared.store import PAIRS, Store

SHORTEST_PREFIX = 6
SHOWN_PREFIX = 8
"""So many characters of an id are shown in tables; they name it well enough, and can be typed."""


def find_pair(store: Store, wanted: str) -> Pair:
    """The one pair meant. Raises Unusable for what is no id at all, Failed when there is no such pair or more than one."""
    wanted = wanted.strip().lower()
    if re.fullmatch(r"-[0-9]{4,}", wanted):
        return _by_channel(store, int(wanted))
    if not re.fullmatch(r"[0-9a-f-]+", wanted) or wanted.startswith("-"):
        raise Unusable(
            f"{shown(wanted)} is not a pair's id; give the id, at least its first {SHORTEST_PREFIX} characters, "
            "or the open channel's id, such as -1002187725686"
        )
    if _is_uuid(wanted):
        stored = store.get(PAIRS, str(UUID(wanted)))
        if stored is None:
            raise Failed(f"there is no pair {wanted}")
        return stored.record
    if len(wanted) < SHORTEST_PREFIX:
        raise Unusable(f"{wanted} is too short; give at least the first {SHORTEST_PREFIX} characters of the pair's id")
    return _by_prefix(store, wanted)


def _by_channel(store: Store, channel_id: int) -> Pair:
    likely = store.get(PAIRS, new_pair_id(channel_id))
    if likely is not None and likely.record.open_channel_id == channel_id:
        return likely.record
    for stored in store.all_pairs():
        pair = stored.record
        if pair.open_channel_id == channel_id:
            return pair
        if pair.closed_channel_id == channel_id:
            raise Failed(
                f"{channel_id} is the closed channel of pair {pair.id}; give its open channel {pair.open_channel_id}"
            )
    raise Failed(f"there is no pair with the open channel {channel_id}")


def _by_prefix(store: Store, prefix: str) -> Pair:
    found = [stored.record for stored in store.all_pairs() if stored.id.startswith(prefix)]
    if not found:
        raise Failed(f"there is no pair whose id begins with {prefix}")
    if len(found) > 1:
        some = ", ".join(pair.id for pair in found[:3])
        raise Failed(f"{len(found)} pairs have ids that begin with {prefix}: {some}{' …' if len(found) > 3 else ''}")
    return found[0]


def _is_uuid(text: str) -> bool:
    return len(text) == 36 and [len(part) for part in text.split("-")] == [8, 4, 4, 4, 12]
