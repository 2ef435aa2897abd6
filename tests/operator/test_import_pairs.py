"""Importing into a store: created once, edited when edited, and nothing else touched."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from infra.operator.import_pairs import Summary, import_pairs
from infra.operator.pairs_csv import parse
from shared import owner
from shared.pair import Live, Pair, PairState, new_pair_id, replace
from shared.runs import Policy, claim
from shared.store import PAIRS, AlreadyExists, Collection, StoreUnavailable
from tests.clocks import NOON, ManualClock
from tests.memory.store import MemoryStore
from tests.operator.csvs import (
    A_PAIR,
    CLOSED,
    DEFECTS_CSV,
    OPEN,
    OWNER,
    PAIRS_CSV,
    STATE_ID,
    STATES_CSV,
    data,
    numbered,
    pairs_csv,
    states_csv,
    written,
)

POLICY = Policy(interval=timedelta(hours=24), manual_interval=timedelta(minutes=5))


class World:
    """A store, and imports into it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore(self.clock)

    def bring(self, pairs: bytes, states: bytes | None = None, **options: Any) -> Summary:
        parsed = parse([("p.csv", pairs)], None if states is None else ("s.csv", states))
        assert parsed.defects == ()
        return import_pairs(self.store, parsed.rows, now=self.clock.now(), policy=POLICY, **options)

    def sample(self, *names: str) -> Summary:
        rows = parse([data(name) for name in names]).rows
        return import_pairs(self.store, rows, now=self.clock.now(), policy=POLICY)

    def pairs(self) -> list[Pair]:
        return [stored.record for stored in self.store.all_pairs()]

    def the_pair(self) -> Pair:
        (pair,) = self.pairs()
        return pair

    def change(self, pair: Pair) -> None:
        stored = self.store.get(PAIRS, pair.id)
        assert stored is not None
        self.store.replace(PAIRS, stored, pair)


@pytest.fixture
def world() -> World:
    return World()


def counts(summary: Summary) -> tuple[int, int, int, int]:
    return summary.new, summary.updated, summary.unchanged, len(summary.rejected)


def test_a_new_pair_is_due_now_under_the_id_its_open_channel_gives_it(world: World) -> None:
    summary = world.bring(pairs_csv({"sub_2_price": "12.50", "sub_2_time": "90"}))

    pair = world.the_pair()
    assert counts(summary) == (1, 0, 0, 0)
    assert summary.due_now == 1
    assert pair.id == new_pair_id(int(OPEN))
    assert (pair.open_channel_id, pair.open_chat_id) == (int(OPEN), int(OPEN))
    assert (pair.closed_channel_id, pair.closed_chat_id) == (int(CLOSED), int(CLOSED))
    assert (pair.wake_at, pair.state, pair.created_at) == (NOON, PairState.SCHEDULED, NOON)
    assert (pair.client_id, pair.created_by) == (OWNER, "tradewinds")
    assert [(t.price, t.days) for t in pair.tiers] == [(Decimal("5.00"), 30), (Decimal("12.50"), 90)]


@pytest.mark.parametrize("names", [(PAIRS_CSV,), (PAIRS_CSV, STATES_CSV)])
def test_importing_again_changes_nothing(world: World, names: Sequence[str]) -> None:
    assert counts(world.sample(*names)) == (17, 0, 0, 0)
    before = world.pairs()
    writes = world.store.writes
    world.clock.advance(3600)

    assert counts(world.sample(*names)) == (0, 0, 17, 0)

    assert world.pairs() == before
    assert world.store.writes == writes


def test_the_repeated_row_of_the_defects_file_is_unchanged_after_the_main_file(world: World) -> None:
    world.sample(PAIRS_CSV)

    assert counts(world.sample(DEFECTS_CSV)) == (0, 0, 1, 0)


def test_an_edited_row_updates_the_texts_and_keeps_the_state(world: World) -> None:
    world.bring(pairs_csv({}, numbered(2)), states_csv())
    before = {pair.open_channel_id: pair for pair in world.pairs()}
    world.clock.advance(60)

    summary = world.bring(pairs_csv({"open_channel_title": "New title", "sub_1_price": "6"}, numbered(2)))

    after = {pair.open_channel_id: pair for pair in world.pairs()}
    edited = after[int(OPEN)]
    assert counts(summary) == (0, 1, 1, 0)
    assert (edited.open_channel_title, edited.sub_1_price) == ("New title", Decimal("6.00"))
    changes = {"open_channel_title": "New title", "sub_1_price": Decimal("6.00"), "updated_at": world.clock.now()}
    assert edited == replace(before[int(OPEN)], **changes)


def test_the_same_price_written_otherwise_is_no_edit(world: World) -> None:
    world.bring(pairs_csv({"sub_1_price": "5.00"}))

    assert counts(world.bring(pairs_csv({"sub_1_price": "5"}))) == (0, 0, 1, 0)


def test_a_tier_that_is_gone_from_the_row_goes(world: World) -> None:
    world.bring(pairs_csv({"sub_2_price": "12.50", "sub_2_time": "90"}))

    assert counts(world.bring(pairs_csv())) == (0, 1, 0, 0)

    assert len(world.the_pair().tiers) == 1


def test_a_tier_whose_columns_are_gone_from_the_file_stays(world: World) -> None:
    world.bring(pairs_csv({"sub_3_price": "12.50", "sub_3_time": "90"}))
    without = {name: value for name, value in A_PAIR.items() if not name.startswith("sub_3")}
    shorter = written({**without, "open_channel_title": "New title"})

    assert counts(world.bring(shorter)) == (0, 1, 0, 0)

    assert len(world.the_pair().tiers) == 2


def test_a_paused_pair_stays_paused_and_a_running_one_running(world: World) -> None:
    world.bring(pairs_csv({}, numbered(2)))
    paused, running = world.pairs()
    world.change(owner.pause(paused, now=NOON, reason="asked").record or paused)
    world.change(claim(running, now=NOON, run_id="r1", policy=POLICY).record or running)

    edited = {"open_channel_title": "New title"}
    assert counts(world.bring(pairs_csv(edited, {**numbered(2), **edited}))) == (0, 2, 0, 0)

    after = {pair.id: pair for pair in world.pairs()}
    assert (after[paused.id].state, after[paused.id].pause_reason) == (PairState.PAUSED, "asked")
    assert after[running.id].run is not None


def test_an_id_and_its_state_are_kept(world: World) -> None:
    world.bring(pairs_csv(), states_csv({"last_manual_trigger_time": "2026-05-30 12:00:00+00"}))

    pair = world.the_pair()
    assert pair.id == STATE_ID
    assert pair.next_send_time == datetime(2026, 6, 2, 12, 0, 0, 100000, UTC)
    assert pair.last_sent_time == datetime(2026, 5, 31, 12, 0, 0, 100000, UTC)
    assert pair.last_manual_trigger_time == datetime(2026, 5, 30, 12, tzinfo=UTC)
    assert (pair.total_broadcasts, pair.successful_broadcasts, pair.failed_broadcasts) == (4, 3, 1)
    assert pair.manual_trigger_count == 1
    assert pair.created_at == datetime(2025, 11, 11, 21, 4, 11, 512000, UTC)
    assert pair.is_active


def test_a_pair_imported_with_its_state_is_found_again_without_it(world: World) -> None:
    world.bring(pairs_csv(), states_csv())

    assert counts(world.bring(pairs_csv({"open_channel_title": "New title"}))) == (0, 1, 0, 0)

    assert world.the_pair().id == STATE_ID


@pytest.mark.parametrize("status", ["pending", "in_progress", "completed", "failed", "skipped"])
def test_an_active_pair_of_any_status_goes_on_at_its_next_send_time(world: World, status: str) -> None:
    world.bring(pairs_csv(), states_csv({"broadcast_status": status, "consecutive_failures": "4"}))

    pair = world.the_pair()
    assert pair.is_active
    assert pair.wake_at == datetime(2026, 6, 2, 12, 0, 0, 100000, UTC)
    assert pair.consecutive_failures == 4


def test_a_state_without_a_next_send_time_is_due_now(world: World) -> None:
    world.bring(pairs_csv(), states_csv({"next_send_time": ""}))

    assert world.the_pair().wake_at == NOON


@pytest.mark.parametrize("changes", [{"is_active": "f"}, {"consecutive_failures": "5"}])
def test_what_the_original_had_switched_off_comes_paused_with_its_reason(world: World, changes: dict[str, str]) -> None:
    error = {"last_error_message": "Open channel: Bot was kicked", "last_error_time": "2026-05-30 12:00:00+00"}

    world.bring(pairs_csv(), states_csv({**changes, **error}))

    pair = world.the_pair()
    assert (pair.state, pair.wake_at) == (PairState.PAUSED, None)
    assert pair.pause_reason is not None
    assert "Open channel: Bot was kicked" in pair.pause_reason
    assert pair.paused_at == datetime(2026, 5, 30, 12, tzinfo=UTC)


def test_standing_messages_come_along(world: World) -> None:
    standing = {"last_open_message_id": "77", "last_open_message_sent_at": "2026-05-31 12:00:00"}
    nothing = {"last_closed_message_id": "", "last_closed_message_sent_at": ""}

    world.bring(pairs_csv(), states_csv({**standing, **nothing}))

    sent_at = datetime(2026, 5, 31, 12, tzinfo=UTC)
    assert world.the_pair().open_live == Live(chat=int(OPEN), message_id=77, sent_at=sent_at)
    assert world.the_pair().closed_live is None


def test_a_standing_message_without_a_time_has_that_of_the_last_broadcast(world: World) -> None:
    standing = {"last_closed_message_id": "78", "last_closed_message_sent_at": ""}

    world.bring(pairs_csv(), states_csv({**standing, "updated_at": "2026-06-01 00:00:00+00"}))

    live = world.the_pair().closed_live
    assert live is not None
    assert live.sent_at == datetime(2026, 5, 31, 12, 0, 0, 100000, UTC)


def test_a_spread_gives_each_new_pair_its_place(world: World) -> None:
    world.bring(pairs_csv(*(numbered(n) for n in range(1, 5))), spread_hours=2)

    due = {pair.open_channel_id: pair.wake_at for pair in world.pairs()}
    assert due == {-1001000000000 - n: NOON + timedelta(minutes=30 * (n - 1)) for n in range(1, 5)}


def test_a_spread_leaves_alone_what_is_due_later_paused_or_known(world: World) -> None:
    world.bring(pairs_csv(numbered(3)))
    ids = [STATE_ID, STATE_ID.replace("3", "4")]
    states = states_csv(
        {"id": ids[0], "next_send_time": "2026-06-02 12:00:00+00"},
        {"id": ids[1], **numbered(2), "is_active": "f", "next_send_time": "2026-01-01 00:00:00+00"},
    )
    world.clock.advance(60)

    world.bring(pairs_csv({}, numbered(2), numbered(3), numbered(4), numbered(5)), states, spread_hours=2)

    now = world.clock.now()
    due = {pair.open_channel_id: pair.wake_at for pair in world.pairs()}
    assert [due[-1001000000000 - n] for n in range(1, 6)] == [
        datetime(2026, 6, 2, 12, tzinfo=UTC),
        None,
        NOON,
        now,
        now + timedelta(hours=1),
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"client_id": "980d37eb-e3c7-51da-8456-b67c003dd836"}, "client_id"),
        ({"closed_channel_id": "-1002000000009"}, "closed_channel_id"),
        ({"open_channel_id": "-1001000000009"}, "closed_channel_id"),
        ({"open_channel_id": CLOSED, "closed_channel_id": "-1002000000009"}, "open_channel_id"),
        ({"open_channel_id": "-1001000000009", "closed_channel_id": OPEN}, "closed_channel_id"),
    ],
)
def test_a_row_that_contradicts_the_store_is_rejected(world: World, changes: dict[str, str], field: str) -> None:
    world.bring(pairs_csv())
    before = world.pairs()

    summary = world.bring(pairs_csv({**changes, "open_channel_title": "New title"}, numbered(2)))

    assert counts(summary) == (1, 0, 0, 1)
    assert (summary.rejected[0].line, summary.rejected[0].field) == (2, field)
    assert new_pair_id(int(OPEN)) in summary.rejected[0].reason
    assert [pair for pair in world.pairs() if pair.open_channel_id == int(OPEN)] == before


def test_a_pair_keeps_the_id_it_was_imported_under(world: World) -> None:
    world.bring(pairs_csv())

    summary = world.bring(pairs_csv({"open_channel_title": "New title"}), states_csv())

    assert counts(summary) == (0, 0, 0, 1)
    assert (summary.rejected[0].file, summary.rejected[0].field) == ("s.csv", "id")
    assert world.the_pair().id == new_pair_id(int(OPEN))


def test_an_id_that_belongs_to_other_channels_is_rejected(world: World) -> None:
    world.bring(pairs_csv(), states_csv())

    summary = world.bring(pairs_csv(numbered(2)), states_csv(numbered(2)))

    assert counts(summary) == (0, 0, 0, 1)
    assert (summary.rejected[0].file, summary.rejected[0].field) == ("s.csv", "id")


class LostAnswers(MemoryStore):
    """Applies a creation and says it failed."""

    def create(self, collection: Collection[Any], id: str, record: Any) -> None:
        super().create(collection, id, record)
        raise AlreadyExists(id)


def test_a_creation_whose_answer_was_lost_is_new(world: World) -> None:
    world.store = LostAnswers(world.clock)

    assert counts(world.bring(pairs_csv())) == (1, 0, 0, 0)


class Overtaken(MemoryStore):
    """Another importer creates the pair, with other texts or channels, just before."""

    def __init__(self, clock: ManualClock, **changes: Any) -> None:
        super().__init__(clock)
        self._changes = changes

    def create(self, collection: Collection[Any], id: str, record: Any) -> None:
        super().create(collection, id, replace(record, created_at=NOON - timedelta(1), **self._changes))
        super().create(collection, id, record)


def test_a_pair_that_another_importer_made_first_gets_the_row_s_texts(world: World) -> None:
    world.store = Overtaken(world.clock, open_channel_title="Theirs")

    assert counts(world.bring(pairs_csv())) == (0, 1, 0, 0)

    assert world.the_pair().open_channel_title == "Harbor"
    assert world.the_pair().created_at == NOON - timedelta(1)


def test_a_pair_that_another_importer_made_first_with_the_same_texts_is_unchanged(world: World) -> None:
    world.store = Overtaken(world.clock)

    assert counts(world.bring(pairs_csv())) == (0, 0, 1, 0)


def test_a_pair_that_another_importer_made_first_with_another_channel_is_rejected(world: World) -> None:
    world.store = Overtaken(world.clock, closed_channel_id=-1002000000009)

    assert counts(world.bring(pairs_csv())) == (0, 0, 0, 1)


@pytest.mark.parametrize("raw", [b'{"v": 99}', b"garbage"])
def test_a_record_that_cannot_be_read_rejects_its_row_and_no_other(world: World, raw: bytes) -> None:
    world.store.put_raw(PAIRS, new_pair_id(int(OPEN)), raw)

    summary = world.bring(pairs_csv({}, numbered(2)))

    assert counts(summary) == (1, 0, 0, 1)
    assert "cannot be read" in summary.rejected[0].reason


class Dying(MemoryStore):
    """Stops answering after the first creation, until it is mended."""

    mended = False

    def create(self, collection: Collection[Any], id: str, record: Any) -> None:
        if self.writes and not self.mended:
            raise StoreUnavailable("the store does not answer")
        super().create(collection, id, record)


def test_an_import_that_was_cut_off_is_completed_by_the_next(world: World) -> None:
    whole = pairs_csv(*(numbered(n) for n in range(1, 4)))
    world.store = dying = Dying(world.clock)
    with pytest.raises(StoreUnavailable):
        world.bring(whole)

    dying.mended = True

    assert counts(world.bring(whole)) == (2, 0, 1, 0)


def test_progress_tells_how_many_writes_of_how_many_are_done(world: World) -> None:
    told: list[tuple[int, int]] = []
    world.bring(pairs_csv(numbered(1), numbered(2)))

    edited = {**numbered(1), "open_channel_title": "New title"}
    world.bring(pairs_csv(edited, numbered(2), numbered(3)), progress=lambda done, writes: told.append((done, writes)))

    assert told == [(0, 2), (1, 2), (2, 2)]


def test_many_pairs_are_read_in_one_pass(world: World) -> None:
    world.bring(pairs_csv(*(numbered(n) for n in range(1, 200))))
    world.store.reads = world.store.queries = 0

    world.bring(pairs_csv(*(numbered(n) for n in range(1, 200))))

    assert (world.store.reads, world.store.queries) == (0, 1)
