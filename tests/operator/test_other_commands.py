"""`broadcastctl status|tick|history|token`, and what every command has in common."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner
from jwt.warnings import InsecureKeyLengthWarning

from infra.embedded.workspace import WorkspaceError
from infra.operator.cli import main
from shared.access import Verifier
from shared.events import TickEvent
from shared.pace import PACE_ID, Gate, GateReason, Pace, TickInCharge
from shared.pair import Cause, Delivery, DeliveryState, Pair, Run, replace
from shared.runs import claim, history_entry
from shared.settings import SettingError, Settings
from shared.store import HISTORY, PACE
from tests.clocks import NOON, ManualClock
from tests.operator.conftest import SECRET, Operator
from tests.pairs import OWNER, a_pair

LONG_AGO = NOON - timedelta(days=30)


def a_run(number: int, open_: DeliveryState, closed: DeliveryState, **changes: Any) -> Run:
    """A finished run, begun `number` hours before noon."""
    begun = NOON - timedelta(hours=number)

    def delivery(state: DeliveryState, chat: int) -> Delivery:
        sent = {"message_id": 70 + number, "sent_at": begun} if state is DeliveryState.SENT else {"error": "timed out"}
        return Delivery(state=state, chat=chat, **sent)

    fields: dict[str, Any] = {"run_id": f"run-{number}", "cause": Cause.SCHEDULE, "due_at": begun, "claimed_at": begun}
    return Run(
        **{**fields, "open": delivery(open_, -1), "closed": delivery(closed, -2), "finished_at": begun, **changes}
    )


def running(pair: Pair, operator: Operator) -> Pair:
    claimed = claim(pair, now=NOON - timedelta(seconds=30), run_id="r9", policy=operator.workspace.policy).record
    assert claimed is not None
    return claimed


SENT, UNCONFIRMED = DeliveryState.SENT, DeliveryState.UNCONFIRMED


def a_day(operator: Operator) -> None:
    """Something of everything."""
    later = NOON + timedelta(hours=2)
    operator.keep(
        a_pair(1, next_send_time=NOON - timedelta(minutes=5)),
        a_pair(2, next_send_time=NOON - timedelta(minutes=1)),
        a_pair(3, next_send_time=later),
        a_pair(4, next_send_time=later + timedelta(hours=1), last_broadcast=a_run(1, SENT, UNCONFIRMED)),
        a_pair(5, is_active=False, pause_reason="Forbidden: bot was kicked", paused_at=NOON - timedelta(days=1)),
        running(a_pair(6, next_send_time=NOON - timedelta(minutes=2)), operator),
        a_pair(7, next_send_time=later + timedelta(days=1), last_error_message="chat not found", last_error_time=NOON),
    )


def test_status_tells_what_is_due_in_flight_and_broken_and_why(operator: Operator) -> None:
    a_day(operator)

    text = operator.run("status").stdout

    assert "Due now    2, the oldest since 2026-06-01 11:55:00 UTC (5 min ago)" in text
    assert "In flight  1" in text
    assert "Next due   2026-06-01 14:00:00 UTC (in 2 h): Harbor 3" in text
    assert "Harbor 4  1 h ago  Closed channel: timed out" in text
    assert "Harbor 5  1 day ago  Forbidden: bot was kicked" in text
    assert "Harbor 6  30 s ago  schedule: open queued, closed queued" in text
    assert "Harbor 7  now    chat not found" in text
    assert "Gate       open" in text


def test_a_pair_whose_time_is_now_is_due(operator: Operator) -> None:
    operator.keep(a_pair(1, next_send_time=NOON))

    assert operator.json("status")["due"] == {"count": 1, "oldest": "2026-06-01T12:00:00Z"}


def test_status_as_json_is_one_document(operator: Operator) -> None:
    a_day(operator)

    found = operator.json("status")

    assert found["pairs"] == 7
    assert found["states"] == {"scheduled": 4, "unconfirmed": 1, "paused": 1, "queued": 1}
    assert found["due"] == {"count": 2, "oldest": "2026-06-01T11:55:00Z"}
    assert found["next_due"]["title"] == "Harbor 3"
    assert [line["title"] for line in found["running"]] == ["Harbor 6"]
    assert [line["why"] for line in found["paused"]] == ["Forbidden: bot was kicked"]
    assert [line["title"] for line in found["unconfirmed"]] == ["Harbor 4"]
    assert [line["title"] for line in found["errors"]] == ["Harbor 7"]
    assert (found["gate"], found["pace"]) == (None, None)


def test_status_of_an_empty_store_says_what_to_do_and_leaves_no_trace(operator: Operator) -> None:
    text = operator.run("status").stdout

    assert "broadcastctl pairs import" in text
    assert "Paused" not in text
    assert operator.workspace.store.writes == 0


def test_status_says_whether_a_service_runs(operator: Operator) -> None:
    assert "Service    running" in operator.run("status").stdout

    operator.workspace.service_running = False

    assert "not running; start it with: make run" in operator.run("status").stdout


@pytest.mark.parametrize("reason", GateReason)
def test_status_tells_why_the_gate_is_closed_and_how_the_pace_stands(operator: Operator, reason: GateReason) -> None:
    gate = Gate(
        reason=reason,
        since=NOON - timedelta(minutes=2),
        blocked_until=NOON + timedelta(seconds=20),
        block_seconds=30,
        detail="Too Many Requests: retry after 30",
    )
    tick = TickInCharge(published_at=NOON - timedelta(seconds=40), event_id="e1")
    operator.workspace.store.create(PACE, PACE_ID, Pace(next_slot=NOON + timedelta(seconds=1), tick=tick, gate=gate))

    text = operator.run("status").stdout

    assert f"closed for 2 min, {reason.value}: Too Many Requests: retry after 30; next probe" in text
    assert "(in 20 s)" in text
    assert "last busy tick 40 s ago" in text
    assert operator.json("status")["gate"]["reason"] == reason.value


def test_status_lists_ten_of_many_and_counts_the_rest(operator: Operator) -> None:
    operator.keep(*(a_pair(n, is_active=False, pause_reason="kicked") for n in range(1, 15)))

    text = operator.run("status").stdout

    assert text.count("kicked") == 10
    assert "… and 4 more pairs" in text
    assert len(operator.json("status")["paused"]) == 14


def test_tick_publishes_one(operator: Operator) -> None:
    operator.run("tick")

    assert operator.workspace.bus.published == [TickEvent()]


def test_tick_without_a_service_says_how_to_start_one(operator: Operator) -> None:
    operator.workspace.service_running = False

    result = operator.run("tick", status=1)

    assert "no service is running on DATA_DIR (memory); start it with make run" in result.stderr
    assert operator.workspace.bus.published == []


def test_history_has_the_current_run_the_last_one_and_the_older_ones_newest_first(operator: Operator) -> None:
    last = a_run(1, SENT, UNCONFIRMED)
    pair = a_pair(1, last_broadcast=last, created_at=LONG_AGO)
    operator.keep(pair)
    for run in (
        replace(last, closed=last.open),
        a_run(2, SENT, SENT, retry=1, cause=Cause.RETRY),
        a_run(3, SENT, SENT),
    ):
        operator.workspace.store.create(HISTORY, run.run_id, history_entry(pair.id, run))

    text = operator.run("history", pair.id).stdout
    found = operator.json("history", pair.id)["broadcasts"]

    assert [run["run_id"] for run in found] == ["run-1", "run-2", "run-3"]
    assert found[0]["closed"]["state"] == "unconfirmed"
    assert "retry 1" in text
    assert "sent #73" in text
    assert "closed channel: timed out" in text


def test_history_has_the_run_that_is_under_way(operator: Operator) -> None:
    pair = running(a_pair(1, next_send_time=NOON - timedelta(hours=1)), operator)
    operator.keep(pair)

    assert "under way" in operator.run("history", pair.id).stdout


def test_history_can_be_limited(operator: Operator) -> None:
    pair = a_pair(1, last_broadcast=a_run(1, SENT, SENT), created_at=LONG_AGO)
    operator.keep(pair)
    for number in (2, 3):
        operator.workspace.store.create(HISTORY, f"run-{number}", history_entry(pair.id, a_run(number, SENT, SENT)))

    assert [r["run_id"] for r in operator.json("history", pair.id, "--limit", "2")["broadcasts"]] == ["run-1", "run-2"]


def test_history_of_a_new_pair_is_empty(operator: Operator) -> None:
    operator.keep(a_pair(1))

    assert "No broadcast yet." in operator.run("history", "-1001000000001").stdout


def test_token_prints_just_a_token_that_the_api_accepts(operator: Operator) -> None:
    operator.workspace.clock = ManualClock(datetime.now(UTC))
    operator.keep(a_pair(1))

    result = operator.run("token", "--client", OWNER, "--minutes", "30")

    token = result.stdout.strip()
    assert Verifier(secrets=[SECRET]).client_of({"Authorization": f"Bearer {token}"}) == OWNER
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["type"], claims["fresh"]) == (OWNER, "access", False)
    assert claims["exp"] - claims["iat"] == 30 * 60
    assert claims["nbf"] == claims["iat"]
    assert claims["jti"]
    assert "username" not in claims
    assert "1 pair" in result.stderr


def test_token_carries_the_audience_and_issuer_that_are_demanded(operator: Operator) -> None:
    operator.workspace.settings = Settings({"JWT_AUDIENCE": "broadcasts", "JWT_ISSUER": "website"})

    token = operator.run("token", "--client", OWNER).stdout.strip()

    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["aud"], claims["iss"]) == ("broadcasts", "website")


def test_two_tokens_differ(operator: Operator) -> None:
    assert operator.run("token", "--client", OWNER).stdout != operator.run("token", "--client", OWNER).stdout


def test_a_short_secret_is_pointed_out_and_never_shown(operator: Operator) -> None:
    operator.workspace.jwt_secret = "short-one"

    with pytest.warns(InsecureKeyLengthWarning):
        result = operator.run("token", "--client", OWNER)

    assert "shorter than 32 bytes" in result.stderr
    assert "short-one" not in result.output


@pytest.mark.parametrize("arguments", [["--client", "42"], [], ["--client", OWNER, "--minutes", "0"]])
def test_token_needs_a_client_and_some_minutes(operator: Operator, arguments: list[str]) -> None:
    operator.run("token", *arguments, status=2)


def test_token_without_a_secret_names_the_setting(operator: Operator) -> None:
    operator.workspace.jwt_secret = " "

    assert "JWT_SECRET_KEY is not set" in operator.run("token", "--client", OWNER, status=2).stderr


@pytest.mark.parametrize("error", [SettingError("PORT: 'x' is wrong."), WorkspaceError("DATA_DIR is not there.")])
def test_a_workspace_that_cannot_be_opened_is_one_sentence_with_exit_code_2(
    operator: Operator, error: Exception
) -> None:
    def refuse() -> None:
        raise error

    operator.open = refuse

    assert operator.run("status", status=2).stderr == f"Error: {error}\n"


@pytest.mark.parametrize(
    "command",
    [
        "",
        "pairs",
        "pairs import",
        "pairs list",
        "pairs show",
        "pairs pause",
        "pairs resume",
        "status",
        "tick",
        "history",
        "token",
    ],
)
def test_every_command_explains_itself_without_a_workspace(operator: Operator, command: str) -> None:
    operator.open = lambda: pytest.fail("the workspace was opened")

    assert "Usage:" in operator.run(*command.split(), "--help").stdout


def test_the_console_script_is_this_command() -> None:
    from importlib.metadata import entry_points

    scripts = [entry for entry in entry_points(group="console_scripts") if entry.name == "broadcastctl"]
    assert [entry.load() for entry in scripts] == [main]


def test_a_database_that_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broadcast.db").write_bytes(b"this is no database" * 100)

    result = CliRunner().invoke(main, ["status"], env={"DATA_DIR": str(tmp_path)})

    assert result.exit_code == 1
    assert "broadcast.db is no database" in result.stderr
