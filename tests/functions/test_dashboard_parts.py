"""What a page shows of a record, as pure functions: the card, the preview, the history, and where requests come from."""

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers

from functions.dashboard import held, pages, transport
from functions.dashboard.cards import Card, Press, card, message_link
from functions.dashboard.past import past
from functions.dashboard.preview import previews, shown, visible_text
from shared.messages import CannotRender, render
from shared.owner import cooldown, cooldown_until
from shared.pace import Gate, GateReason, Pace, PausedAll
from shared.pair import Cause, Channel, Delivery, DeliveryState, Pair, Run
from shared.runs import Policy
from tests.clocks import NOON
from tests.pairs import OUTSIDER, OWNER, a_pair

POLICY = Policy(interval=timedelta(hours=24), manual_interval=timedelta(minutes=5))
BOT = "test_shop_bot"


def of(pair: Pair, *, seconds: float = 0) -> Card:
    return card(pair, now=NOON + timedelta(seconds=seconds), policy=POLICY, bot_username=BOT)


def a_run(open_: DeliveryState, closed: DeliveryState, *, error: str | None = None, **changes: Any) -> Run:
    pair = a_pair()
    fields: dict[str, Any] = {
        "run_id": "r",
        "cause": Cause.SCHEDULE,
        "due_at": NOON,
        "claimed_at": NOON,
        "finished_at": NOON,
        "open": Delivery(state=open_, chat=pair.open_chat_id, error=error),
        "closed": Delivery(state=closed, chat=pair.closed_chat_id, error=error),
    }
    return Run(**{**fields, **changes})


# --- the button ---------------------------------------------------------------------------------------------------------


def test_the_button_counts_down_while_the_cooldown_runs_and_is_free_at_its_end() -> None:
    pair = a_pair(last_manual_trigger_time=NOON)

    assert (of(pair, seconds=299.9).press, of(pair).ready_at) == (Press.WAITING, NOON + timedelta(minutes=5))
    assert (of(pair, seconds=300).press, of(pair, seconds=300).ready_at) == (Press.READY, None)


@given(st.floats(-1000, 1000))
def test_the_countdown_and_the_refusal_are_one_rule(seconds: float) -> None:
    now, pair = NOON + timedelta(seconds=seconds), a_pair(last_manual_trigger_time=NOON)
    until = cooldown_until(pair, now=now, policy=POLICY)

    left = cooldown(pair, now=now, policy=POLICY)

    assert (until is None) == (left == 0)
    assert until is None or pages.countdown(until, now) == f"{left // 60}:{left % 60:02d}"


@pytest.mark.parametrize(
    ("seconds", "text"), [(300, "5:00"), (65, "1:05"), (9, "0:09"), (8.1, "0:09"), (0, "0:00"), (-3, "0:00")]
)
def test_a_countdown_is_minutes_and_seconds_rounded_up(seconds: float, text: str) -> None:
    assert pages.countdown(NOON + timedelta(seconds=seconds), NOON) == text


def test_what_comes_first_on_the_button() -> None:
    """As in the original: sending, then the cooldown, then what is not configured; and a paused pair says so."""
    running = a_run(DeliveryState.QUEUED, DeliveryState.QUEUED, finished_at=None)
    just_pressed: dict[str, Any] = {"last_manual_trigger_time": NOON, "sub_1_price": None}

    assert of(a_pair(run=running, **just_pressed)).press is Press.SENDING
    assert of(a_pair(**just_pressed)).press is Press.WAITING
    assert of(a_pair(sub_1_price=None)).press is Press.NOT_CONFIGURED
    assert of(a_pair(is_active=False, **just_pressed)).press is Press.PAUSED
    assert of(a_pair()).press is Press.READY


# --- the words ----------------------------------------------------------------------------------------------------------


def test_a_paused_pair_that_cannot_be_made_says_both() -> None:
    found = of(a_pair(is_active=False, pause_reason="paused by its owner", closed_channel_donation_message=" "))

    assert (found.state, found.pause_reason) == ("paused", "paused by its owner")
    assert found.cannot == "The donation message of the closed channel is empty; write one."


def test_a_reason_for_a_pause_is_shown_whole_but_for_the_errors_that_are_said_already() -> None:
    words = "Open channel: Bad Request: chat not found"
    failed = a_run(DeliveryState.FAILED, DeliveryState.SENT, error="Bad Request: chat not found")
    paused: dict[str, Any] = {"is_active": False, "last_broadcast": failed, "last_error_message": words}

    by_itself = of(a_pair(pause_reason=f"paused after 5 failures in a row: {words}", **paused))
    by_hand = of(a_pair(pause_reason="moving house: back on Monday", **paused))

    assert by_itself.open.trouble is not None
    assert by_itself.pause_reason == "paused after 5 failures in a row"
    assert by_hand.pause_reason == "moving house: back on Monday"


def test_one_trouble_with_both_messages_is_said_once() -> None:
    run = a_run(DeliveryState.FAILED, DeliveryState.FAILED, error="Bad Request: chat not found")

    found = of(a_pair(last_broadcast=run, consecutive_failures=1, last_error_message="whatever"))

    assert found.trouble is not None
    assert found.trouble.words == "Bad Request: chat not found"
    assert found.open.trouble is found.closed.trouble is None


def test_an_imported_error_is_shown_until_a_broadcast_says_more() -> None:
    words = "Open channel: Forbidden: bot was kicked from the channel chat; Closed channel: Bad Request: chat not found"

    found = of(a_pair(consecutive_failures=2, last_error_message=words))

    assert found.trouble is not None
    assert found.trouble.words == words
    assert found.trouble.advice.startswith("Add the bot")
    assert of(a_pair(consecutive_failures=0, last_error_message=words)).trouble is None


def test_a_retry_is_the_next_time_if_it_is_sooner() -> None:
    sooner = of(a_pair(next_send_time=NOON + timedelta(hours=3), retry_at=NOON + timedelta(hours=1)))
    paused = of(a_pair(is_active=False))

    assert (sooner.next_time, sooner.retrying) == (NOON + timedelta(hours=1), True)
    assert paused.next_time is None


@pytest.mark.parametrize(
    ("chat", "link"), [(-1001234567890, "https://t.me/c/1234567890/7"), (-12345, None), (12345, None)]
)
def test_only_channels_have_links_to_their_messages(chat: int, link: str | None) -> None:
    assert message_link(chat, 7) == link


def test_a_card_says_nothing_else_as_time_passes() -> None:
    pair = a_pair(last_broadcast=a_run(DeliveryState.SENT, DeliveryState.SENT), last_sent_time=NOON)

    assert of(pair) == of(pair, seconds=86400)


# --- the preview --------------------------------------------------------------------------------------------------------


@given(st.text(max_size=60))
def test_a_preview_shows_every_text_as_it_is(text: str) -> None:
    pair = a_pair(closed_channel_donation_message=text, open_channel_description=text)
    for channel, preview in zip(Channel, previews(pair, bot_username=BOT), strict=True):
        if preview.text is None:
            with pytest.raises(CannotRender, match=re.escape(preview.cannot or "nothing")):
                render(pair, channel, bot_username=BOT)
            continue
        message = render(pair, channel, bot_username=BOT)
        assert visible_text(str(preview.text)) == visible_text(message.html)
        assert text.strip() in visible_text(message.html)
        assert preview.buttons == message.buttons


@pytest.mark.parametrize("html", ["<script>x</script>", "<a href='x'>y</a>", "<b onclick='x'>y</b>", "<img src=x>"])
def test_what_our_messages_never_hold_is_never_shown(html: str) -> None:
    with pytest.raises(ValueError, match="cannot show"):
        shown(html)


def test_the_preview_counts_and_misses() -> None:
    pair = a_pair(
        open_channel_description="", closed_channel_donation_message="x" * 250, sub_2_price=Decimal(9), sub_2_time=9
    )

    offer, request = previews(pair, bot_username=BOT)

    lengths = {one.what: one for one in (*offer.lengths, *request.lengths)}
    assert lengths["donation message"].length == 250
    assert lengths["donation message"].close
    assert not lengths["closed channel's title"].close
    assert offer.missing == ("The open channel's description is empty.", "1 of 3 subscription tiers are not used.")


# --- the history --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"cause": Cause.SCHEDULE}, "on schedule"),
        ({"cause": Cause.RETRY, "retry": 2}, "retry 2"),
        ({"cause": Cause.MANUAL, "by": OWNER}, "by you"),
        ({"cause": Cause.MANUAL, "by": OUTSIDER}, f"by {OUTSIDER}"),
        ({"cause": Cause.MANUAL, "by": None}, "by hand"),
    ],
)
def test_the_history_says_why(changes: dict[str, Any], why: str) -> None:
    runs = [a_run(DeliveryState.SENT, DeliveryState.SENT, **changes)]

    assert past(runs, viewer=OWNER).broadcasts[0].why == why


def test_a_page_of_history_knows_whether_there_is_an_older_one() -> None:
    runs = [a_run(DeliveryState.SENT, DeliveryState.SENT, claimed_at=NOON - timedelta(hours=n)) for n in range(21)]

    assert past(runs, viewer=OWNER).older == NOON - timedelta(hours=19)
    assert past(runs[:20], viewer=OWNER).older is None


# --- what holds everything back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", GateReason)
def test_every_reason_of_the_gate_has_words_for_owners(reason: GateReason) -> None:
    gate = Gate(reason=reason, since=NOON, blocked_until=NOON, block_seconds=1, detail="secret detail")

    found = held.held(Pace(gate=gate))

    assert found is not None
    assert found.why != reason.value
    assert "secret" not in found.why


def test_the_operators_pause_is_said_first_and_an_open_gate_not_at_all() -> None:
    gate = Gate(reason=GateReason.THROTTLED, since=NOON, blocked_until=NOON, block_seconds=1, detail="")

    paused = held.held(Pace(gate=gate, paused_all=PausedAll(since=NOON, reason="moving")))

    assert paused is not None
    assert paused.why == "the operator paused everything"
    assert held.held(Pace()) is held.held(None) is None


# --- where requests come from -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({"Sec-Fetch-Site": "same-origin", "Host": "a"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil", "Host": "a"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://a", "Host": "a"}, False),
        ({"Sec-Fetch-Site": "none", "Host": "a"}, False),
        ({"Origin": "https://a", "Host": "a"}, True),
        ({"Origin": "http://a:8080", "Host": "a:8080"}, True),
        ({"Origin": "http://a:8081", "Host": "a:8080"}, False),
        ({"Origin": "null", "Host": "a"}, False),
        ({"Host": "a"}, False),
        ({}, False),
    ],
)
def test_only_a_browser_can_say_that_a_page_of_ours_asked(headers: dict[str, str], ours: bool) -> None:
    assert transport.came_from_here(Headers(headers)) is ours


@pytest.mark.parametrize(
    ("host", "scheme", "name"),
    [
        ("127.0.0.1:8080", "http", "broadcast-manager-8080"),
        ("[::1]:8081", "http", "broadcast-manager-8081"),
        ("[::1]", "http", "broadcast-manager"),
        ("localhost", "http", "broadcast-manager"),
        ("shop.example:8443", "https", "__Host-broadcast-manager"),
    ],
)
def test_engines_on_one_machine_do_not_take_each_others_cookie(host: str, scheme: str, name: str) -> None:
    assert transport.cookie_name(Headers({"Host": host}), scheme=scheme) == name


@pytest.mark.parametrize(
    ("host", "scheme", "may"),
    [
        ("127.0.0.1:8080", "http", True),
        ("localhost:8080", "http", True),
        ("[::1]:8080", "http", True),
        ("127.0.0.1.evil.example", "http", False),
        ("shop.example", "http", False),
        ("shop.example", "https", True),
    ],
)
def test_a_session_goes_over_https_or_stays_on_this_machine(host: str, scheme: str, may: bool) -> None:
    assert transport.may_carry_a_session(Headers({"Host": host}), scheme=scheme) is may


@pytest.mark.parametrize(
    ("path", "root"),
    [("/", ""), ("/operator", ""), ("/operator/", "../"), ("/pairs/x", "../"), ("/pairs/x/history", "../../")],
)
def test_every_page_finds_the_root_by_a_relative_way(path: str, root: str) -> None:
    assert pages.root_of(path) == root


def test_templates_name_no_address_from_the_root_of_the_host() -> None:
    """A path in front of the dashboard is not known to it."""
    folder = Path(pages.__file__).parent / "templates"

    absolute = [
        p.name for p in folder.glob("*.html") for word in ('href="/', 'action="/', 'src="/') if word in p.read_text()
    ]

    assert absolute == []
