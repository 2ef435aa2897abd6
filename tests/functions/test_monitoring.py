"""What monitoring looks for is what the functions really log: each metric and each saved query against lines they wrote."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.send.outcomes import report
from functions.tick import handler as tick_handler
from infra.embedded.event_queue import Taken
from infra.telegram_simulator.scripting import Script
from shared.events import MessageEvent, Topic
from shared.logs import JsonFormatter
from shared.pair import Cause, Channel
from shared.store import Collection, Stored, StoreUnavailable
from shared.telegram import NotDelivered
from tests.clocks import NOON
from tests.contract.faulty_store import WrappedStore
from tests.functions.tokens import bearer
from tests.functions.world import World, make_world
from tests.pairs import OWNER, a_pair

ROOT = Path(__file__).parents[2]
METRICS: Mapping[str, Any] = json.loads((ROOT / "infra" / "terraform" / "metrics.json").read_text(encoding="utf-8"))
QUERIES = re.findall(
    r"## (.*?)\n\n```\n(.*?)```", (ROOT / "docs" / "log-queries.md").read_text(encoding="utf-8"), re.DOTALL
)
CONDITION = re.compile(r'(jsonPayload\.\w+|severity)(>=|=)(?:"([^"]*)"|\(([^)]*)\)|([A-Z]+))')
SEVERITIES = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class Lines(logging.Handler):
    """Keeps what Cloud Logging would be given."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self.kept: list[Mapping[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.kept.append(json.loads(self.format(record)))


def field(line: Mapping[str, Any], path: str) -> Any:
    """The value a path such as jsonPayload.event names; what is not special in a line becomes its jsonPayload."""
    return line.get(path.removeprefix("jsonPayload."))


def matches(query: str, line: Mapping[str, Any]) -> bool:
    """Whether the query's conditions on the line itself hold; those on the resource are Cloud Run's to fill."""
    for path, operator, one, several, bare in CONDITION.findall(query):
        value = field(line, path)
        if operator == ">=":
            if SEVERITIES.index(value) < SEVERITIES.index(bare):
                return False
        elif value not in (re.findall(r'"([^"]*)"', several) or [one]):
            return False
    return True


# --- scenes: each makes the functions log what happens then ------------------------------------------------------------


def a_day(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    world.tick()


def a_refusal(world: World) -> None:
    world.simulator.script(Script(effect="answer", method="sendMessage", status=403, description="Forbidden: kicked"))
    a_day(world)


def an_unknown_outcome(world: World) -> None:
    world.simulator.script(Script(effect="drop_before", method="sendMessage"))
    a_day(world)


def a_throttling(world: World) -> None:
    world.simulator.script(
        Script(effect="answer", method="sendMessage", status=429, parameters={"retry_after": 400}, times=None)
    )
    a_day(world)
    world.add(a_pair(2))
    world.tick()


def a_revoked_token(world: World) -> None:
    world.simulator.script(Script(effect="answer", status=401, description="Unauthorized", times=None))
    a_day(world)


def refusals_everywhere(world: World) -> None:
    world.simulator.script(
        Script(effect="answer", method="sendMessage", status=400, description="Bad Request: have no rights", times=None)
    )
    world.add(*(a_pair(number) for number in range(1, 6)))
    world.tick()
    world.clock.advance(310)
    world.tick()


def texts_that_cannot_be_sent(world: World) -> None:
    world.add(a_pair(sub_1_price=None))
    world.tick()


def two_presses(world: World) -> None:
    pair = a_pair(77, next_send_time=NOON + timedelta(days=1))
    world.add(pair)
    for _ in range(2):
        world.api().post("/api/broadcast/trigger", json={"broadcast_id": pair.id}, headers=bearer(OWNER))
        world.run()


def a_press_on_a_paused_pair(world: World) -> None:
    pair = a_pair(78, is_active=False)
    world.add(pair)
    world.api().post("/api/broadcast/trigger", json={"broadcast_id": pair.id}, headers=bearer(OWNER))


def no_connection(world: World) -> None:
    event = MessageEvent(pair_id="p", run_id="r", channel=Channel.OPEN, slot=world.clock.now())
    report(event, NotDelivered("refused"), title="Quay", attempt=1, cause=Cause.SCHEDULE, latency_seconds=1.0)


def nonsense(world: World) -> None:
    world.deliver(Taken("7", Topic.MESSAGES, b"nonsense", NOON, 1))


def too_much_in_flight(world: World) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tick_handler, "MOST_IN_FLIGHT_SECONDS", 0.0)
        world.add(*(a_pair(number) for number in range(1, 40)))
        taken = Taken("8", Topic.TICKS, b"{}", world.clock.now(), 1)
        world.deliver(taken)


def an_older_tick(world: World) -> None:
    a_day(world)
    world.deliver(Taken("9", Topic.TICKS, b"{}", NOON - timedelta(minutes=1), 1))


SCENES: list[Callable[[World], None]] = [
    a_day,
    a_refusal,
    an_unknown_outcome,
    a_throttling,
    a_revoked_token,
    refusals_everywhere,
    texts_that_cannot_be_sent,
    two_presses,
    a_press_on_a_paused_pair,
    no_connection,
    nonsense,
    too_much_in_flight,
    an_older_tick,
]


class LosesOutcomes(WrappedStore):
    """Takes no write that says a message was posted."""

    def replace(self, collection: Collection[Any], stored: Stored[Any], record: Any) -> Stored[Any]:
        run = getattr(record, "run", None) or getattr(record, "last_broadcast", None)
        if run is not None and any(run.delivery(channel).message_id for channel in Channel):
            raise StoreUnavailable("the store is down")
        return super().replace(collection, stored, record)


def _lines(scene: Callable[[World], None], **parts: Any) -> list[Mapping[str, Any]]:
    lines = Lines()
    root = logging.getLogger()
    level = root.level
    root.addHandler(lines)
    root.setLevel(logging.INFO)
    world, close = make_world(**parts)
    try:
        scene(world)
    finally:
        close()
        root.removeHandler(lines)
        root.setLevel(level)
    return lines.kept


@pytest.fixture(scope="module")
def written() -> list[Mapping[str, Any]]:
    """Every line of every scene."""
    found = [line for scene in SCENES for line in _lines(scene)]

    def lost(world: World) -> None:
        world.add(a_pair())
        with suppress(StoreUnavailable):
            world.queue.publish([])
            world.tick()

    found += _lines(lost, store=LosesOutcomes)
    return found


@pytest.mark.parametrize("name", METRICS)
def test_each_metric_finds_lines_that_have_its_labels_and_its_value(
    name: str, written: list[Mapping[str, Any]]
) -> None:
    metric = METRICS[name]

    found = [line for line in written if matches(metric["filter"], line)]

    assert found, f"no line is counted by {metric['filter']}"
    assert len(found) < len(written)
    for line in found:
        assert all(isinstance(field(line, path), str) for path in metric["labels"].values()), line
        assert isinstance(field(line, metric["value"]), float) if "value" in metric else True


def test_a_gate_that_is_closed_is_told_with_its_reason_whatever_it_is(written: list[Mapping[str, Any]]) -> None:
    query = METRICS["gate_closed"]["filter"]

    reasons = {line["reason"] for line in written if matches(query, line)}

    assert {"throttled", "refusals"} <= reasons


def test_every_event_in_a_filter_is_found_by_itself(written: list[Mapping[str, Any]]) -> None:
    logged = {line.get("event") for line in written}
    named = {name for metric in METRICS.values() for name in re.findall(r'"(\w+)"', metric["filter"])}

    assert named - logged <= {"tick_superseded", "tick_time_up"}


FOUND = {
    "Failed broadcasts": {"message_refused", "broadcast_unrenderable", "message_unconfirmed"},
    "Resend refused by its cooldown": {"trigger_refused"},
    "One broadcast, from its claim to its last message": {"broadcast_claimed", "message_sent"},
    "One pair's life": {"broadcast_claimed", "message_sent", "trigger_refused"},
    "Everything that is wrong": {"bot_unusable", "event_malformed", "settle_lost", "unavailable"},
}
"""The events each saved query is for, of those that the scenes bring about."""


def of_the_second_press(written: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The first line about the pair whose owner pressed twice."""
    pair_id = next(line for line in written if line.get("why") == "CoolingDown")["pair_id"]
    manual = [line for line in written if line.get("cause") == "manual" and line["pair_id"] == pair_id]
    return manual[0]


def wanted(query: str, line: Mapping[str, Any]) -> str:
    """The query for this line's broadcast or pair."""
    return query.replace("RUN_ID", line["run_id"]).replace("PAIR_ID", line["pair_id"])


def test_there_is_an_expectation_for_every_saved_query() -> None:
    assert {title for title, _ in QUERIES} == set(FOUND)


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[title for title, _ in QUERIES])
def test_each_saved_query_finds_what_its_title_says_and_nothing_else(
    title: str, query: str, written: list[Mapping[str, Any]]
) -> None:
    query = wanted(query, of_the_second_press(written))

    found = [line for line in written if matches(query, line)]

    assert {line["event"] for line in found if "event" in line} == FOUND[title]
    assert len(CONDITION.findall(query)) == query.count("jsonPayload.") + query.count("severity")
    if title == "Resend refused by its cooldown":
        assert {line["why"] for line in found} == {"CoolingDown"}
    if "RUN_ID" in query:
        assert {line["run_id"] for line in found} == {of_the_second_press(written)["run_id"]}


@pytest.mark.parametrize("query", [query for _, query in QUERIES], ids=[title for title, _ in QUERIES])
def test_each_saved_query_looks_at_the_functions_that_write_such_lines(
    query: str, written: list[Mapping[str, Any]]
) -> None:
    condition = re.search(r'resource\.labels\.service_name(=~|=)"([^"]+)"', query)
    assert condition is not None
    pattern = condition[2] if condition[1] == "=~" else f"^{condition[2]}$"
    query = wanted(query, of_the_second_press(written))
    loggers = {line["logger"] for line in written if matches(query, line)}
    writers = {logger.split(".")[1] for logger in loggers if logger.startswith("functions.")}
    if loggers & {"shared.actions", "shared.answering"}:
        writers |= {"trigger", "dashboard"}

    assert 'resource.type="cloud_run_revision"' in query
    assert writers
    assert all(re.search(pattern, f"broadcast-manager-{function}") for function in writers)


def test_a_tick_that_was_never_in_charge_is_no_sign_of_life(written: list[Mapping[str, Any]]) -> None:
    """Else a clock that ran ahead would keep every tick from its work, and nobody would be told."""
    assert any(line.get("event") == "tick_not_in_charge" for line in written)
    assert not matches(METRICS["ticks"]["filter"], {"event": "tick_not_in_charge"})
    for event in ("tick_done", "tick_superseded", "tick_time_up", "gate_closed"):
        assert matches(METRICS["ticks"]["filter"], {"event": event})


def test_one_run_is_seen_from_its_claim_to_its_last_message(written: list[Mapping[str, Any]]) -> None:
    sent = next(line for line in written if line.get("event") == "message_sent")

    events = [line.get("event") for line in written if line.get("run_id") == sent["run_id"]]

    assert events[0] == "broadcast_claimed"
    assert events.count("message_sent") == 2
