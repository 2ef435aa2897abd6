"""Resend in a real browser: the question, the press, the countdown, and every way it can be refused."""

import json
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.clocks import NOON
from tests.dashboard.conftest import Opened, add_later, stop_time
from tests.dashboard.serving import Served
from tests.functions.world import World

READY, SENDING = "📬 Resend Messages", "⏳ Sending..."


def card(page: Page, id: str) -> Any:
    return page.locator(f"#pair-{id}")


def button(page: Page, id: str) -> Any:
    return card(page, id).locator('form[data-act="resend"] button')


def answer_with(page: Page, status: int, body: dict[str, Any] | None = None) -> None:
    """The next presses are answered so instead of by the server."""

    def fulfil(route: Route) -> None:
        route.fulfill(status=status, content_type="application/json", body=json.dumps(body or {}))

    page.route("**/resend", fulfil)


def press(page: Page, id: str) -> None:
    button(page, id).click()
    page.locator("#confirm button.primary").click()


def test_the_whole_flow_by_the_keyboard_alone(world: World, served: Served, opened: Opened) -> None:
    id = add_later(world)
    page = opened()
    button(page, id).focus()

    page.keyboard.press("Enter")
    dialog = page.locator("#confirm")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text('Resend subscription and donation messages to "Harbor 1"?')
    expect(dialog).to_contain_text("Subscription tier buttons to your open channel")
    expect(dialog).to_contain_text("You can only resend messages once every 5 minutes.")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button(page, id)).to_be_focused()
    assert served.count(f"POST /pairs/{id}/resend") == 0

    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(dialog.get_by_role("button", name=READY)).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(card(page, id).locator(".note")).to_contain_text(
        "Messages queued for sending! They will be sent within a second."
    )
    expect(button(page, id)).to_have_text(SENDING)
    expect(button(page, id)).to_be_focused()
    assert served.count(f"POST /pairs/{id}/resend") == 1

    world.run()
    assert world.simulator.accepted_count() == 2


def test_a_click_beside_the_dialog_is_no_yes(world: World, served: Served, opened: Opened) -> None:
    id = add_later(world)
    page = opened()

    button(page, id).click()
    page.mouse.click(5, 5)

    expect(page.locator("#confirm")).to_be_hidden()
    assert served.count(f"POST /pairs/{id}/resend") == 0


def test_the_card_turns_at_once_and_is_taken_back_when_the_server_fails(world: World, opened: Opened) -> None:
    id = add_later(world)
    page = opened()
    held: list[Route] = []
    page.route("**/resend", lambda route: held.append(route))

    press(page, id)

    expect(card(page, id).locator(".head .state")).to_have_text("Queued…")
    expect(button(page, id)).to_have_text(SENDING)
    expect(button(page, id)).to_have_attribute("aria-disabled", "true")
    held[0].fulfill(status=500, content_type="application/json", body='{"error": "Something broke."}')
    expect(card(page, id).locator(".note")).to_contain_text("Something broke.")
    expect(card(page, id).locator(".head .state")).to_have_text("scheduled")
    expect(button(page, id)).to_have_text(READY)
    expect(button(page, id)).to_be_enabled()


REFUSALS = [
    (401, {}, "Session expired. Please log in again.", "link", "Sign in"),
    (404, {}, "This pair is not here any more", "link", "Reload the list"),
    (409, {"error": "A broadcast of this pair is already on its way."}, "already on its way", "button", "Look again"),
    (503, {"error": "Sending is held back just now."}, "held back just now", "button", "Try again"),
    (500, None, "Failed to trigger broadcast. Please try again.", "button", "Try again"),
    (403, {"error": "This form is too old."}, "too old", "button", "Reload"),
]


@pytest.mark.parametrize(("status", "body", "text", "role", "way"), REFUSALS, ids=[str(r[0]) for r in REFUSALS])
def test_every_refusal_has_its_words_and_a_way_on(
    world: World, opened: Opened, status: int, body: dict[str, Any] | None, text: str, role: Any, way: str
) -> None:
    id = add_later(world)
    page = opened()
    answer_with(page, status, body)

    press(page, id)

    note = card(page, id).locator(".note")
    expect(note).to_contain_text(text)
    expect(note.get_by_role(role, name=way)).to_be_visible()
    expect(card(page, id)).to_contain_text("Harbor 1+")
    expect(button(page, id)).to_have_text(READY)


def test_without_a_connection_it_says_so_and_goes_on_when_there_is_one(world: World, opened: Opened) -> None:
    id = add_later(world)
    page = opened()
    page.context.set_offline(True)

    press(page, id)

    note = card(page, id).locator(".note")
    expect(note).to_contain_text("no connection to the service")
    expect(note).to_have_attribute("role", "alert")
    page.context.set_offline(False)
    note.get_by_role("button", name="Try again").click()
    page.locator("#confirm button.primary").click()
    expect(note).to_contain_text("Messages queued for sending!")


def test_after_a_session_has_ended_the_press_is_kept_until_the_next(world: World, opened: Opened) -> None:
    id = add_later(world)
    page = opened()
    answer_with(page, 401)
    press(page, id)
    card(page, id).get_by_role("link", name="Sign in").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

    page.unroute("**/resend")
    page.get_by_role("link", name="Broadcast Manager").click()

    expect(page.locator("#confirm")).to_be_visible()
    expect(page.locator("#confirm")).to_contain_text("Harbor 1")


def test_after_a_session_has_ended_a_pause_does_not_come_back_as_a_resend(world: World, opened: Opened) -> None:
    id = add_later(world)
    page = opened()
    page.route("**/pause", lambda route: route.fulfill(status=401, content_type="application/json", body="{}"))
    card(page, id).get_by_role("button", name="Pause").click()
    expect(card(page, id).get_by_role("link", name="Sign in")).to_be_visible()

    page.reload()

    expect(button(page, id)).to_have_text(READY)
    expect(card(page, id).locator(".facts time").first).to_contain_text("in 9 h")
    expect(page.locator("#confirm")).to_be_hidden()


def test_news_from_before_the_press_do_not_undo_what_it_did(world: World, opened: Opened) -> None:
    id = add_later(world)
    page = opened()
    held: list[Route] = []
    page.route("**/cards", lambda route: held.append(route))
    with page.expect_request("**/cards"):
        page.evaluate("dispatchEvent(new Event('online'))")
    before = page.evaluate("fetch('cards?root=').then(answer => answer.text())")

    press(page, id)
    expect(button(page, id)).to_have_text(SENDING)
    expect(card(page, id).locator(".note")).to_contain_text("queued")
    with page.expect_response("**/cards"):
        held[0].fulfill(status=200, content_type="text/html", headers={"ETag": '"old"'}, body=before)
    page.evaluate("new Promise(done => setTimeout(done, 0))")

    expect(card(page, id).locator(".head .state")).to_have_text("queued")
    expect(button(page, id)).to_have_text(SENDING)


def test_trying_again_what_has_happened_meanwhile_clears_the_bad_news(world: World, opened: Opened) -> None:
    """The pause was made, only its answer was lost."""
    id = add_later(world)
    page = opened()
    page.route("**/pause", lambda route: (route.fetch(), route.abort()))
    card(page, id).get_by_role("button", name="Pause").click()
    note = card(page, id).locator(".note")
    expect(note).to_contain_text("no connection to the service")
    page.evaluate("dispatchEvent(new Event('online'))")
    expect(card(page, id).locator(".head .state")).to_have_text("paused")

    note.get_by_role("button", name="Try again").click()

    expect(note).to_be_hidden()


def test_a_refusal_for_the_cooldown_counts_down_and_frees_the_button(world: World, opened: Opened) -> None:
    id = add_later(world)
    page = opened("/sign-in")
    stop_time(page)
    page.goto(page.url.replace("/sign-in", "/"))
    error = "Please wait 5 minutes before resending messages again."
    answer_with(page, 429, {"error": error, "retry_after_seconds": 300})
    page.route("**/cards", lambda route: route.fulfill(status=304))  # the world's clock stands still meanwhile

    press(page, id)

    expect(card(page, id).locator(".note")).to_contain_text(error)
    page.clock.run_for(250)
    expect(button(page, id)).to_have_text("⏰ Wait 5:00")
    page.clock.run_for(299_000)
    expect(button(page, id)).to_have_text("⏰ Wait 0:01")
    page.clock.run_for(1_500)
    expect(button(page, id)).to_have_text(READY)
    expect(button(page, id)).to_be_enabled()
    expect(card(page, id).locator(".note")).to_be_hidden()


@pytest.mark.parametrize("device_is_ahead_by_minutes", [0, 10, -10])
def test_the_countdown_is_the_servers_whatever_the_devices_clock_says(
    world: World, opened: Opened, device_is_ahead_by_minutes: int
) -> None:
    id = add_later(world)
    page = opened("/sign-in")
    stop_time(page, NOON + timedelta(minutes=device_is_ahead_by_minutes))
    page.goto(page.url.replace("/sign-in", "/"))
    press(page, id)
    expect(card(page, id).locator(".note")).to_contain_text("queued")
    world.run()

    page.reload()
    expect(button(page, id)).to_have_text("⏰ Wait 5:00")
    other = page.context.new_page()
    other.goto(page.url)
    expect(button(other, id)).to_have_text("⏰ Wait 5:00")

    page.route("**/cards", lambda route: route.fulfill(status=304))  # the world's clock stands still meanwhile
    page.clock.run_for(239_000)
    expect(button(page, id)).to_have_text("⏰ Wait 1:01")
    page.clock.run_for(60_000)
    expect(button(page, id)).to_have_text("⏰ Wait 0:01")
    page.unroute("**/cards")
    world.clock.advance(300)
    with page.expect_response("**/cards"):
        page.clock.run_for(1_000)
    expect(button(page, id)).to_have_text(READY)
    expect(button(page, id)).to_be_enabled()
