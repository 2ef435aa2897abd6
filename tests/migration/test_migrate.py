"""`broadcastctl migrate` on a real PostgreSQL: what becomes of each state the original leaves behind."""

import json
import tracemalloc
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from infra.migration.fates import Fate
from shared.pair import Pair
from shared.store import PAIRS
from tests.clocks import NOON, ManualClock
from tests.migration.conftest import OWNER, Original
from tests.operator.conftest import Operator

YESTERDAY = NOON - timedelta(hours=20)
LONG_AGO = NOON - timedelta(days=90)


def moved(operator: Operator, original: Original, *more: str, code: int = 0) -> dict[str, Any]:
    document: dict[str, Any] = operator.json("migrate", "--from", original.url, "--write", *more, status=code)
    return document


def here(operator: Operator, open_id: int) -> Pair:
    [found] = [s.record for s in operator.workspace.store.all_pairs() if s.record.open_channel_id == open_id]
    return found


def test_by_default_nothing_is_written(operator: Operator, original: Original) -> None:
    original.pair()

    result = operator.run("migrate", "--from", original.url)

    assert "Nothing was written" in result.output
    assert "1 new" in result.output
    assert list(operator.workspace.store.all_pairs()) == []


def test_a_pair_comes_over_whole(operator: Operator, original: Original) -> None:
    original.has_message_columns()
    state = {
        "id": "384f41fa-a68e-4cdf-880a-395eaad18f15",
        "last_sent_time": YESTERDAY,
        "last_manual_trigger_time": YESTERDAY,
        "manual_trigger_count": 3,
        "total_broadcasts": 7,
        "successful_broadcasts": 6,
        "failed_broadcasts": 1,
        "last_open_message_id": 41,
        "last_closed_message_id": 2**40,
        "last_open_message_sent_at": YESTERDAY.replace(tzinfo=None),
        "last_closed_message_sent_at": None,
    }
    open_id = original.pair(
        state, sub_2_price="9.99", sub_2_time=90, notification_status=True, notification_id=8134355749
    )

    report = moved(operator, original)

    pair = here(operator, open_id)
    assert report["fates"] == {"KEPT": 1}
    assert (pair.id, pair.client_id, pair.next_send_time) == (state["id"], OWNER, NOON + timedelta(hours=3))
    assert (pair.last_sent_time, pair.last_manual_trigger_time, pair.manual_trigger_count) == (YESTERDAY, YESTERDAY, 3)
    assert (pair.total_broadcasts, pair.successful_broadcasts, pair.failed_broadcasts) == (7, 6, 1)
    assert pair.open_live is not None
    assert (pair.open_live.message_id, pair.open_live.sent_at) == (41, YESTERDAY)
    assert pair.closed_live is not None
    assert (pair.closed_live.message_id, pair.closed_live.sent_at) == (2**40, YESTERDAY)
    assert pair.open_channel_description == 'Notes, from the "quay"'
    assert [str(tier.price) for tier in pair.tiers] == ["5.00", "9.99"]
    assert pair.notification_id == 8134355749


@pytest.mark.parametrize(
    ("state", "fates"),
    [
        ({"broadcast_status": "completed", "next_send_time": LONG_AGO}, {Fate.OVERDUE}),
        ({"broadcast_status": "pending", "next_send_time": None}, {Fate.OVERDUE}),
        (
            {"broadcast_status": "failed", "next_send_time": LONG_AGO, "consecutive_failures": 2},
            {Fate.FAILED, Fate.OVERDUE},
        ),
        ({"broadcast_status": "in_progress", "next_send_time": LONG_AGO}, {Fate.STUCK, Fate.OVERDUE}),
        ({"next_send_time": NOON + timedelta(days=400)}, {Fate.TOO_FAR}),
        (
            {"next_send_time": LONG_AGO, "is_active": False, "consecutive_failures": 5, "broadcast_status": "failed"},
            {Fate.SWITCHED_ON, Fate.FAILED, Fate.OVERDUE},
        ),
        ({"next_send_time": LONG_AGO, "is_active": True, "consecutive_failures": 9}, {Fate.SWITCHED_ON, Fate.OVERDUE}),
    ],
)
def test_no_channel_stays_silent_because_of_an_old_state(
    operator: Operator, original: Original, state: dict[str, Any], fates: set[Fate]
) -> None:
    open_id = original.pair(state)

    report = moved(operator, original, "--spread", "6")

    pair = here(operator, open_id)
    assert {Fate[name] for name in report["fates"]} == fates
    assert pair.is_active
    assert pair.consecutive_failures < 5
    assert pair.wake_at is not None
    assert NOON <= pair.wake_at <= NOON + timedelta(hours=6)


def test_what_was_switched_off_by_hand_stays_paused_and_is_named(operator: Operator, original: Original) -> None:
    open_id = original.pair({"is_active": False, "consecutive_failures": 1, "last_error_message": "no rights"})

    result = operator.run("migrate", "--from", original.url, "--write")

    pair = here(operator, open_id)
    assert not pair.is_active
    assert pair.pause_reason == "paused before the import: no rights"
    assert str(open_id) in result.output
    assert Fate.PAUSED.value in result.output


def test_a_pair_without_a_state_is_sent_within_the_window(operator: Operator, original: Original) -> None:
    open_id = original.pair(stateless=True)

    report = moved(operator, original)

    assert report["fates"] == {"NEW": 1}
    assert here(operator, open_id).wake_at == NOON


def test_a_state_without_its_pair_is_left_out_and_named(operator: Operator, original: Original) -> None:
    original.state("-1009000000001", "-1009000000002")

    report = moved(operator, original)

    assert report["fates"] == {"ORPHANED_STATE": 1}
    assert list(operator.workspace.store.all_pairs()) == []


def test_a_pair_whose_closed_channel_was_changed_is_both(operator: Operator, original: Original) -> None:
    open_id = original.pair(stateless=True)
    original.state(str(open_id), "-1009000000002", next_send_time=LONG_AGO)

    report = moved(operator, original)

    assert report["fates"] == {"ORPHANED_STATE": 1, "NEW": 1}
    assert here(operator, open_id).is_active


@pytest.mark.parametrize("title", [None, "", "   "])
def test_a_missing_title_is_mended_and_named(operator: Operator, original: Original, title: str | None) -> None:
    open_id = original.pair(open_channel_title=title, closed_channel_title=title, open_channel_description=None)

    report = moved(operator, original)

    assert report["fates"] == {"TITLE_MENDED": 2, "KEPT": 1}
    assert here(operator, open_id).open_channel_title == "Our channel"
    assert here(operator, open_id).open_channel_description == ""


def test_a_row_that_cannot_be_used_is_named_and_the_others_come_over(operator: Operator, original: Original) -> None:
    original.pair(open_channel_id="1001000000000")
    good = original.pair()

    report = moved(operator, original, code=1)

    wrong = [row for row in report["rows"] if row["fate"] == "REJECTED"]
    assert {row["open_channel_id"] for row in wrong} == {"1001000000000"}
    assert "main_clients_database, open_channel_id: 1001000000000 is positive" in wrong[0]["detail"]
    assert here(operator, good).is_active


def test_two_rows_that_disagree_about_the_owner_are_rejected(operator: Operator, original: Original) -> None:
    other = "980d37eb-e3c7-51da-8456-b67c003dd836"
    original.connection.execute("INSERT INTO registered_users VALUES (%s)", [other])
    original.pair({"client_id": other})

    assert moved(operator, original, code=1)["new"] == 0


def test_what_is_overdue_is_spread_over_the_window(operator: Operator, original: Original) -> None:
    for _ in range(10):
        original.pair({"next_send_time": LONG_AGO})
    on_time = original.pair()

    moved(operator, original, "--spread", "5")

    pairs = [s.record for s in operator.workspace.store.all_pairs()]
    times = sorted(p.wake_at for p in pairs if p.wake_at is not None and p.open_channel_id != on_time)
    assert times == [NOON + timedelta(minutes=30) * place for place in range(10)]
    assert here(operator, on_time).wake_at == NOON + timedelta(hours=3)


def test_again_nothing_changes_also_later(operator: Operator, original: Original) -> None:
    for state in ({"next_send_time": LONG_AGO}, {"is_active": False}, {}, {"consecutive_failures": 5}):
        original.pair(state)
    original.pair(stateless=True)
    moved(operator, original)
    before = [s.record for s in operator.workspace.store.all_pairs()]
    operator.workspace.clock.advance(3600)

    report = moved(operator, original)

    assert (report["new"], report["refreshed"], report["updated"], report["unchanged"]) == (0, 0, 0, 5)
    assert [s.record for s in operator.workspace.store.all_pairs()] == before


def test_until_a_pair_is_sent_here_it_follows_the_original(operator: Operator, original: Original) -> None:
    original.has_message_columns()
    open_id = original.pair({"next_send_time": LONG_AGO})
    moved(operator, original)
    later = NOON + timedelta(hours=23)
    original.set("broadcast_manager", open_id, next_send_time=later, total_broadcasts=8, last_open_message_id=77)

    report = moved(operator, original)

    pair = here(operator, open_id)
    assert report["refreshed"] == 1
    assert (pair.next_send_time, pair.total_broadcasts) == (later, 8)
    assert pair.open_live is not None


def test_once_it_was_sent_here_only_its_texts_follow(operator: Operator, original: Original) -> None:
    from tests.runs import claimed, sent

    open_id = original.pair({"next_send_time": LONG_AGO})
    moved(operator, original)
    stored = operator.workspace.store.get(PAIRS, here(operator, open_id).id)
    assert stored is not None
    done = sent(claimed(stored.record))
    operator.workspace.store.replace(PAIRS, stored, done)
    original.set("broadcast_manager", open_id, total_broadcasts=99)
    original.set("main_clients_database", open_id, open_channel_title="Pier")

    report = moved(operator, original)

    pair = here(operator, open_id)
    assert (report["refreshed"], report["updated"]) == (0, 1)
    assert (pair.open_channel_title, pair.total_broadcasts) == ("Pier", 1)
    assert pair.last_broadcast == done.last_broadcast


def test_a_run_that_was_cut_off_is_gone_on_with(
    operator: Operator, original: Original, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared.store import StoreUnavailable

    for _ in range(5):
        original.pair()
    create = operator.workspace.store.create
    made: list[None] = []

    def breaks(*arguments: Any) -> None:
        if len(made) == 3:
            raise StoreUnavailable("gone")
        create(*arguments)
        made.append(None)

    with monkeypatch.context() as patched:
        patched.setattr(operator.workspace.store, "create", breaks)
        operator.run("migrate", "--from", original.url, "--write", status=1)

    report = moved(operator, original)

    assert (report["new"], report["unchanged"]) == (2, 3)


def test_the_original_is_only_read(operator: Operator, original: Original) -> None:
    original.pair({"next_send_time": LONG_AGO})
    before = original.rows("SELECT * FROM broadcast_manager"), original.rows("SELECT * FROM main_clients_database")

    moved(operator, original)

    assert before == (
        original.rows("SELECT * FROM broadcast_manager"),
        original.rows("SELECT * FROM main_clients_database"),
    )


def test_every_rows_fate_is_in_the_report(operator: Operator, original: Original, tmp_path: Path) -> None:
    original.pair({"next_send_time": LONG_AGO})
    report = tmp_path / "report.json"

    operator.run("migrate", "--from", original.url, "--report", str(report))

    document = json.loads(report.read_text())
    assert document["written"] is False
    assert [row["fate"] for row in document["rows"]] == ["OVERDUE"]


def test_a_database_that_is_not_there_is_said_without_its_password(operator: Operator) -> None:
    result = operator.run("migrate", "--from", "postgresql://reader:s3cret@/nowhere?host=/nonexistent", status=2)

    assert "cannot be read" in result.output
    assert "s3cret" not in result.output


def test_twenty_thousand_pairs_come_over_in_bounded_memory(operator: Operator, original: Original) -> None:
    original.connection.execute(
        """INSERT INTO main_clients_database (open_channel_id, open_channel_title, closed_channel_id, closed_channel_title,
               closed_channel_donation_message, sub_1_price, sub_1_time, client_wallet_address, client_payout_currency, client_id)
           SELECT (-1001000100000 - n)::text, 'Harbor ' || n, (-1002000100000 - n)::text, 'Pier ' || n, 'Thank you, crew.',
               5, 30, '0x00', 'usdt', registered_users.user_id FROM generate_series(1, 20000) AS n, registered_users"""
    )
    original.connection.execute(
        """INSERT INTO broadcast_manager (client_id, open_channel_id, closed_channel_id, next_send_time)
           SELECT client_id, open_channel_id, closed_channel_id, '2020-01-01Z' FROM main_clients_database"""
    )
    tracemalloc.start()

    report = moved(operator, original)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (report["new"], report["fates"]) == (20_000, {"OVERDUE": 20_000})
    assert peak < 600 * 2**20


class Moving(ManualClock):
    """Time passes while a command works."""

    def now(self) -> datetime:
        self.advance(0.01)
        return super().now()


def test_time_that_passes_meanwhile_changes_neither_the_spread_nor_a_repetition(
    operator: Operator, original: Original
) -> None:
    operator.workspace.clock = Moving()
    for _ in range(4):
        original.pair({"next_send_time": LONG_AGO})
    moved(operator, original, "--spread", "4")
    times = sorted(s.record.wake_at for s in operator.workspace.store.all_pairs() if s.record.wake_at is not None)
    assert [later - earlier for earlier, later in pairwise(times)] == [timedelta(hours=1)] * 3

    report = moved(operator, original, "--spread", "4")

    assert (report["refreshed"], report["unchanged"]) == (0, 4)


def test_a_counter_alone_is_reason_enough_to_follow_the_original(operator: Operator, original: Original) -> None:
    open_id = original.pair()
    moved(operator, original)
    original.set("broadcast_manager", open_id, total_broadcasts=8)

    moved(operator, original)

    assert here(operator, open_id).total_broadcasts == 8
