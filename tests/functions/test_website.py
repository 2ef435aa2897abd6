"""The website's control and channel list against our API: its requests as its code makes them, its reading of the answers."""

from datetime import timedelta
from math import ceil
from typing import Any

import pytest

from shared.owner import pause
from shared.store import PAIRS, update
from tests.clocks import NOON
from tests.functions.tokens import token
from tests.functions.world import World
from tests.pairs import OUTSIDER, OWNER, a_pair

ORIGIN = "https://www.example.com"
PAIR = a_pair(next_send_time=NOON + timedelta(hours=9))


def press(world: World, access_token: str, broadcast_id: str = PAIR.id) -> Any:
    """The click: axios' own request, which the browser asks leave for first."""
    asked = world.api().options(
        "/api/broadcast/trigger",
        headers={
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert asked.status_code in {200, 204}
    assert asked.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    allowed = {name.strip().lower() for name in asked.headers["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type"} <= allowed
    return world.api().post(
        "/api/broadcast/trigger",
        json={"broadcast_id": broadcast_id},
        headers={"Authorization": f"Bearer {access_token}", "Origin": ORIGIN, "Accept": "application/json, */*"},
    )


def shown(answer: Any) -> tuple[str, int]:
    """What the control shows for an answer, and the seconds of its countdown: the website's own mapping."""
    body = answer.get_json()
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    if answer.status_code == 200 and body.get("success"):
        return "Messages queued for sending! They will be sent within the next minute.", 0
    if answer.status_code == 429:
        seconds = body.get("retry_after_seconds") or 300
        minutes = ceil(seconds / 60)
        return f"Please wait {minutes} minute{'' if minutes == 1 else 's'} before resending messages again.", seconds
    if answer.status_code == 401:
        return "Session expired. Please log in again.", 0
    return body.get("error") or "Failed to trigger broadcast. Please try again.", 0


def test_a_click_is_queued_and_the_next_one_counts_down(world: World) -> None:
    world.add(PAIR)

    first = press(world, token(OWNER))
    world.clock.advance(0.4)
    second = press(world, token(OWNER))

    assert shown(first) == ("Messages queued for sending! They will be sent within the next minute.", 0)
    assert first.get_json()["broadcast_id"] == PAIR.id
    assert shown(second) == ("Please wait 5 minutes before resending messages again.", 300)


def test_the_countdown_never_ends_before_the_button_works(world: World) -> None:
    world.add(PAIR)
    press(world, token(OWNER))
    world.run()
    world.clock.advance(100.5)
    seconds = shown(press(world, token(OWNER)))[1]
    world.clock.advance(seconds)

    assert press(world, token(OWNER)).status_code == 200


@pytest.mark.parametrize(
    "access_token",
    [
        token(OWNER, type="refresh"),
        token(OWNER, secret="another-secret-that-is-long-enough-too"),
        token(OWNER, exp=1),
        "null",
    ],
)
def test_a_bad_session_is_told_as_the_website_tells_it(world: World, access_token: str) -> None:
    world.add(PAIR)

    assert shown(press(world, access_token)) == ("Session expired. Please log in again.", 0)


def test_what_was_a_false_countdown_is_a_sentence_now(world: World) -> None:
    world.add(PAIR)

    assert shown(press(world, token(OUTSIDER))) == ("Broadcast not found.", 0)
    assert shown(press(world, token(OWNER), "d2b1a4e0-0000-4000-8000-000000000000")) == ("Broadcast not found.", 0)


def test_a_paused_pair_says_so_and_uses_nothing_up(world: World) -> None:
    world.add(PAIR)
    update(world.store, PAIRS, PAIR.id, lambda p, now: pause(p, now=now, reason="paused by its owner"))

    answer = press(world, token(OWNER))

    assert answer.status_code == 409
    assert "paused by its owner" in shown(answer)[0]
    assert world.pair(PAIR).last_manual_trigger_time is None


def test_the_website_can_learn_the_broadcast_id_of_each_channel(world: World) -> None:
    other = a_pair(2)
    world.add(PAIR, other)

    listed = world.api().get("/api/channels", headers={"Authorization": f"Bearer {token(OWNER)}", "Origin": ORIGIN})

    body = listed.get_json()
    assert (body["count"], body["max_channels"]) == (2, 10)
    ids = {channel["open_channel_id"]: channel["broadcast_id"] for channel in body["channels"]}
    assert ids == {str(p.open_channel_id): p.id for p in (PAIR, other)}
    assert {"sub_1_price", "sub_1_time", "tier_count", "closed_channel_donation_message"} <= set(body["channels"][0])


def test_its_register_form_is_accepted_as_it_is(world: World) -> None:
    form = {
        "open_channel_id": "-1003268562225",
        "open_channel_title": "Harbor",
        "open_channel_description": "",
        "closed_channel_id": "-1003268562226",
        "closed_channel_title": "Harbor+",
        "closed_channel_description": "",
        "closed_channel_donation_message": "Every coffee keeps the lamps lit.",
        "tier_count": 1,
        "sub_1_price": 5,
        "sub_1_time": 30,
        "sub_2_price": None,
        "sub_2_time": None,
        "sub_3_price": None,
        "sub_3_time": None,
        "client_wallet_address": "0x00",
        "client_payout_currency": "usdt",
        "client_payout_network": "eth",
        "payout_strategy": "instant",
        "payout_threshold_usd": None,
        "notification_status": False,
        "notification_id": None,
    }

    answer = world.api().put(
        "/api/channels/-1003268562225", json=form, headers={"Authorization": f"Bearer {token(OWNER)}"}
    )

    assert answer.status_code == 201
    assert press(world, token(OWNER), answer.get_json()["broadcast_id"]).status_code == 200
