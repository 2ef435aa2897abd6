"""What every event function does with what reaches it."""

import json
import logging
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest

from infra.embedded.event_queue import Taken
from shared.events import MessageEvent, Topic, encode
from shared.pair import Channel
from tests.clocks import NOON
from tests.functions.world import World
from tests.pairs import a_pair


def message(data: bytes, *, topic: Topic = Topic.BROADCASTS, age: float = 0) -> Taken:
    return Taken("77", topic, data, NOON - timedelta(seconds=age), 1)


@pytest.mark.parametrize("data", [b"", b"{}", b"nonsense", b'{"pair_id": 7}', b"\xff\xfe"])
@pytest.mark.parametrize("topic", [Topic.BROADCASTS, Topic.MESSAGES])
def test_a_malformed_event_is_logged_with_its_id_and_acknowledged(
    world: World, caplog: pytest.LogCaptureFixture, data: bytes, topic: Topic
) -> None:
    assert world.deliver(message(data, topic=topic)) == 200

    (record,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert record.fields["event_id"] == "77"  # type: ignore[attr-defined]


def test_a_tick_needs_no_data(world: World, caplog: pytest.LogCaptureFixture) -> None:
    assert world.deliver(message(b"", topic=Topic.TICKS)) == 200
    assert not [r for r in caplog.records if r.levelno == logging.ERROR]


def test_an_event_of_a_newer_version_waits_for_the_newer_code(world: World, caplog: pytest.LogCaptureFixture) -> None:
    assert world.deliver(message(b'{"v": 2, "something": "else"}')) == 503
    assert "deploy the newer code" in caplog.text


@pytest.mark.parametrize(("age", "unseen"), [(3601, True), (3599, False)])
def test_an_event_older_than_its_limit_is_acknowledged_unseen(
    world: World, caplog: pytest.LogCaptureFixture, age: float, unseen: bool
) -> None:
    caplog.set_level(logging.INFO)
    event = MessageEvent(pair_id=a_pair().id, run_id="r", channel=Channel.OPEN, slot=NOON)

    assert world.deliver(message(encode(event), topic=Topic.MESSAGES, age=age)) == 200

    assert ("left aside" in caplog.text) is unseen
    assert ("means nothing any more" in caplog.text) is not unseen


def test_a_raw_push_request_is_understood_like_a_cloud_event(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    body = {
        "message": {"data": b64encode(b"{}").decode(), "messageId": "5", "publishTime": NOON.isoformat()},
        "subscription": "projects/p/subscriptions/ticks",
    }

    answer = world.apps["tick"].test_client().post("/", json=body)

    assert answer.status_code == 200
    assert world.pair(pair).run is not None


def test_a_structured_cloud_event_is_understood(world: World) -> None:
    pair = a_pair()
    world.add(pair)
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": "6",
        "source": "//pubsub.googleapis.com/projects/p/topics/ticks",
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "time": NOON.isoformat(),
        "data": {"message": {"data": "", "messageId": "6"}},
    }

    answer = (
        world.apps["tick"].test_client().post("/", data=json.dumps(event), content_type="application/cloudevents+json")
    )

    assert answer.status_code == 200
    assert world.pair(pair).run is not None


def test_an_unexpected_error_is_a_500_so_that_the_event_comes_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("surprise")

    monkeypatch.setattr(world.store, "get", broken)
    event = MessageEvent(pair_id=a_pair().id, run_id="r", channel=Channel.OPEN, slot=NOON)

    assert world.deliver(message(encode(event), topic=Topic.MESSAGES)) == 500
