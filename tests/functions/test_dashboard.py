"""The dashboard over HTTP, as a browser without scripts sees it, and as its scripts ask."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from functions.dashboard.routes import CHANGING, OPEN_TO_ALL, ROUTES
from infra.telegram_simulator.scripting import Script
from shared.bus import BusUnavailable
from shared.events import Event
from shared.pace import Gate, GateReason, Pace, pause_all
from shared.pair import Cause, PairState
from shared.store import PACE, StoreUnavailable, read_pace, update_pace
from tests.clocks import NOON
from tests.functions.browsing import HERE, Browser, words
from tests.functions.world import World, make_world
from tests.memory.queue import MemoryQueue
from tests.memory.store import MemoryStore
from tests.pairs import OUTSIDER, OWNER, a_pair

LATER = a_pair(next_send_time=NOON + timedelta(hours=9))
PAGE = f"/pairs/{LATER.id}"


def refusing(status: int, description: str) -> Script:
    """Telegram answers so to the next message."""
    return Script(effect="answer", method="sendMessage", status=status, description=description, times=1)


@pytest.fixture
def owner(world: World) -> Browser:
    world.add(LATER)
    return Browser(world, OWNER)


# --- the list -----------------------------------------------------------------------------------------------------------


def test_the_list_shows_the_callers_pairs_and_no_other(world: World) -> None:
    world.add(a_pair(1), a_pair(2), a_pair(3, client_id=OUTSIDER), a_pair(4, ended_at=NOON, is_active=False))

    page = words(Browser(world, OWNER).get("/").text)

    assert "2/10 channels" in page
    assert "Harbor 1 " in page
    assert "Harbor 2+" in page
    assert "Harbor 3" not in page
    assert "Harbor 4" not in page


def test_what_was_sent_is_shown_with_its_times_and_links(world: World) -> None:
    world.add(a_pair())
    world.tick()

    page = Browser(world, OWNER).get("/").text

    pair = world.pair(a_pair())
    assert pair.open_live is not None
    assert f'href="https://t.me/c/1000000001/{pair.open_live.message_id}"' in page
    assert "Last sent 1 Jun 2026, 12:00 UTC" in words(page)
    assert "Next 2 Jun 2026, 12:00 UTC" in words(page)
    assert "Failures in a row 0/5" in words(page)
    assert "1 (1 sent, 0 failed)" in words(page)


def test_a_refusal_is_shown_in_telegrams_words_with_what_to_do(world: World) -> None:
    world.add(a_pair())
    world.simulator.script(refusing(403, "Forbidden: bot is not a member of the channel chat"))
    world.tick()

    page = words(Browser(world, OWNER).get("/").text)

    assert "partly sent" in page
    assert "Forbidden: bot is not a member of the channel chat" in page
    assert "Add the bot to the channel as an administrator that may post messages" in page
    assert "Next try 1 Jun 2026, 12:05 UTC" in page


def test_an_unconfirmed_message_says_to_look_into_the_channel(world: World) -> None:
    world.add(a_pair())
    world.simulator.script(refusing(500, "Internal Server Error: restart"))
    world.tick()

    page = words(Browser(world, OWNER).get("/").text)

    assert "unconfirmed" in page
    assert "Look into the channel: if the message stands there twice, delete one; if it is missing, resend." in page


def test_a_pair_that_cannot_be_made_is_not_configured_and_says_what_to_mend(world: World) -> None:
    world.add(a_pair(sub_1_price=None, next_send_time=NOON + timedelta(hours=1)))

    page = words(Browser(world, OWNER).get("/").text)

    assert "not configured" in page
    assert "📭 Not Configured" in page
    assert "no subscription tier" in page


def test_without_pairs_the_list_says_why_and_what_to_do(world: World) -> None:
    answer = Browser(world, OWNER).get("/")

    assert "No channels yet" in words(answer.text)
    assert "Register your first Telegram channel to start accepting payments" in words(answer.text)
    assert 'href="https://www.example.com/register"' in answer.text


def test_what_holds_everything_back_is_said(world: World, owner: Browser) -> None:
    read_pace(world.store)
    update_pace(world.store, lambda p, now: pause_all(p, now=now, reason="moving"))

    page = words(owner.get("/").text)

    assert "Sending is held back since 1 Jun 2026, 12:00 UTC: the operator paused everything." in page


def test_titles_are_shown_literally(world: World) -> None:
    world.add(a_pair(open_channel_title='<b>&"Harbor', closed_channel_donation_message="<script>x</script> & thanks"))
    browser = Browser(world, OWNER)

    listed, paired = browser.get("/").text, browser.get(f"/pairs/{a_pair().id}").text

    assert "&lt;b&gt;&amp;&#34;Harbor" in listed
    assert '<b>&"' not in listed + paired
    assert "<script>x" not in paired
    assert "<b>&lt;script&gt;x&lt;/script&gt; &amp; thanks</b>" in paired


# --- resend -------------------------------------------------------------------------------------------------------------


def test_without_scripts_resend_asks_first_and_then_sends(world: World, owner: Browser) -> None:
    question = owner.get(f"{PAGE}/resend")

    assert 'Resend subscription and donation messages to "Harbor 1"?' in words(question.text)
    assert "You can only resend messages once every 5 minutes" in words(question.text)
    answer = owner.submit(f"{PAGE}/resend")

    assert answer.status_code == 303
    assert answer.headers["Location"] == f"../../pairs/{LATER.id}"
    assert "⏳ Sending..." in owner.get(PAGE).text
    world.run()
    assert world.last(LATER).cause is Cause.MANUAL
    assert world.last(LATER).by == OWNER
    page = owner.get(PAGE).text
    assert "⏰ Wait 5:00" in page or "⏰ Wait 4:59" in page


def test_a_script_is_told_when_the_messages_leave_and_given_the_card(owner: Browser) -> None:
    answer = owner.press(f"{PAGE}/resend")

    body = answer.get_json()
    assert answer.status_code == 200
    assert body["eta_seconds"] == 1
    assert body["message"] == "Messages queued for sending! They will be sent within a second."
    assert 'data-state="queued"' in body["card"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_second_press_is_told_how_long_to_wait(world: World, owner: Browser) -> None:
    owner.press(f"{PAGE}/resend")
    world.run()
    world.clock.advance(60)

    refused = owner.press(f"{PAGE}/resend")
    shown = owner.submit(f"{PAGE}/resend")

    assert refused.status_code == shown.status_code == 429
    assert refused.get_json()["error"] == "Please wait 4 minutes before resending messages again."
    assert 0 < refused.get_json()["retry_after_seconds"] <= 240
    assert refused.headers["Retry-After"] == str(refused.get_json()["retry_after_seconds"])
    assert "Please wait 4 minutes before resending messages again." in words(shown.text)
    assert world.simulator.accepted_count() == 2


def test_the_last_minute_is_one_minute(world: World, owner: Browser) -> None:
    owner.press(f"{PAGE}/resend")
    world.run()
    world.clock.advance(270)

    assert owner.press(f"{PAGE}/resend").get_json()["error"] == "Please wait 1 minute before resending messages again."


def test_the_countdown_stands_in_the_page_and_ends(world: World, owner: Browser) -> None:
    owner.press(f"{PAGE}/resend")
    world.run()
    passed = (world.clock.now() - NOON).total_seconds()
    world.clock.advance(295 - passed)

    assert "⏰ Wait 0:05" in owner.get("/").text
    assert 'data-ready-at="2026-06-01T12:04:59.880000Z"' in owner.get("/").text
    world.clock.advance(5)
    assert "📬 Resend Messages" in words(owner.get("/").text)


def test_a_gate_that_is_closed_refuses_with_a_sentence(world: World, owner: Browser) -> None:
    read_pace(world.store)
    stored = world.store.get(PACE, "pace")
    assert stored is not None
    gate = Gate(
        reason=GateReason.BOT_UNUSABLE,
        since=NOON,
        blocked_until=NOON + timedelta(minutes=1),
        block_seconds=60,
        detail="Unauthorized",
    )
    world.store.replace(PACE, stored, Pace(gate=gate))

    answer = owner.press(f"{PAGE}/resend")

    assert answer.status_code == 503
    assert "nothing was used up" in answer.get_json()["error"]


def test_a_paused_pair_is_a_conflict_that_says_so(owner: Browser) -> None:
    owner.submit(f"{PAGE}/pause")

    answer = owner.press(f"{PAGE}/resend")

    assert answer.status_code == 409
    assert "Resume it first" in answer.get_json()["error"]


# --- pause and resume -----------------------------------------------------------------------------------------------------


def test_pause_and_resume(world: World, owner: Browser) -> None:
    assert owner.submit(f"{PAGE}/pause").status_code == 303
    assert world.pair(LATER).state is PairState.PAUSED
    page = words(owner.get("/").text)
    assert "paused by its owner" in page
    assert " Resume " in page

    assert owner.submit(f"{PAGE}/resume").status_code == 303
    assert world.pair(LATER).is_active


def test_resuming_says_what_the_bot_lacks(world: World, owner: Browser) -> None:
    owner.submit(f"{PAGE}/pause")
    world.simulator.add_channel(LATER.open_chat_id, "Harbor 1", member="left")

    shown = owner.submit(f"{PAGE}/resume")
    owner.submit(f"{PAGE}/pause")
    told = owner.press(f"{PAGE}/resume").get_json()

    assert shown.status_code == 200
    assert "add the bot as an administrator that may post messages" in words(shown.text)
    assert "add the bot as an administrator" in told["message"]


# --- history and preview --------------------------------------------------------------------------------------------------


def test_the_history_says_when_why_by_whom_and_what_became_of_each_message(world: World, owner: Browser) -> None:
    owner.press(f"{PAGE}/resend")
    world.run()
    world.clock.advance(24 * 3600)
    world.tick()

    page = Browser(world, OWNER).get(f"{PAGE}/history").text

    assert words(page).index("on schedule") < words(page).index("by you")
    assert words(page).count("See message") == 4
    run = world.last(LATER)
    assert f"https://t.me/c/2000000001/{run.closed.message_id}" in page


def test_an_empty_history_and_the_end_of_one_have_their_own_words(owner: Browser) -> None:
    assert "No broadcasts yet" in words(owner.get(f"{PAGE}/history").text)
    assert "Nothing older" in words(owner.get(f"{PAGE}/history?before=2020-01-01T00:00:00Z").text)


def test_twenty_broadcasts_a_page_and_a_way_to_the_older_ones(world: World) -> None:
    world.add(LATER)
    for _ in range(22):
        world.clock.advance(24 * 3600)
        world.tick()
    owner = Browser(world, OWNER)

    first = owner.get(f"{PAGE}/history").text
    link = first.split('href="history?before=')[1].split('"')[0]
    second = owner.get(f"{PAGE}/history?before={link}").text

    assert first.count("<strong><time") == 20
    assert second.count("<strong><time") == 2
    assert "history?before=" not in second


def test_a_time_that_is_none_is_refused(owner: Browser) -> None:
    assert owner.get(f"{PAGE}/history?before=yesterday").status_code == 400


def test_the_preview_is_what_is_sent(world: World, owner: Browser) -> None:
    page = owner.get(PAGE).text
    owner.press(f"{PAGE}/resend")
    world.run()

    for chat in (LATER.open_chat_id, LATER.closed_chat_id):
        sent = world.simulator.visible(chat)[0]
        assert sent.formatted.text in words(page) or " ".join(sent.formatted.text.split()) in words(page)
    assert "🥇 $5.00 for 30 days" in page
    assert "💝 Donate to Support This Channel" in page
    assert "2 of 3 subscription tiers are not used." in page


# --- live ---------------------------------------------------------------------------------------------------------------


def test_cards_that_did_not_change_are_not_sent_again(world: World, owner: Browser) -> None:
    first = owner.get("/cards")
    mark = first.headers["ETag"]

    world.clock.advance(1)
    again = owner.get("/cards", **{"If-None-Match": mark})
    owner.submit(f"{PAGE}/pause")
    changed = owner.get("/cards", **{"If-None-Match": mark})

    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Server-Time"] == "2026-06-01T12:00:01Z"
    assert changed.status_code == 200
    assert "paused" in changed.text


def test_the_end_of_the_cooldown_is_a_change(world: World, owner: Browser) -> None:
    owner.press(f"{PAGE}/resend")
    world.run()
    mark = owner.get("/cards").headers["ETag"]
    world.clock.advance(60)
    assert owner.get("/cards", **{"If-None-Match": mark}).status_code == 304

    world.clock.advance(240)

    assert owner.get("/cards", **{"If-None-Match": mark}).status_code == 200


# --- nobody else's --------------------------------------------------------------------------------------------------------

PAIR_ROUTES = [
    (rule.rule.replace("<id>", LATER.id), method)
    for rule in ROUTES.iter_rules()
    if "<id>" in rule.rule
    for method in sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"})
]
CLOSED_ROUTES = [
    (rule.rule.replace("<id>", LATER.id), method)
    for rule in ROUTES.iter_rules()
    if rule.endpoint not in OPEN_TO_ALL
    for method in sorted(set(rule.methods or ()) - {"HEAD", "OPTIONS"})
]


@pytest.mark.parametrize(("path", "method"), PAIR_ROUTES)
def test_another_clients_pair_is_not_there(world: World, owner: Browser, path: str, method: str) -> None:
    world.add(a_pair(9, client_id=OUTSIDER))
    outsider = Browser(world, OUTSIDER)

    answer = outsider.get(path) if method == "GET" else outsider.submit(path)
    unknown = outsider.get(path.replace(LATER.id, OUTSIDER)) if method == "GET" else None
    mine = owner.get(path) if method == "GET" else owner.submit(path)

    assert answer.status_code == 404
    assert unknown is None or (unknown.status_code, unknown.text) == (404, answer.text)
    assert mine.status_code in {200, 303}
    assert "Harbor 1" not in answer.text


def test_an_outsider_changes_nothing(world: World) -> None:
    world.add(LATER, a_pair(9, client_id=OUTSIDER))
    outsider = Browser(world, OUTSIDER)

    answers = [outsider.submit(path).status_code for path, method in PAIR_ROUTES if method == "POST"]

    assert set(answers) == {404}
    assert world.pair(LATER) == LATER


@pytest.mark.parametrize(("path", "method"), CLOSED_ROUTES)
def test_without_a_session_every_page_is_for_signing_in(world: World, path: str, method: str) -> None:
    world.add(LATER)
    nobody = Browser(world)

    page = nobody.get(path) if method == "GET" else nobody.submit(path)
    told = nobody.client.open(path, method=method, headers={"Accept": "application/json"})

    assert page.status_code == told.status_code == 401
    assert "Sign in" in page.text
    assert told.get_json()["success"] is False
    assert "Harbor" not in page.text + told.text


@pytest.mark.parametrize("path", ["/pairs/1", "/pairs/x/history", "/nothing", "/files/0/main.js", "/pairs/"])
def test_what_is_not_there_is_a_page_that_leads_back(owner: Browser, path: str) -> None:
    answer = owner.get(path)

    assert answer.status_code == 404
    assert "Your Channels" in answer.text


# --- forms of others --------------------------------------------------------------------------------------------------------

CHANGING_PATHS = [rule.rule.replace("<id>", LATER.id) for rule in ROUTES.iter_rules() if rule.endpoint in CHANGING]


@pytest.mark.parametrize("path", CHANGING_PATHS)
@pytest.mark.parametrize(
    ("headers", "token"),
    [
        (HERE, False),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({}, True),
    ],
    ids=["no token", "cross-site", "same-site", "another origin", "null origin", "from nowhere"],
)
def test_a_form_that_is_not_ours_is_refused(
    world: World, owner: Browser, path: str, headers: dict[str, str], token: bool
) -> None:
    data = {"form_token": owner.form_token if token else "0" * 64, "client_id": OWNER}

    answer = owner.client.post(path, data=data, headers=headers)

    assert answer.status_code == 403
    assert world.pair(LATER) == LATER
    assert owner.get("/").status_code == 200


def test_a_form_of_ours_may_say_so_by_its_origin(owner: Browser) -> None:
    data = {"form_token": owner.form_token}

    answer = owner.client.post(f"{PAGE}/pause", data=data, headers={"Origin": "http://localhost"})

    assert answer.status_code == 303


def test_every_post_is_either_guarded_or_begins_a_session() -> None:
    posts = {rule.endpoint for rule in ROUTES.iter_rules() if "POST" in (rule.methods or ())}

    assert posts == CHANGING | {"begin_session"}


# --- headers ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", PAGE, f"{PAGE}/history", f"{PAGE}/resend", "/cards", "/sign-in", "/nothing"])
def test_private_pages_are_kept_nowhere_and_run_nothing_inline(owner: Browser, path: str) -> None:
    answer = owner.get(path)

    policy = answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert " style=" not in answer.text
    assert " onclick=" not in answer.text
    assert "Strict-Transport-Security" not in answer.headers


def test_over_https_it_stays_https(owner: Browser) -> None:
    assert "Strict-Transport-Security" in owner.get("/sign-in", **{"X-Forwarded-Proto": "https"}).headers


def test_files_are_kept_for_ever_under_a_name_that_changes_with_them(owner: Browser) -> None:
    page = owner.get("/").text
    path = "/" + page.split('<link rel="stylesheet" href="')[1].split('"')[0]

    packed = owner.get(path, **{"Accept-Encoding": "gzip"})
    plain = owner.get(path)

    assert packed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(plain.data)
    assert plain.headers["Content-Type"].startswith("text/css")


# --- when something is down -------------------------------------------------------------------------------------------------


class _Down(MemoryStore):
    """A store that stops answering."""

    down = False

    def get(self, collection: Any, id: str) -> Any:
        if _Down.down:
            raise StoreUnavailable("the test took it away")
        return super().get(collection, id)


@pytest.fixture
def shaky() -> Iterator[World]:
    _Down.down = False

    def wrap(memory: MemoryStore) -> MemoryStore:
        memory.__class__ = _Down
        return memory

    made, close = make_world(store=wrap)
    yield made
    close()
    _Down.down = False


def test_a_store_that_does_not_answer_is_said_and_never_looks_like_an_empty_list(shaky: World) -> None:
    shaky.add(LATER)
    owner = Browser(shaky, OWNER)
    _Down.down = True

    listed, pressed = owner.get("/"), owner.press(f"{PAGE}/resend")

    assert listed.status_code == pressed.status_code == 503
    assert "cannot reach its records" in listed.text
    assert "No channels yet" not in listed.text
    assert "cannot reach its records" in pressed.get_json()["error"]


class _Refusing:
    def __init__(self, queue: MemoryQueue) -> None:
        self._queue = queue

    def publish(self, events: list[Event]) -> None:
        del events
        raise BusUnavailable("the test took it away")


def test_a_press_that_cannot_be_handed_on_uses_nothing_up() -> None:
    world, close = make_world(bus=_Refusing)
    world.add(LATER)
    answer = Browser(world, OWNER).press(f"{PAGE}/resend")
    close()

    assert answer.status_code == 503
    assert "nothing was used up" in answer.get_json()["error"]
    assert world.pair(LATER).last_manual_trigger_time is None
