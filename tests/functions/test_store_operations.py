"""What a broadcast costs in documents read and written, to the operation; Firestore's price and limits hang on it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
import pytest

from functions.tick.handler import REFUSALS_SECONDS
from infra.embedded.event_queue import Taken
from shared.events import TickEvent, Topic, encode
from shared.pair import Pair
from shared.store import PACE, Collection, Store, Stored
from tests.clocks import NOON
from tests.contract.faulty_store import WrappedStore
from tests.functions.tokens import bearer
from tests.functions.world import make_world
from tests.memory.store import MemoryStore
from tests.pairs import OWNER, a_pair

R = TypeVar("R", bound=msgspec.Struct)


class Counting(WrappedStore):
    """Counts documents read and written, the pace's apart, and queries."""

    def __init__(self, inside: Store) -> None:
        super().__init__(inside)
        self.counts: Counter[str] = Counter()

    def get(self, collection: Collection[R], id: str) -> Stored[R] | None:
        self.counts["pace read" if collection is PACE else "read"] += 1
        return super().get(collection, id)

    def create(self, collection: Collection[R], id: str, record: R) -> None:
        self.counts["pace write" if collection is PACE else "write"] += 1
        super().create(collection, id, record)

    def replace(self, collection: Collection[R], stored: Stored[R], record: R) -> Stored[R]:
        self.counts["pace write" if collection is PACE else "write"] += 1
        return super().replace(collection, stored, record)

    def due_pairs(self, now: datetime, limit: int, *, stuck: bool = False) -> Sequence[Stored[Pair]]:
        found = super().due_pairs(now, limit, stuck=stuck)
        self.counts["query"] += 1
        self.counts["read"] += len(found)
        return found

    def count_running(self) -> int:
        self.counts["count"] += 1
        return super().count_running()

    def count_attempted(self, since: datetime) -> int:
        self.counts["count of attempted"] += 1
        return super().count_attempted(since)

    def count_refused(self, since: datetime) -> int:
        self.counts["count of refused"] += 1
        return super().count_refused(since)


class Counted:
    """A world whose functions see a counting store."""

    def __init__(self) -> None:
        self.stores: list[Counting] = []
        self.world, self.close = make_world(store=self._count)

    def _count(self, inside: MemoryStore) -> Store:
        self.stores.append(Counting(inside))
        return self.stores[0]

    @property
    def counts(self) -> Counter[str]:
        return self.stores[0].counts


@pytest.fixture
def counted() -> Iterator[Counted]:
    found = Counted()
    yield found
    found.close()


def test_a_scheduled_broadcast_that_replaces_both_messages_takes_four_reads_and_six_writes(counted: Counted) -> None:
    pair = a_pair()
    counted.world.add(pair)
    counted.world.tick()
    counted.world.clock.advance(timedelta(days=1).total_seconds())
    counted.counts.clear()

    counted.world.tick()

    assert counted.world.last(pair).claimed_at > pair.created_at + timedelta(hours=23)
    assert (counted.counts["read"], counted.counts["write"]) == (4, 6)


def test_a_manual_broadcast_takes_four_reads_and_six_writes_and_the_paces_two_and_one(counted: Counted) -> None:
    pair = a_pair()
    counted.world.add(pair)
    counted.world.tick()
    counted.world.clock.advance(3600)
    counted.counts.clear()

    answer = counted.world.api().post("/api/broadcast/trigger", json={"broadcast_id": pair.id}, headers=bearer(OWNER))
    counted.world.run()

    assert answer.status_code == 200
    assert (counted.counts["read"], counted.counts["write"]) == (4, 6)
    assert (counted.counts["pace read"], counted.counts["pace write"]) == (2, 1)


@pytest.mark.parametrize("idle", [1, 50])
def test_a_tick_with_nothing_due_is_one_query_and_one_read_of_the_pace(counted: Counted, idle: int) -> None:
    later = counted.world.clock.now() + timedelta(days=1)
    counted.world.add(*(a_pair(number, next_send_time=later) for number in range(1, idle + 1)))
    counted.world.tick()
    counted.counts.clear()

    counted.world.tick()

    assert counted.counts == Counter({"query": 1, "pace read": 1, "read": 0})


def test_a_busy_tick_counts_refusals_every_few_seconds_and_not_before_each_batch(counted: Counted) -> None:
    counted.world.add(*(a_pair(number) for number in range(1, 12 * 20 + 1)))

    counted.world.deliver(Taken("1", Topic.TICKS, encode(TickEvent()), NOON, 1))

    seconds = (counted.world.clock.now() - NOON).total_seconds()
    assert 2 <= counted.counts["count of refused"] <= 1 + seconds / REFUSALS_SECONDS < 10
    assert counted.counts["count of attempted"] == 0
    assert counted.counts["count"] == 20
