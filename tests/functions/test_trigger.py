"""The owners' API, over HTTP as it is deployed."""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from datetime import timedelta
from typing import Any

import pytest

from infra.telegram_simulator.scripting import Script
from shared.bus import BusUnavailable
from shared.events import BroadcastEvent, Event, TickEvent, Topic
from shared.owner import end
from shared.pace import Gate, GateReason, Pace
from shared.pair import Cause, Channel, DeliveryState, replace
from shared.store import PACE, PAIRS, StoreUnavailable, read_pace, update
from tests.clocks import NOON
from tests.functions.tokens import bearer, token
from tests.functions.world import World, make_world
from tests.memory.queue import MemoryQueue
from tests.memory.store import MemoryStore
from tests.pairs import OUTSIDER, OWNER, a_pair

OPEN, CLOSED = Channel.OPEN, Channel.CLOSED
PAIR = a_pair()
LATER = a_pair(next_send_time=NOON + timedelta(hours=9))
BODY = {"broadcast_id": PAIR.id}


def press(world: World, pair_id: str = PAIR.id, **claims: Any) -> Any:
    return world.api().post("/api/broadcast/trigger", json={"broadcast_id": pair_id}, headers=bearer(OWNER, **claims))


def test_a_trigger_is_on_its_way_at_once_and_says_when_it_arrives(world: World) -> None:
    world.add(LATER)

    answer = press(world)

    assert answer.status_code == 200
    body = answer.get_json()
    assert body["success"] is True
    assert body["broadcast_id"] == PAIR.id
    assert body["eta_seconds"] == 1
    assert body["retry_after_seconds"] == 300
    assert answer.headers["Cache-Control"] == "no-store"
    world.run(only=[Topic.BROADCASTS, Topic.MESSAGES])
    assert world.pair(PAIR).successful_broadcasts == 1
    assert world.last(PAIR).cause is Cause.MANUAL
    assert world.last(PAIR).by == OWNER


def test_a_second_press_within_five_minutes_is_told_how_long_to_wait(world: World) -> None:
    world.add(LATER)
    press(world)
    world.run()
    passed = (world.clock.now() - NOON).total_seconds()
    world.clock.advance(60 - passed + 0.5)

    answer = press(world)

    assert answer.status_code == 429
    assert answer.get_json()["retry_after_seconds"] == 240
    assert answer.headers["Retry-After"] == "240"
    assert "4:00" in answer.get_json()["error"]


def test_after_the_cooldown_it_is_allowed_again(world: World) -> None:
    world.add(LATER)
    press(world)
    world.run()
    world.clock.advance(300)

    assert press(world).status_code == 200


def test_two_presses_in_the_same_moment_are_one_broadcast(world: World) -> None:
    world.add(LATER)

    assert [press(world).status_code, press(world).status_code] == [200, 429]
    world.run()

    assert world.simulator.accepted_count() == 2


def test_a_running_broadcast_is_a_conflict(world: World) -> None:
    world.add(PAIR)
    world.queue.publish([TickEvent()])
    world.run(only=[Topic.TICKS])

    answer = press(world)

    assert answer.status_code == 409
    assert world.pair(PAIR).last_manual_trigger_time is None


def test_a_paused_pair_is_a_conflict_that_says_why(world: World) -> None:
    world.add(PAIR)
    world.api().post("/api/broadcast/pause", json=BODY, headers=bearer(OWNER))

    answer = press(world)

    assert answer.status_code == 409
    assert "paused by its owner" in answer.get_json()["error"]


def test_the_cooldown_is_said_before_the_running_broadcast(world: World) -> None:
    world.add(LATER)
    press(world)

    assert press(world).status_code == 429


def close_gate(world: World, **changes: Any) -> None:
    gate = Gate(reason=GateReason.BOT_UNUSABLE, since=NOON, blocked_until=NOON, block_seconds=30, detail="Unauthorized")
    read_pace(world.store)
    stored = world.store.get(PACE, "pace")
    assert stored is not None
    world.store.replace(PACE, stored, Pace(gate=replace(gate, **changes)))


@pytest.mark.parametrize("probing", [False, True])
def test_a_closed_gate_refuses_and_uses_nothing_up(world: World, probing: bool) -> None:
    world.add(LATER)
    close_gate(world, blocked_until=NOON + timedelta(seconds=1), probing=probing)

    answer = press(world)

    assert answer.status_code == 503
    assert "bot unusable" in answer.get_json()["error"]
    assert world.pair(PAIR) == LATER


def test_a_press_is_the_probe_of_a_gate_whose_block_is_over(world: World) -> None:
    """Nothing scheduled may be due for hours; the gate must not stay closed so long."""
    another = a_pair(2, next_send_time=NOON + timedelta(hours=9))
    world.add(LATER, another)
    close_gate(world)

    assert press(world).status_code == 200
    assert press(world, another.id).status_code == 503

    world.run(only=[Topic.BROADCASTS, Topic.MESSAGES])
    assert world.pair(PAIR).successful_broadcasts == 1
    assert read_pace(world.store).record.gate is None
    assert press(world, another.id).status_code == 200


@pytest.mark.parametrize(("reason", "opens"), [(GateReason.THROTTLED, True), (GateReason.BOT_UNUSABLE, False)])
def test_a_probe_that_its_channels_refuse_shows_that_nothing_is_throttled(
    world: World, reason: GateReason, opens: bool
) -> None:
    world.add(LATER)
    close_gate(world, reason=reason)
    for channel in Channel:
        world.simulator.script(
            Script(effect="answer", method="sendMessage", chat_id=PAIR.chat(channel), status=400,
                   description="Bad Request: chat not found")
        )  # fmt: skip

    press(world)
    world.run(only=[Topic.BROADCASTS, Topic.MESSAGES])

    assert world.pair(PAIR).failed_broadcasts == 1
    assert (read_pace(world.store).record.gate is None) is opens


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "Missing broadcast_id"),
        (b"[]", "Missing broadcast_id"),
        (b"{", "Missing broadcast_id"),
        (b"[" * 60_000, "Missing broadcast_id"),
        (b"{}", "Missing broadcast_id"),
        (b'{"broadcast_id": 7}', "must be text"),
    ],
    ids=["nothing", "a list", "half", "nested without end", "empty", "a number"],
)
def test_a_bad_body_is_a_400_with_a_sentence(world: World, body: bytes, words: str) -> None:
    answer = world.api().post("/api/broadcast/trigger", data=body, headers=bearer(OWNER))

    assert answer.status_code == 400
    assert answer.get_json()["success"] is False
    assert words in answer.get_json()["error"]


def test_a_body_without_a_content_type_is_understood(world: World) -> None:
    world.add(LATER)

    answer = world.api().post(
        "/api/broadcast/trigger", data=f'{{"broadcast_id": "{PAIR.id}"}}'.encode(), headers=bearer(OWNER)
    )

    assert answer.status_code == 200


@pytest.mark.parametrize("id", ["not-a-uuid", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_id_is_a_404_everywhere(world: World, id: str) -> None:
    world.add(PAIR)

    for answer in ask_everything(world, id, OWNER):
        assert answer.status_code == 404, answer.request.path


def test_another_clients_pair_is_a_404_everywhere_and_unchanged(world: World) -> None:
    world.add(PAIR)

    for answer in ask_everything(world, PAIR.id, OUTSIDER):
        assert answer.status_code == 404, answer.request.path
    channels = world.api().get("/api/channels", headers=bearer(OUTSIDER)).get_json()
    assert channels["channels"] == []
    assert world.pair(PAIR) == PAIR


def ask_everything(world: World, id: str, client_id: str) -> list[Any]:
    api, headers = world.api(), bearer(client_id)
    return [
        api.post("/api/broadcast/trigger", json={"broadcast_id": id}, headers=headers),
        api.post("/api/broadcast/pause", json={"broadcast_id": id}, headers=headers),
        api.post("/api/broadcast/resume", json={"broadcast_id": id}, headers=headers),
        api.get(f"/api/broadcast/status/{id}", headers=headers),
        api.get(f"/api/broadcast/history/{id}", headers=headers),
    ]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer nonsense"},
        bearer(OWNER, type="refresh"),
        bearer(OWNER, type=None),
        bearer(OWNER, sub="nobody"),
        bearer(OWNER, exp=1),
        {"Authorization": f"Bearer {token(OWNER, secret='another secret that is long enough, too')}"},
    ],
    ids=["none", "basic", "garbage", "refresh", "no type", "no uuid", "expired", "other secret"],
)
def test_nobody_gets_in_without_a_good_access_token(world: World, headers: dict[str, str]) -> None:
    world.add(PAIR)
    api = world.api()

    for answer in (
        api.post("/api/broadcast/trigger", json=BODY, headers=headers),
        api.post("/api/broadcast/trigger", data=b"{", headers=headers),
        api.get("/api/broadcast/status/not-a-uuid", headers=headers),
        api.get("/api/channels", headers=headers),
    ):
        assert answer.status_code == 401
        assert answer.get_json()["success"] is False
    assert world.pair(PAIR) == PAIR


def test_the_status_has_every_field_with_times_in_utc(world: World) -> None:
    world.add(PAIR)
    world.tick()

    body = world.api().get(f"/api/broadcast/status/{PAIR.id}", headers=bearer(OWNER)).get_json()

    assert body["success"] is True
    assert body["id"] == body["broadcast_id"] == PAIR.id
    assert body["broadcast_status"] == "completed"
    assert body["state"] == "sent"
    assert body["open_channel_id"] == str(PAIR.open_channel_id)
    assert body["next_send_time"] == "2026-06-02T12:00:00Z"
    assert body["last_sent_time"].endswith("Z")
    assert body["retry_after_seconds"] == 0
    expected = {
        "total_broadcasts",
        "successful_broadcasts",
        "failed_broadcasts",
        "consecutive_failures",
        "last_error_message",
        "last_error_time",
        "is_active",
        "manual_trigger_count",
        "closed_channel_id",
    }
    assert expected <= body.keys()


def test_pause_and_resume_answer_with_the_new_state(world: World) -> None:
    world.add(LATER)
    api = world.api()

    paused = api.post("/api/broadcast/pause", json=BODY, headers=bearer(OWNER)).get_json()
    resumed = api.post("/api/broadcast/resume", json=BODY, headers=bearer(OWNER)).get_json()

    assert (paused["is_active"], paused["state"]) == (False, "paused")
    assert (resumed["is_active"], resumed["state"]) == (True, "scheduled")


def test_the_history_lists_runs_newest_first_each_once_with_every_outcome(world: World) -> None:
    world.add(PAIR)
    for _ in range(3):
        world.tick()
        world.clock.advance(86400)
    world.simulator.script(
        Script(effect="answer", method="sendMessage", chat_id=PAIR.open_chat_id, status=400,
               description="Bad Request: chat not found")
    )  # fmt: skip
    world.tick()

    body = world.api().get(f"/api/broadcast/history/{PAIR.id}", headers=bearer(OWNER)).get_json()

    times = [run["claimed_at"] for run in body["history"]]
    assert len(times) == len(set(times)) == 4
    assert times == sorted(times, reverse=True)
    newest = body["history"][0]
    assert newest["verdict"] == "failure"
    assert newest["open"] == {
        "state": "failed",
        "chat_id": str(PAIR.open_chat_id),
        "message_id": None,
        "sent_at": None,
        "tries": 1,
        "error": "Bad Request: chat not found",
        "fault": "pair",
    }
    assert newest["closed"]["state"] == "sent"


def test_the_history_is_paged_by_limit_and_before(world: World) -> None:
    world.add(PAIR)
    for _ in range(4):
        world.tick()
        world.clock.advance(86400)
    url, headers = f"/api/broadcast/history/{PAIR.id}", bearer(OWNER)
    api = world.api()

    first = api.get(url, query_string={"limit": 2}, headers=headers).get_json()["history"]
    rest = api.get(url, query_string={"limit": 9, "before": first[-1]["claimed_at"]}, headers=headers).get_json()[
        "history"
    ]

    whole = api.get(url, headers=headers).get_json()["history"]
    assert [r["run_id"] for r in first + rest] == [r["run_id"] for r in whole]
    assert (len(first), len(rest)) == (2, 2)


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "101"}, {"limit": "x"}, {"before": "2026-01-01T00:00:00"}])
def test_a_bad_page_is_a_400(world: World, query: dict[str, str]) -> None:
    world.add(PAIR)

    answer = world.api().get(f"/api/broadcast/history/{PAIR.id}", query_string=query, headers=bearer(OWNER))

    assert answer.status_code == 400


def test_the_channels_have_the_websites_keys_and_leave_out_ended_pairs(world: World) -> None:
    ended = a_pair(2)
    world.add(PAIR, ended)
    update(world.store, PAIRS, ended.id, lambda pair, now: end(pair, now=now, take_down=False))

    body = world.api().get("/api/channels", headers=bearer(OWNER)).get_json()

    assert (body["count"], body["max_channels"]) == (1, 10)
    (channel,) = body["channels"]
    assert channel["broadcast_id"] == PAIR.id
    assert channel["sub_1_price"] == 5.0
    assert channel["tier_count"] == 1
    assert channel["client_wallet_address"] is None
    assert channel["accumulated_amount"] is None


def test_health_needs_no_token(world: World) -> None:
    answer = world.api().get("/health")

    assert answer.status_code == 200
    assert answer.get_json()["status"] == "healthy"


def test_only_listed_websites_may_call_from_a_browser(world: World) -> None:
    api = world.api()
    good = api.options("/api/broadcast/trigger", headers={"Origin": "https://www.example.com"})
    bad = api.options("/api/broadcast/trigger", headers={"Origin": "https://evil.example"})
    refused = api.get("/api/channels", headers={"Origin": "https://www.example.com"})

    assert good.status_code == 204
    assert good.headers["Access-Control-Allow-Origin"] == "https://www.example.com"
    assert good.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
    assert refused.headers["Access-Control-Allow-Origin"] == "https://www.example.com"
    assert "Access-Control-Allow-Origin" not in bad.headers


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/api/broadcast/trigger", 405), ("GET", "/api/x", 404)])
def test_other_addresses_and_methods_are_refused_with_a_sentence(
    world: World, method: str, path: str, status: int
) -> None:
    answer = world.api().open(path, method=method, headers=bearer(OWNER))

    assert answer.status_code == status
    assert answer.get_json()["success"] is False


class Blocked(MemoryQueue):
    """Does not take events while it is closed; `delivers_anyway` loses only the confirmation."""

    def __init__(self, inner: MemoryQueue) -> None:
        self.__dict__ = inner.__dict__
        self.closed = True
        self.meanwhile: Callable[[], None] = lambda: None

    def publish(self, events: Sequence[Event]) -> None:
        if self.closed and any(isinstance(event, BroadcastEvent) for event in events):
            self.meanwhile()
            raise BusUnavailable("no confirmation in time")
        super().publish(events)


@pytest.fixture
def blocked() -> Iterator[tuple[World, Blocked]]:
    made: list[Blocked] = []

    def wrap(queue: MemoryQueue) -> Blocked:
        made.append(Blocked(queue))
        return made[0]

    world, close = make_world(bus=wrap)
    yield world, made[0]
    close()


def test_a_broadcast_that_cannot_be_published_is_taken_back_and_nothing_used_up(
    blocked: tuple[World, Blocked],
) -> None:
    world, _ = blocked
    world.add(LATER)

    answer = press(world)

    assert answer.status_code == 503
    after = world.pair(PAIR)
    assert after.run is None
    assert after.last_manual_trigger_time is None
    assert after.manual_trigger_count == 0
    assert after.next_send_time == LATER.next_send_time


def test_a_broadcast_whose_confirmation_was_lost_but_is_under_way_is_a_yes(blocked: tuple[World, Blocked]) -> None:
    world, bus = blocked
    world.add(LATER)

    def delivered_after_all() -> None:
        run = world.pair(PAIR).run
        assert run is not None
        slots = dict.fromkeys(Channel, world.clock.now())
        MemoryQueue.publish(bus, [BroadcastEvent(pair_id=PAIR.id, run_id=run.run_id, slots=slots)])
        bus.closed = False
        world.run()

    bus.meanwhile = delivered_after_all

    answer = press(world)

    assert answer.status_code == 200
    assert world.delivery(PAIR, OPEN).state is DeliveryState.SENT
    assert world.pair(PAIR).manual_trigger_count == 1


def test_a_process_that_dies_between_claim_and_publication_leaves_a_claim_that_the_tick_completes(
    blocked: tuple[World, Blocked],
) -> None:
    world, bus = blocked
    world.add(LATER)

    class Died(BaseException):
        pass

    def die() -> None:
        raise Died

    bus.meanwhile = die
    with pytest.raises(Died):
        press(world)
    bus.closed = False

    world.clock.advance(180)
    world.tick()

    assert world.pair(PAIR).successful_broadcasts == 1
    assert world.last(PAIR).cause is Cause.MANUAL


@pytest.fixture
def losing() -> Iterator[tuple[World, MemoryStore]]:
    """A world, and its store as the functions see it."""
    made: list[MemoryStore] = []

    def wrap(store: MemoryStore) -> MemoryStore:
        made.append(copy(store))
        return made[0]

    world, close = make_world(store=wrap)
    yield world, made[0]
    close()


def lose_answers(seen: MemoryStore, monkeypatch: pytest.MonkeyPatch, *, count: int, applied: bool = True) -> None:
    """So many writes of pairs end without an answer; the first is applied, or none."""
    replace_, left = seen.replace, list(range(count))

    def lost(collection: Any, stored: Any, record: Any) -> Any:
        if collection is not PAIRS or not left:
            return replace_(collection, stored, record)
        if left.pop(0) == 0 and applied:
            replace_(collection, stored, record)
        raise StoreUnavailable("no answer")

    monkeypatch.setattr(seen, "replace", lost)


@pytest.mark.parametrize("applied", [True, False])
def test_a_claim_whose_answer_was_lost_begins_the_broadcast_once(
    losing: tuple[World, MemoryStore], monkeypatch: pytest.MonkeyPatch, applied: bool
) -> None:
    world, seen = losing
    world.add(LATER)
    lose_answers(seen, monkeypatch, count=1, applied=applied)

    answer = press(world)
    world.run()

    assert answer.status_code == 200
    assert world.pair(PAIR).manual_trigger_count == 1
    assert world.pair(PAIR).successful_broadcasts == 1


def test_a_claim_that_nobody_can_learn_of_is_not_said_to_have_used_nothing_up(
    blocked: tuple[World, Blocked], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, _ = blocked
    world.add(LATER)
    get = world.store.get

    def down(collection: Any, id: str) -> Any:
        if collection is PAIRS:
            raise StoreUnavailable("no answer")
        return get(collection, id)

    def lost(*arguments: Any) -> Any:
        written = MemoryStore.replace(world.store, *arguments)
        if arguments[0] is PAIRS:
            monkeypatch.setattr(world.store, "get", down)
            raise StoreUnavailable("no answer")
        return written

    monkeypatch.setattr(world.store, "replace", lost)

    answer = press(world)

    assert answer.status_code == 503
    assert "used up" not in answer.get_json()["error"]
    assert "nothing was changed" not in answer.get_json()["error"]
    assert "began" in answer.get_json()["error"]


def test_a_take_back_that_fails_is_not_said_to_have_used_nothing_up(
    blocked: tuple[World, Blocked], monkeypatch: pytest.MonkeyPatch
) -> None:
    world, bus = blocked
    world.add(LATER)

    def down(*_: object) -> None:
        raise StoreUnavailable("no answer")

    bus.meanwhile = lambda: monkeypatch.setattr(world.store, "replace", down)

    answer = press(world)

    assert answer.status_code == 503
    assert world.pair(PAIR).manual_trigger_count == 1
    assert "used up" not in answer.get_json()["error"]
    assert "nothing was changed" not in answer.get_json()["error"]
    assert "began" in answer.get_json()["error"]


def test_a_store_that_is_down_is_a_503_that_gives_nothing_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object) -> None:
        raise StoreUnavailable("postgres://user:password@host is down")

    monkeypatch.setattr(world.store, "get", down)

    answer = press(world)

    assert answer.status_code == 503
    assert "password" not in answer.get_data(as_text=True)


def test_an_unexpected_error_is_a_500_that_gives_nothing_away_and_is_logged(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(world.store, "get", broken)

    answer = press(world)

    assert answer.status_code == 500
    assert "42" not in answer.get_data(as_text=True)
    assert "the secret is 42" in caplog.text
