"""What a broadcast costs in documents read and written, to the operation; Firestore's price and limits hang on it."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from functions.tick.handler import REFUSALS_SECONDS
from infra.benchmark.counting_store import CountingStore
from infra.embedded.event_queue import Taken
from shared.events import TickEvent, Topic, encode
from shared.store import Store
from tests.clocks import NOON
from tests.functions.tokens import bearer
from tests.functions.world import make_world
from tests.memory.store import MemoryStore
from tests.pairs import OWNER, a_pair


class Counted:
    """A world whose functions see a counting store."""

    def __init__(self) -> None:
        self.stores: list[CountingStore] = []
        self.world, self.close = make_world(store=self._count)

    def _count(self, inside: MemoryStore) -> Store:
        self.stores.append(CountingStore(inside))
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
