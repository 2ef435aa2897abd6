"""`broadcastctl verify`: each thing that can be wrong is found, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest

from infra.telegram_simulator.server import SimulatorServer
from infra.telegram_simulator.simulator import Simulator
from shared.pair import Pair, Schedule, replace
from shared.settings import Settings
from shared.store import PAIRS
from tests.clocks import NOON, ManualClock
from tests.functions.world import TOKEN
from tests.migration.conftest import Original
from tests.operator.conftest import Operator
from tests.pairs import OUTSIDER, a_pair
from tests.runs import OPEN, claimed, started

WELL = a_pair(next_send_time=NOON + timedelta(hours=3))


def kinds(operator: Operator, *arguments: str, status: int = 1) -> dict[str, int]:
    found: dict[str, int] = operator.json("verify", *arguments, status=status)["kinds"]
    return found


def carried_over(operator: Operator, original: Original, count: int = 2) -> list[Pair]:
    for _ in range(count):
        original.pair()
    operator.run("migrate", "--from", original.url, "--write")
    return [stored.record for stored in operator.workspace.store.all_pairs()]


def changed(operator: Operator, pair: Pair, **changes: Any) -> None:
    stored = operator.workspace.store.get(PAIRS, pair.id)
    assert stored is not None
    operator.workspace.store.replace(PAIRS, stored, replace(stored.record, **changes))


def test_what_was_carried_over_is_right(operator: Operator, original: Original) -> None:
    carried_over(operator, original)

    assert "nothing is wrong" in operator.run("verify", "--from", original.url).output


def test_a_pair_that_is_not_here_is_missing(operator: Operator, original: Original) -> None:
    carried_over(operator, original)
    original.pair()

    assert kinds(operator, "--from", original.url) == {"missing": 1}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"open_channel_title": "Another"}, "texts"),
        ({"client_id": OUTSIDER}, "owner"),
        ({"closed_channel_id": -1009999999999}, "partner"),
    ],
)
def test_a_pair_that_differs_is_found(
    operator: Operator, original: Original, changes: dict[str, Any], kind: str
) -> None:
    pair, _ = carried_over(operator, original)
    changed(operator, pair, **changes)

    assert kinds(operator, "--from", original.url) == {kind: 1}


def test_a_pair_with_another_id_is_found(operator: Operator, original: Original) -> None:
    open_id = original.pair()
    operator.keep(
        a_pair(
            open_channel_id=open_id,
            closed_channel_id=-1002000000001,
            open_channel_description='Notes, from the "quay"',
            closed_channel_description="",
        )
    )

    assert kinds(operator, "--from", original.url) == {"id": 1}


@pytest.mark.parametrize(
    ("pair", "kind"),
    [
        (a_pair(next_send_time=None), "never"),
        (a_pair(next_send_time=NOON - timedelta(minutes=16)), "late"),
        (a_pair(next_send_time=NOON + timedelta(hours=25)), "far"),
        (a_pair(next_send_time=NOON + timedelta(hours=3), schedule=Schedule(interval_hours=2)), "far"),
        (a_pair(next_send_time=NOON + timedelta(hours=3), schedule=Schedule(cron="0 0 31 2 *")), "schedule"),
        (a_pair(next_send_time=NOON + timedelta(hours=3), total_broadcasts=1, successful_broadcasts=2), "counters"),
        (started(claimed(a_pair()), OPEN), "stuck"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_pair_that_contradicts_itself_is_found(operator: Operator, pair: Pair, kind: str) -> None:
    operator.keep(pair)
    if kind == "stuck":
        operator.workspace.clock.advance(3600)

    assert kinds(operator) == {kind: 1}


@pytest.mark.parametrize(
    "pair",
    [
        WELL,
        a_pair(next_send_time=NOON - timedelta(minutes=14)),
        a_pair(next_send_time=None, is_active=False),
        a_pair(next_send_time=NOON + timedelta(days=9), schedule=Schedule(cron="0 9 10 6 *")),
        a_pair(next_send_time=NOON + timedelta(hours=47), schedule=Schedule(interval_hours=48)),
        a_pair(next_send_time=None, is_active=False, ended_at=NOON),
    ],
)
def test_a_pair_that_is_well_is_not_found(operator: Operator, pair: Pair) -> None:
    operator.keep(pair)

    assert kinds(operator, status=0) == {}


def test_a_channel_that_two_pairs_use_is_found(operator: Operator) -> None:
    operator.keep(WELL, a_pair(2, next_send_time=WELL.next_send_time, closed_channel_id=WELL.closed_channel_id))

    assert kinds(operator) == {"twice": 1}


def test_what_the_bot_may_not_do_is_found(operator: Operator) -> None:
    simulator = Simulator(ManualClock(), token=TOKEN)
    simulator.add_channel(WELL.open_chat_id, "Harbor")
    simulator.add_channel(WELL.closed_chat_id, "Harbor+", can_post=False)
    operator.keep(WELL)
    with SimulatorServer(simulator) as server:
        environ = {"BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": server.url, "TELEGRAM_RATE": "1000"}
        operator.workspace.settings = Settings(environ)

        document = operator.json("verify", "--rights", status=1)

    assert document["kinds"] == {"rights": 1}
    assert "give it the right to post" in document["problems"][0]["sentence"]


def test_without_a_token_the_rights_cannot_be_looked_at(operator: Operator) -> None:
    operator.keep(WELL)

    assert "BOT_TOKEN is not set" in operator.run("verify", "--rights", status=1).output
