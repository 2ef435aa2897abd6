"""Events: what travels, and what is understood of what comes."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events import BroadcastEvent, Event, Malformed, MessageEvent, NewerEvent, TickEvent, Topic, decode, encode
from shared.pair import Channel

SLOT = datetime(2026, 6, 1, 12, 0, 0, 123457, tzinfo=UTC)
BROADCAST = BroadcastEvent(pair_id="p", run_id="r", slots={Channel.OPEN: SLOT}, probe=True)
MESSAGE = MessageEvent(pair_id="p", run_id="r", channel=Channel.CLOSED, slot=SLOT)
MOMENTS = st.datetimes(timezones=st.just(UTC))


def json(**fields: Any) -> bytes:
    return msgspec.json.encode(fields)


@pytest.mark.parametrize("event", [TickEvent(), BROADCAST, MESSAGE], ids=lambda e: e.topic.value)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    assert decode(type(event), encode(event)) == event


@given(
    pair_id=st.text(), run_id=st.text(), slots=st.dictionaries(st.sampled_from(Channel), MOMENTS), probe=st.booleans()
)
def test_a_broadcast_comes_back_with_every_slot(
    pair_id: str, run_id: str, slots: dict[Channel, datetime], probe: bool
) -> None:
    event = BroadcastEvent(pair_id=pair_id, run_id=run_id, slots=slots, probe=probe)

    assert decode(BroadcastEvent, encode(event)) == event


def test_an_event_travels_in_this_form() -> None:
    """Events wait in queues while versions change: this is a contract."""
    assert encode(TickEvent()) == b'{"v":1}'
    assert encode(BROADCAST) == (
        b'{"v":1,"pair_id":"p","run_id":"r","slots":{"open":"2026-06-01T12:00:00.123457Z"},"probe":true,'
        b'"take_down":false,"forgiven":false}'
    )
    assert encode(MESSAGE) == (
        b'{"v":1,"pair_id":"p","run_id":"r","channel":"closed","slot":"2026-06-01T12:00:00.123457Z","probe":false,'
        b'"take_down":false,"forgiven":false}'
    )


def test_each_event_has_its_topic_and_its_age_limit() -> None:
    assert [(kind.topic, kind.age_limit) for kind in (TickEvent, BroadcastEvent, MessageEvent)] == [
        (Topic.TICKS, timedelta(seconds=90)),
        (Topic.BROADCASTS, timedelta(hours=1)),
        (Topic.MESSAGES, timedelta(hours=1)),
    ]


@pytest.mark.parametrize("data", [b"", b" \n", b"{}", b'{"v":1}', b'{"cron":"every minute"}'])
def test_a_tick_needs_nothing_in_it(data: bytes) -> None:
    assert decode(TickEvent, data) == TickEvent()


def test_what_is_not_known_is_left_aside_and_what_is_not_said_is_not_a_probe() -> None:
    data = json(pair_id="p", run_id="r", channel="closed", slot="2026-06-01T12:00:00.123457Z", colour="red")

    assert decode(MessageEvent, data) == MESSAGE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"tick",
        b'{"pair_id":"p"',
        b'{"pair_id":"\xff"}',
        b"\xff\xfe",
        json(v="1", pair_id="p", run_id="r", channel="open", slot="2026-06-01T12:00:00Z"),
        json(pair_id=7, run_id="r", channel="open", slot="2026-06-01T12:00:00Z"),
        json(pair_id="p", run_id="r", channel="middle", slot="2026-06-01T12:00:00Z"),
        json(pair_id="p", run_id="r", channel="open", slot="at noon"),
        json(pair_id="p", run_id="r", channel="open", slot="2026-06-01T12:00:00"),
        json(pair_id="p", run_id="r", channel="open"),
    ],
)
def test_what_cannot_be_understood_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed, match="not a MessageEvent: "):
        decode(MessageEvent, data)


@pytest.mark.parametrize("slots", [{"middle": "2026-06-01T12:00:00Z"}, {"open": "2026-06-01T12:00:00"}, [], None])
def test_a_broadcast_with_slots_that_mean_nothing_is_malformed(slots: object) -> None:
    with pytest.raises(Malformed):
        decode(BroadcastEvent, json(pair_id="p", run_id="r", slots=slots))


@pytest.mark.parametrize("kind", [TickEvent, BroadcastEvent, MessageEvent])
def test_an_event_of_a_newer_version_is_refused_with_a_sentence(kind: type[Event]) -> None:
    with pytest.raises(NewerEvent, match=f"a {kind.__name__} of version 2 came, and this code knows version 1; deploy"):
        decode(kind, b'{"v":2,"everything":"different"}')


@given(st.binary())
def test_no_bytes_do_anything_else_than_these(data: bytes) -> None:
    for kind in (TickEvent, BroadcastEvent, MessageEvent):
        with suppress(Malformed, NewerEvent):
            assert isinstance(decode(kind, data), kind)
