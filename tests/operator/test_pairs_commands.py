"""`broadcastctl pairs list|show|pause|resume`, and how a pair is named."""

from datetime import timedelta

import pytest

from shared.pair import DeliveryState, PairState, new_pair_id, replace
from shared.runs import claim
from tests.clocks import NOON
from tests.operator.conftest import Operator
from tests.pairs import OUTSIDER, OWNER, a_pair

HEX = "abcdef00-0000-4000-8000-00000000000"


def test_a_list_has_state_next_and_last_time(operator: Operator) -> None:
    operator.keep(
        a_pair(1, next_send_time=NOON + timedelta(hours=3), last_sent_time=NOON - timedelta(hours=21)),
        a_pair(2),
        a_pair(3, is_active=False),
    )

    lines = operator.run("pairs", "list").stdout.splitlines()

    assert lines[0].split() == ["ID", "OPEN", "CHANNEL", "TITLE", "STATE", "NEXT", "LAST", "SENT"]
    rows = {line.split("  ")[2].strip(): line for line in lines[1:-1]}
    assert rows["Harbor 1"].endswith("Harbor 1  scheduled  in 3 h   21 h ago")
    assert rows["Harbor 2"].endswith("Harbor 2  scheduled  due now  –")
    assert rows["Harbor 3"].endswith("Harbor 3  paused     –        –")
    assert lines[-1] == "3 pairs."


def test_a_list_can_be_of_one_client_only(operator: Operator) -> None:
    operator.keep(a_pair(1), a_pair(2, client_id=OUTSIDER))

    found = operator.json("pairs", "list", "--client", OUTSIDER.upper())

    assert (found["count"], [p["client_id"] for p in found["pairs"]]) == (1, [OUTSIDER])


@pytest.mark.parametrize(
    ("state", "expected"), [("paused", {3}), ("scheduled", {1, 2}), ("due", {2}), ("failed", set())]
)
def test_a_list_can_be_of_one_state_only(operator: Operator, state: str, expected: set[int]) -> None:
    operator.keep(a_pair(1, next_send_time=NOON + timedelta(hours=1)), a_pair(2), a_pair(3, is_active=False))

    found = operator.json("pairs", "list", "--state", state)

    assert {p["open_channel_id"] for p in found["pairs"]} == {str(-1001000000000 - n) for n in expected}


def test_every_state_can_be_asked_for(operator: Operator) -> None:
    for state in PairState:
        operator.run("pairs", "list", "--state", state.value.replace(" ", "-"))
    operator.run("pairs", "list", "--state", "broken", status=2)


def test_an_empty_list_says_what_to_do(operator: Operator) -> None:
    assert "broadcastctl pairs import" in operator.run("pairs", "list").stdout
    assert operator.run("pairs", "list", "--state", "due").stdout == "No such pairs.\n"


def test_a_client_that_is_no_uuid_is_wrong_usage(operator: Operator) -> None:
    assert "not a UUID" in operator.run("pairs", "list", "--client", "42", status=2).stderr


def test_show_tells_everything_about_a_pair(operator: Operator) -> None:
    operator.keep(a_pair(1, last_error_message="Forbidden", last_error_time=NOON - timedelta(minutes=5)))

    text = operator.run("pairs", "show", "-1001000000001").stdout

    for words in (
        new_pair_id(-1001000000001),
        OWNER,
        "Harbor 1 (-1001000000001)",
        "$5.00 for 30 days",
        "every 24 h (default)",
    ):
        assert words in text
    assert "Next broadcast     2026-06-01 12:00:00 UTC (now)" in text
    assert "Forbidden – 2026-06-01 11:55:00 UTC (5 min ago)" in text
    assert text.endswith("No broadcast yet.\n")


def test_show_tells_what_became_of_the_last_broadcast(operator: Operator) -> None:
    run = claim(a_pair(1), now=NOON, run_id="r1", policy=operator.workspace.policy).record
    assert run is not None
    assert run.run is not None
    refused = replace(run.run.closed, state=DeliveryState.FAILED, until=None, error="Forbidden: bot was kicked")
    sent = replace(run.run.open, state=DeliveryState.SENT, until=None, message_id=77, sent_at=NOON)
    operator.keep(replace(run, run=None, last_broadcast=replace(run.run, open=sent, closed=refused, finished_at=NOON)))

    text = operator.run("pairs", "show", "-1001000000001").stdout

    assert "sent #77" in text
    assert "closed channel: Forbidden: bot was kicked" in text


def test_show_as_json_is_what_the_api_shows(operator: Operator) -> None:
    pair = a_pair(1)
    operator.keep(pair)

    found = operator.json("pairs", "show", pair.id)

    assert (found["broadcast_id"], found["client_id"], found["state"]) == (pair.id, OWNER, "scheduled")
    assert found["wake_at"] == "2026-06-01T12:00:00Z"
    assert "success" not in found


@pytest.mark.parametrize("id", [HEX + "1", (HEX + "1").upper(), "abcdef00", "-1001000000001"])
def test_a_pair_is_found_by_its_id_the_beginning_of_it_or_its_open_channel(operator: Operator, id: str) -> None:
    operator.keep(a_pair(1, id=HEX + "1"), a_pair(2, id="abcdef01-0000-4000-8000-000000000002"))

    assert operator.json("pairs", "show", id)["id"] == HEX + "1"


def test_a_beginning_of_several_ids_is_not_enough(operator: Operator) -> None:
    operator.keep(a_pair(1, id=HEX + "1"), a_pair(2, id=HEX + "2"))

    stderr = operator.run("pairs", "show", "abcdef", status=1).stderr

    assert f"2 pairs have ids that begin with abcdef: {HEX}1, {HEX}2" in stderr


@pytest.mark.parametrize("id", ["ffffff", HEX + "9", "-1001000000009"])
@pytest.mark.parametrize("command", [["pairs", "show"], ["pairs", "pause"], ["pairs", "resume"], ["history"]])
def test_a_pair_that_is_not_there_is_exit_code_1(operator: Operator, command: list[str], id: str) -> None:
    operator.keep(a_pair(1, id=HEX + "1"))

    assert "there is no pair" in operator.run(*command, id, status=1).stderr


def test_a_closed_channel_s_id_says_which_pair_it_belongs_to(operator: Operator) -> None:
    operator.keep(a_pair(1))

    stderr = operator.run("pairs", "show", "-1002000000001", status=1).stderr

    assert "closed channel of pair" in stderr
    assert "-1001000000001" in stderr


@pytest.mark.parametrize("id", ["abcde", "harbor", "@harbor", "--jsno", "-x", "%", ""])
def test_what_is_no_id_at_all_is_wrong_usage(operator: Operator, id: str) -> None:
    operator.run("pairs", "show", id, status=2)


def test_pause_stops_a_pair_with_a_reason(operator: Operator) -> None:
    pair = a_pair(1)
    operator.keep(pair)

    result = operator.run("pairs", "pause", "-1001000000001", "--reason", "owner asked")

    assert "is paused" in result.stdout
    assert (operator.stored(pair).is_active, operator.stored(pair).pause_reason) == (False, "owner asked")


def test_pause_of_a_paused_pair_keeps_its_reason(operator: Operator) -> None:
    pair = a_pair(1, is_active=False, pause_reason="kicked")
    operator.keep(pair)

    assert "was paused already: kicked" in operator.run("pairs", "pause", pair.id, "--reason", "other").stdout
    assert operator.stored(pair).pause_reason == "kicked"


def test_resume_makes_a_pair_active_and_due_again(operator: Operator) -> None:
    pair = a_pair(1, is_active=False, pause_reason="kicked", consecutive_failures=5, next_send_time=NOON - timedelta(1))
    operator.keep(pair)

    result = operator.run("pairs", "resume", pair.id)

    assert "is active again; next: 2026-06-01 12:00:00 UTC (now)" in result.stdout
    assert (operator.stored(pair).is_active, operator.stored(pair).consecutive_failures) == (True, 0)


def test_resume_of_an_active_pair_says_so(operator: Operator) -> None:
    operator.keep(a_pair(1))

    assert "was active already" in operator.run("pairs", "resume", "-1001000000001").stdout


def test_an_ended_pair_cannot_be_resumed(operator: Operator) -> None:
    pair = a_pair(1, is_active=False, ended_at=NOON)
    operator.keep(pair)

    assert "cannot be resumed" in operator.run("pairs", "resume", pair.id, status=1).stderr
    assert not operator.stored(pair).is_active


@pytest.mark.parametrize(("command", "active"), [("pause", False), ("resume", True)])
def test_pause_and_resume_answer_with_the_pair_as_json(operator: Operator, command: str, active: bool) -> None:
    operator.keep(a_pair(1))

    assert operator.json("pairs", command, "-1001000000001")["is_active"] is active
