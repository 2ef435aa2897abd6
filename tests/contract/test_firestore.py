"""What only the store on Firestore has: its own time, answers the client loses, indexes, and faults of the service."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.api_core.retry import Retry
from google.cloud.firestore_v1.types import StructuredQuery

from infra.rehearsal.emulators import Emulator
from infra.rehearsal.firestore_proxy import AnswerLost, Operations, firestore_proxy
from shared import firestore_store
from shared.firestore_store import FirestoreStore, open_firestore
from shared.pair import replace
from shared.runs import Claimed, claim, history_entry
from shared.settings import SettingError, Settings
from shared.store import (
    HISTORY,
    PACE,
    PAIRS,
    AlreadyExists,
    Changed,
    Collection,
    StoreUnavailable,
    read_pace,
    update,
)
from tests.clocks import NOON
from tests.emulators import firestore_client
from tests.pairs import OWNER, a_pair
from tests.runs import POLICY, claimed, failed, sent

pytestmark = [pytest.mark.server, pytest.mark.xdist_group("firestore")]

INDEXES = json.loads(
    (Path(__file__).parents[2] / "infra" / "terraform" / "firestore.indexes.json").read_text(encoding="utf-8")
)
FROZEN_SECONDS = 0.5


class Behind:
    """A store whose calls go through a proxy, where answers can get lost."""

    def __init__(self, store: FirestoreStore, operations: Operations) -> None:
        self.store = store
        self.operations = operations
        self.lose = 0
        """So many commits from now on are applied and their answers lost."""

    def answered(self, name: str, request: bytes) -> None:
        del name, request
        if self.lose:
            self.lose -= 1
            raise AnswerLost


@pytest.fixture
def behind(firestore_emulator: Emulator) -> Iterator[Behind]:
    operations = Operations()
    with ExitStack() as stack:
        found: list[Behind] = []
        host = stack.enter_context(
            firestore_proxy(firestore_emulator.host, operations, lambda *call: found[0].answered(*call))
        )
        client: Any = firestore_client(firestore_emulator, host=host)
        stack.callback(client.close)
        found.append(Behind(FirestoreStore(client), operations))
        yield found[0]


def test_the_time_of_a_read_is_the_stores_own(behind: Behind) -> None:
    store, pair = behind.store, a_pair()
    store.create(PAIRS, pair.id, pair)

    first = store.get(PAIRS, pair.id)
    assert first is not None
    written = store.replace(PAIRS, first, replace(pair, open_channel_title="Quay"))
    second = store.get(PAIRS, pair.id)
    (due,) = store.due_pairs(NOON, 1)

    assert second is not None
    times = [first.read_at, written.read_at, second.read_at, due.read_at]
    assert times == sorted(times)
    assert {type(time) for time in times} == {datetime}
    assert abs(datetime.now(UTC) - first.read_at) < timedelta(minutes=5)


# --- a commit that was applied and whose answer was lost: the client repeats it by itself ------------------------------


def test_a_replacement_that_the_client_repeated_stumbles_over_itself(behind: Behind) -> None:
    store, pair = behind.store, a_pair()
    store.create(PAIRS, pair.id, pair)
    stored = store.get(PAIRS, pair.id)
    assert stored is not None
    behind.lose = 1

    with pytest.raises(Changed):
        store.replace(PAIRS, stored, replace(pair, open_channel_title="Quay"))

    after = store.get(PAIRS, pair.id)
    assert after is not None
    assert after.record.open_channel_title == "Quay"
    assert behind.operations.of("write", "pairs") == 3


def test_a_creation_that_the_client_repeated_finds_its_own_record(behind: Behind) -> None:
    pair = a_pair()
    behind.lose = 1

    with pytest.raises(AlreadyExists):
        behind.store.create(PAIRS, pair.id, pair)

    stored = behind.store.get(PAIRS, pair.id)
    assert stored is not None
    assert stored.record == pair


def test_a_claim_that_the_client_repeated_is_recognised_as_ones_own(behind: Behind) -> None:
    pair = a_pair()
    behind.store.create(PAIRS, pair.id, pair)
    behind.lose = 1

    after, result = update(
        behind.store, PAIRS, pair.id, lambda pair, _: claim(pair, now=NOON, run_id="mine", policy=POLICY)
    )

    assert isinstance(result, Claimed)
    assert after.run is not None
    assert after.run.run_id == "mine"


# --- faults of the service --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [
        lambda store: store.get(PAIRS, "x"),
        lambda store: store.create(PAIRS, "x", a_pair()),
        lambda store: store.due_pairs(NOON, 1),
        lambda store: store.count_running(),
        lambda store: store.count_due(NOON),
        lambda store: store.count_attempted(NOON),
        lambda store: store.count_refused(NOON),
        lambda store: store.pairs_of_client(OWNER),
        lambda store: store.pairs_of_channel(-1001),
        lambda store: list(store.all_pairs()),
        lambda store: store.history("x", before=None, limit=1),
    ],
    ids=["get", "create", "due", "count", "count due", "attempted", "refused", "client", "channel", "all", "history"],
)
@pytest.mark.parametrize("fault", ["frozen", "gone"])
def test_a_service_that_does_not_answer_in_time_is_unavailable(
    firestore_emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[FirestoreStore], object],
    fault: str,
) -> None:
    monkeypatch.setattr(firestore_store, "SECONDS", FROZEN_SECONDS)
    monkeypatch.setattr(
        firestore_store, "AGAIN", Retry(predicate=firestore_store.AGAIN._predicate, timeout=FROZEN_SECONDS)
    )
    client: Any = firestore_client(firestore_emulator, host=None if fault == "frozen" else "127.0.0.1:1")
    store = FirestoreStore(client)
    if fault == "frozen":
        firestore_emulator.freeze()
    try:
        with pytest.raises(StoreUnavailable, match="Firestore did not answer"):
            act(store)
    finally:
        if fault == "frozen":
            firestore_emulator.thaw()
        client.close()


def test_without_a_project_nothing_is_opened() -> None:
    with pytest.raises(SettingError, match="GOOGLE_CLOUD_PROJECT"):
        open_firestore(Settings({}))


# --- indexes ----------------------------------------------------------------------------------------------------------


def ask_everything(store: FirestoreStore) -> None:
    """Every query there is, each with results and each of its forms."""
    pair = a_pair()
    store.create(PAIRS, pair.id, claimed(pair))
    store.due_pairs(NOON, 1)
    store.due_pairs(NOON + timedelta(days=1), 1)
    store.due_pairs(NOON + timedelta(days=1), 1, stuck=True)
    store.count_running()
    store.count_due(NOON)
    store.count_attempted(NOON)
    store.count_refused(NOON)
    store.pairs_of_client(pair.client_id)
    store.pairs_of_channel(pair.open_channel_id)
    list(store.all_pairs())
    store.history(pair.id, before=None, limit=1)
    store.history(pair.id, before=NOON, limit=1)


def index_for(query: StructuredQuery) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The index that serves this query, as (collection, fields with their orders)."""
    filters = [query.where.field_filter] if query.where.field_filter.field.field_path else []
    filters += [part.field_filter for part in query.where.composite_filter.filters]
    operator = StructuredQuery.FieldFilter.Operator
    equal = [f.field.field_path for f in filters if f.op == operator.EQUAL]
    contained = [f.field.field_path for f in filters if f.op == operator.ARRAY_CONTAINS]
    ordered = [(order.field.field_path, StructuredQuery.Direction(order.direction).name) for order in query.order_by]
    fields = [(name, "ASCENDING") for name in equal] + [(name, "CONTAINS") for name in contained]
    fields += [(name, direction) for name, direction in ordered if name != "__name__"]
    compared = {f.field.field_path for f in filters} - {*equal, *contained}
    assert compared <= {name for name, _ in ordered}, "an inequality that orders by itself would hide its index"
    return query.from_[0].collection_id, tuple(fields)


def declared() -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    composite = {
        (index["collectionGroup"], tuple((f["fieldPath"], f["order"]) for f in index["fields"]))
        for index in INDEXES["indexes"]
    }
    single = {
        (field["collectionGroup"], ((field["fieldPath"], index.get("order") or index["arrayConfig"]),))
        for field in INDEXES["fieldOverrides"]
        for index in field["indexes"]
    }
    return composite | single


def test_each_query_has_its_index_and_each_index_its_query(behind: Behind) -> None:
    ask_everything(behind.store)

    needed = {index_for(query) for query in behind.operations.queries}

    assert {index for index in needed if index[1]} == declared()


def test_every_stored_field_is_declared_so_that_nothing_is_indexed_by_default(firestore_emulator: Emulator) -> None:
    client: Any = firestore_client(firestore_emulator)
    store = FirestoreStore(client)
    done = replace(sent(claimed(a_pair(1))), expire_at=NOON)
    assert done.last_broadcast is not None
    running, refused = claimed(a_pair(2)), failed(claimed(a_pair(3)))
    store.create(PAIRS, refused.id, refused)
    store.create(PAIRS, done.id, done)
    store.create(PAIRS, running.id, running)
    store.create(HISTORY, "run-1", history_entry(done.id, done.last_broadcast))
    read_pace(store)

    found = {
        (collection.name, field)
        for collection in (PAIRS, HISTORY, PACE)
        for snapshot in client.collection(collection.name).stream()
        for field in snapshot.to_dict()
    }

    assert found == {(f["collectionGroup"], f["fieldPath"]) for f in INDEXES["fieldOverrides"]}


@pytest.mark.parametrize("collection", [PAIRS, HISTORY], ids=lambda c: c.name)
def test_what_expires_goes_by_ttl(collection: Collection[Any]) -> None:
    (field,) = [f for f in INDEXES["fieldOverrides"] if f["collectionGroup"] == collection.name and f.get("ttl")]

    assert (field["fieldPath"], field["indexes"]) == ("expire_at", [])


@pytest.mark.parametrize("idle", [1, 30])
def test_looking_for_what_is_due_is_one_query_however_many_pairs_are_idle(behind: Behind, idle: int) -> None:
    for number in range(idle):
        pair = a_pair(number, next_send_time=NOON + timedelta(days=1))
        behind.store.create(PAIRS, pair.id, pair)
    behind.operations.clear()

    assert behind.store.due_pairs(NOON, 12) == []

    assert (behind.operations.of("query"), behind.operations.of("found"), behind.operations.of("get")) == (1, 0, 0)
