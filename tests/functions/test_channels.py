"""The website's channel records over HTTP: created, changed, ended."""

from datetime import timedelta
from typing import Any

import pytest

from infra.telegram_simulator.scripting import Script
from shared.owner import end
from shared.pair import new_pair_id
from shared.store import PAIRS, update
from tests.clocks import NOON
from tests.functions.tokens import bearer
from tests.functions.world import World
from tests.pairs import OUTSIDER, OWNER, a_pair

OPEN, CLOSED = -1003268562225, -1003268562226
RECORD = {
    "open_channel_id": str(OPEN),
    "open_channel_title": "Harbor",
    "open_channel_description": "Notes from the quay",
    "closed_channel_id": str(CLOSED),
    "closed_channel_title": "Harbor+",
    "closed_channel_description": "",
    "closed_channel_donation_message": "Thank you, crew. Keep her afloat.",
    "tier_count": 2,
    "sub_1_price": 5.0,
    "sub_1_time": 30,
    "sub_2_price": 9.99,
    "sub_2_time": 90,
    "sub_3_price": None,
    "sub_3_time": None,
    "client_wallet_address": "0x0000000000000000000000000000000000000000",
    "client_payout_currency": "usdt",
    "client_payout_network": "eth",
    "payout_strategy": "instant",
    "payout_threshold_usd": None,
    "notification_status": True,
    "notification_id": 8134355749,
}
PAIR = a_pair(next_send_time=NOON + timedelta(hours=9))


@pytest.fixture
def channels(world: World) -> World:
    world.simulator.add_channel(OPEN, "Harbor")
    world.simulator.add_channel(CLOSED, "Harbor+")
    return world


def put(world: World, *, client: str = OWNER, channel: int = OPEN, **changes: Any) -> Any:
    record = {k: v for k, v in {**RECORD, **changes}.items() if v != "absent"}
    return world.api().put(f"/api/channels/{channel}", json=record, headers=bearer(client))


def delete(world: World, query: str = "", *, client: str = OWNER, channel: int = OPEN) -> Any:
    return world.api().delete(f"/api/channels/{channel}{query}", headers=bearer(client))


def standing(world: World) -> int:
    return sum(len(world.simulator.visible(chat)) for chat in (OPEN, CLOSED))


def test_a_new_channel_is_sent_at_the_next_tick(channels: World) -> None:
    answer = put(channels)

    assert answer.status_code == 201
    body = answer.get_json()
    assert body["broadcast_id"] == new_pair_id(OPEN)
    assert body["channel_id"] == str(OPEN)
    assert (body["created"], body["warnings"]) == (True, [])
    assert body["channel"]["sub_2_price"] == 9.99
    channels.tick()
    assert standing(channels) == 2
    buttons = [row[0].text for row in channels.simulator.visible(OPEN)[0].buttons]
    assert buttons == ["🥇 $5.00 for 30 days", "🥈 $9.99 for 90 days"]


def test_the_same_record_again_changes_nothing(channels: World) -> None:
    put(channels)
    writes = channels.store.writes

    answer = put(channels)

    assert answer.status_code == 200
    assert answer.get_json()["created"] is False
    assert channels.store.writes == writes


def test_a_changed_record_changes_the_texts_and_no_time(channels: World) -> None:
    before = put(channels).get_json()["channel"]
    channels.clock.advance(60)

    after = put(channels, open_channel_title="Pier").get_json()["channel"]

    assert after["open_channel_title"] == "Pier"
    assert after["next_send_time"] == before["next_send_time"]


def test_it_is_a_whole_record_what_is_missing_is_emptied(channels: World) -> None:
    put(channels)

    after = put(channels, sub_2_price="absent", sub_2_time="absent", open_channel_description="absent").get_json()

    assert after["channel"]["tier_count"] == 1
    assert after["channel"]["open_channel_description"] == ""


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"open_channel_title": "x" * 31}, "open_channel_title"),
        ({"open_channel_title": None}, "open_channel_title"),
        ({"open_channel_description": "x" * 141}, "open_channel_description"),
        ({"closed_channel_donation_message": "x" * 257}, "closed_channel_donation_message"),
        ({"closed_channel_donation_message": " "}, "closed_channel_donation_message"),
        ({"sub_1_price": 0}, "sub_1_price"),
        ({"sub_1_price": 100_000_000.0}, "sub_1_price"),
        ({"sub_1_price": 4.999}, "sub_1_price"),
        ({"sub_1_price": True}, "sub_1_price"),
        ({"sub_1_time": 32768}, "sub_1_time"),
        ({"sub_1_time": 1.5}, "sub_1_time"),
        ({"sub_1_price": None, "sub_1_time": None}, "sub_1_price"),
        ({"sub_2_time": None}, "sub_2_time"),
        ({"closed_channel_id": "1003268562226"}, "closed_channel_id"),
        ({"closed_channel_id": str(OPEN)}, "closed_channel_id"),
        ({"open_channel_id": "-1003268562999"}, "open_channel_id"),
        ({"notification_id": None}, "notification_id"),
        ({"open_channel_title": ["Harbor"]}, "open_channel_title"),
        ({"open_chanel_title": "Harbor"}, "'open_chanel_title'"),
    ],
)
def test_a_field_outside_the_limits_is_named(channels: World, changes: dict[str, Any], field: str) -> None:
    answer = put(channels, **changes)

    assert answer.status_code == 400
    assert [detail["field"] for detail in answer.get_json()["details"]] == [field]
    assert answer.get_json()["error"].startswith(f"Validation failed: {field} ")
    assert list(channels.store.all_pairs()) == []


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"{", b"[" * 100_000])
def test_a_body_that_is_no_record_is_refused(channels: World, body: bytes) -> None:
    assert channels.api().put(f"/api/channels/{OPEN}", data=body, headers=bearer(OWNER)).status_code == 400


@pytest.mark.parametrize("method", ["put", "delete"])
def test_without_a_token_nothing_happens(channels: World, method: str) -> None:
    assert getattr(channels.api(), method)(f"/api/channels/{OPEN}", json=RECORD).status_code == 401


@pytest.mark.parametrize("method", ["put", "delete"])
def test_an_address_that_is_no_channel_is_not_found(channels: World, method: str) -> None:
    answer = getattr(channels.api(), method)("/api/channels/harbor", json=RECORD, headers=bearer(OWNER))

    assert answer.status_code == 404


def test_an_imported_pair_is_edited_under_the_id_it_has(world: World) -> None:
    imported = a_pair(id="384f41fa-a68e-4cdf-880a-395eaad18f15")
    world.add(imported)

    answer = put(
        world,
        channel=imported.open_channel_id,
        open_channel_id=str(imported.open_channel_id),
        closed_channel_id=str(imported.closed_channel_id),
    )

    assert (answer.status_code, answer.get_json()["broadcast_id"]) == (200, imported.id)


@pytest.mark.parametrize("which", ["open_channel_id", "closed_channel_id"])
def test_a_channel_of_another_clients_pair_is_taken(world: World, which: str) -> None:
    world.add(PAIR)
    taken = str(PAIR.open_channel_id if which == "open_channel_id" else PAIR.closed_channel_id)
    channel = int(taken) if which == "open_channel_id" else OPEN

    answer = put(world, client=OUTSIDER, channel=channel, **{which: taken})

    assert answer.status_code == 409
    assert taken in answer.get_json()["error"]
    assert len(list(world.store.all_pairs())) == 1


def test_the_closed_channel_cannot_be_changed(channels: World) -> None:
    put(channels)

    answer = put(channels, closed_channel_id="-1003268562999")

    assert answer.status_code == 409
    assert str(CLOSED) in answer.get_json()["error"]


def test_an_account_has_ten_channels_at_most(channels: World) -> None:
    channels.add(*(a_pair(number) for number in range(1, 11)))

    assert put(channels).status_code == 400
    update(channels.store, PAIRS, PAIR.id, lambda p, now: end(p, now=now, take_down=False))
    assert put(channels).status_code == 201


def test_what_the_bot_lacks_is_a_warning_and_no_refusal(channels: World) -> None:
    channels.simulator.add_channel(CLOSED, can_post=False)

    answer = put(channels)

    assert answer.status_code == 201
    assert answer.get_json()["warnings"] == [
        f"Harbor+ ({CLOSED}): the bot may not post in it; give it the right to post messages"
    ]


def test_a_telegram_that_cannot_be_asked_refuses_nothing(channels: World) -> None:
    channels.simulator.script(Script(effect="drop_before", times=None))

    answer = put(channels)

    assert answer.status_code == 201
    assert [w for w in answer.get_json()["warnings"] if "could not be asked" in w] == answer.get_json()["warnings"]
    assert len(answer.get_json()["warnings"]) == 1


def test_resuming_says_what_the_bot_lacks(world: World) -> None:
    world.add(PAIR)
    world.simulator.add_channel(PAIR.open_chat_id, member="kicked")
    world.api().post("/api/broadcast/pause", json={"broadcast_id": PAIR.id}, headers=bearer(OWNER))

    answer = world.api().post("/api/broadcast/resume", json={"broadcast_id": PAIR.id}, headers=bearer(OWNER))

    assert answer.status_code == 200
    assert answer.get_json()["is_active"] is True
    assert "bot was kicked" in answer.get_json()["warnings"][0]


def test_deleting_leaves_the_messages_unless_told_otherwise(channels: World) -> None:
    put(channels)
    channels.tick()

    answer = delete(channels)

    assert (answer.status_code, answer.get_json()["take_down"]) == (200, False)
    channels.tick()
    assert standing(channels) == 2
    listed = channels.api().get("/api/channels", headers=bearer(OWNER)).get_json()
    assert listed["channels"] == []


def test_deleting_can_take_the_messages_down_also_afterwards(channels: World) -> None:
    put(channels)
    channels.tick()
    delete(channels)

    answer = delete(channels, "?take_down=true")

    assert (answer.status_code, answer.get_json()["take_down"]) == (200, True)
    channels.tick()
    assert standing(channels) == 0
    assert delete(channels).status_code == 200


@pytest.mark.parametrize("client", [OUTSIDER])
def test_another_clients_pair_is_not_found(channels: World, client: str) -> None:
    put(channels)

    assert delete(channels, client=client).status_code == 404
    assert delete(channels, channel=CLOSED).status_code == 404
    assert channels.api().get("/api/channels", headers=bearer(OWNER)).get_json()["count"] == 1


def test_a_wrong_choice_is_refused_before_anything_ends(channels: World) -> None:
    put(channels)

    assert delete(channels, "?take_down=yes").status_code == 400
    assert channels.api().get("/api/channels", headers=bearer(OWNER)).get_json()["count"] == 1


def test_a_channel_can_be_registered_again_and_its_standing_messages_are_replaced(channels: World) -> None:
    first = put(channels).get_json()["broadcast_id"]
    channels.tick()
    delete(channels)

    again = put(channels)

    assert again.status_code == 201
    assert again.get_json()["broadcast_id"] != first
    channels.clock.advance(60)
    channels.tick()
    assert standing(channels) == 2
    assert channels.simulator.accepted_count() == 4
    assert put(channels).get_json()["broadcast_id"] == again.get_json()["broadcast_id"]


def test_another_client_gets_a_pair_of_its_own_where_one_has_ended(channels: World) -> None:
    first = put(channels).get_json()["broadcast_id"]
    delete(channels)

    second = put(channels, client=OUTSIDER)

    assert second.status_code == 201
    assert second.get_json()["broadcast_id"] != first
    assert channels.api().get(f"/api/broadcast/status/{first}", headers=bearer(OUTSIDER)).status_code == 404


def test_a_browser_may_put_and_delete(world: World) -> None:
    answer = world.api().options(f"/api/channels/{OPEN}", headers={"Origin": "https://www.example.com"})

    assert {"PUT", "DELETE"} <= set(answer.headers["Access-Control-Allow-Methods"].split(", "))


def test_both_channels_are_looked_at_with_two_calls_each(channels: World) -> None:
    put(channels)

    methods = [(call.method, call.chat_id) for call in channels.simulator.calls()]
    assert methods == [(method, chat) for chat in (OPEN, CLOSED) for method in ("getchat", "getchatmember")]


def test_of_two_that_share_their_closed_channel_at_the_same_moment_not_both_stay(
    channels: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = a_pair(7, closed_channel_id=CLOSED, closed_chat_id=CLOSED)
    create = channels.store.create

    def another_first(collection: Any, id: str, record: Any) -> None:
        monkeypatch.setattr(channels.store, "create", create)
        create(PAIRS, other.id, other)
        create(collection, id, record)

    monkeypatch.setattr(channels.store, "create", another_first)

    answer = put(channels)

    assert answer.status_code == 409
    assert "at the same moment" in answer.get_json()["error"]
    current = [s.record.id for s in channels.store.all_pairs() if s.record.ended_at is None]
    assert current == [other.id]


def test_a_new_owner_does_not_see_what_was_sent_under_the_same_id_before(channels: World) -> None:
    pair_id = put(channels).get_json()["broadcast_id"]
    for _ in range(3):
        channels.tick()
        channels.clock.advance(86400)
    delete(channels)
    before = channels.api().get(f"/api/broadcast/history/{pair_id}", headers=bearer(OWNER)).get_json()
    assert len(before["history"]) == 3
    channels.store.remove(PAIRS, pair_id)
    channels.clock.advance(86400)

    assert put(channels, client=OUTSIDER).get_json()["broadcast_id"] == pair_id
    channels.tick()

    seen = channels.api().get(f"/api/broadcast/history/{pair_id}", headers=bearer(OUTSIDER)).get_json()
    assert len(seen["history"]) == 1
