"""What the pages show in a real browser: every state, empty lists, times, themes, widths; live, without scripts, within budget."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from functions.dashboard.cards import NOT_CONFIGURED
from shared.pace import pause_all, resume_all
from shared.pair import PairState
from shared.store import read_pace, update_pace
from tests.clocks import NOON
from tests.dashboard.conftest import Opened, add_later, stop_time
from tests.dashboard.serving import Served, serve
from tests.dashboard.states import KICKED, every_state
from tests.functions.tokens import token
from tests.functions.world import World, make_world
from tests.pairs import OUTSIDER, OWNER, a_pair

Shot = Callable[[Page, str], None]
WIDTHS = {"phone": 320, "desk": 1280}
SERIOUS = {"serious", "critical"}


def show_every_state(world: World) -> None:
    world.add(*(pair for pair, _ in every_state().values()))


def findings(page: Page) -> list[str]:
    """What axe finds that would keep somebody out."""
    found = Axe().run(page).response["violations"]
    return [f"{v['id']}: {n['html']}" for v in found if v["impact"] in SERIOUS for n in v["nodes"]]


# --- states -------------------------------------------------------------------------------------------------------------


def test_there_is_a_fixture_for_every_state() -> None:
    assert set(every_state()) == {state.value for state in PairState} - {"ended"} | {NOT_CONFIGURED}


def test_each_state_has_its_word_its_colour_its_icon_and_what_to_do(world: World, opened: Opened) -> None:
    show_every_state(world)
    page = opened()
    seen = set()
    for word, (pair, texts) in every_state().items():
        card = page.locator(f"#pair-{pair.id}")
        badge = card.locator(".head .state")
        expect(badge).to_have_text(word)
        for text in texts:
            expect(card).to_contain_text(text)
        colours = "getComputedStyle(e).color + getComputedStyle(e).backgroundColor"
        seen.add(badge.evaluate(f"e => {colours} + e.querySelector('path').getAttribute('d')"))

    assert len(seen) == len(every_state())


def test_empty_lists_and_failures_have_texts_of_their_own(world: World, served: Served, opened: Opened) -> None:
    page = opened()
    expect(page.locator("main")).to_contain_text("No channels yet")
    expect(page.locator("main").get_by_role("link", name="Register Channel")).to_be_visible()

    id = add_later(world)
    page.goto(f"{served.url}/pairs/{id}/history")
    expect(page.locator("main")).to_contain_text("No broadcasts yet")

    page.goto(served.url)
    stop_time(page)
    page.reload()
    page.route("**/cards", lambda route: route.fulfill(status=500, body=""))
    page.clock.run_for(61_000)
    expect(page.get_by_role("alert").first).to_contain_text("The service does not answer as it should.")
    expect(page.locator(f"#pair-{id}")).to_be_visible()


# --- live ---------------------------------------------------------------------------------------------------------------

HIDE = "Object.defineProperty(document, 'hidden', {get: () => window.away === true});"


def be(page: Page, away: bool) -> None:
    """Turn to another tab, or back."""
    page.evaluate(
        f"() => {{ window.away = {str(away).lower()}; document.dispatchEvent(new Event('visibilitychange')); }}"
    )


def test_it_looks_often_while_something_happens_and_rarely_otherwise(
    world: World, served: Served, opened: Opened
) -> None:
    show_every_state(world)
    page = opened("/sign-in")
    stop_time(page)
    page.add_init_script(HIDE)
    page.goto(served.url)

    def looks() -> int:
        return served.count("GET /cards")

    for _ in range(20):
        before = looks()
        with page.expect_response("**/cards"):
            page.clock.run_for(3_000)
        assert looks() == before + 1
    page.clock.run_for(57_000)
    assert looks() == 20, "after a minute of it, once a minute is enough"

    be(page, away=True)
    page.clock.run_for(600_000)
    assert looks() == 20
    with page.expect_response("**/cards"):
        be(page, away=False)
    assert looks() == 21


def test_what_did_not_change_is_not_sent_and_what_did_is_shown(world: World, served: Served, opened: Opened) -> None:
    id = add_later(world)
    page = opened("/sign-in")
    stop_time(page)
    page.goto(served.url)
    card = page.locator(f"#pair-{id}")
    with page.expect_response("**/cards") as answered:
        page.clock.run_for(60_000)
    assert answered.value.status == 304

    world.clock.advance(9 * 3600)
    world.tick()
    card.get_by_role("link", name="History").focus()
    with page.expect_response("**/cards") as answered:
        page.clock.run_for(60_000)

    assert answered.value.status == 200
    expect(card.locator(".head .state")).to_have_text("sent")
    expect(page.locator("#said")).to_have_text("Harbor 1: sent")
    expect(card.get_by_role("link", name="History")).to_be_focused()


def test_the_page_of_one_pair_says_too_when_sending_is_held_back_and_when_it_goes_on(
    world: World, served: Served, opened: Opened
) -> None:
    id = add_later(world)
    page = opened("/sign-in")
    stop_time(page)
    page.goto(f"{served.url}/pairs/{id}")
    read_pace(world.store)
    update_pace(world.store, lambda p, now: pause_all(p, now=now, reason="moving"))

    page.clock.run_for(60_000)
    expect(page.locator("#held")).to_contain_text("the operator paused everything")
    expect(page.locator(".card")).to_have_count(1)
    update_pace(world.store, lambda p, _: resume_all(p))
    page.clock.run_for(60_000)
    expect(page.locator("#held")).to_have_count(0)


def test_pause_and_resume_by_a_press_each(world: World, opened: Opened) -> None:
    id = add_later(world)
    page = opened()
    card = page.locator(f"#pair-{id}")

    card.get_by_role("button", name="Pause").click()
    expect(card.locator(".head .state")).to_have_text("paused")
    expect(card.locator(".note")).to_contain_text("Nothing is sent for this pair until you resume it.")
    expect(card.get_by_role("button", name="Resume", exact=True)).to_be_focused()
    card.get_by_role("button", name="Resume", exact=True).click()
    expect(card.locator(".head .state")).to_have_text("scheduled")


# --- times --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "next_time", "text"),
    [
        ("Asia/Katmandu", NOON + timedelta(hours=9), "Tue 2 Jun, 02:45 (in 9 h)"),
        ("Europe/Berlin", datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "Sun 25 Oct, 02:30 (in 146 d)"),
        ("Europe/Berlin", datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "Sun 25 Oct, 02:30 (in 146 d)"),
    ],
    ids=["three quarters of an hour", "before the clocks go back", "after they went back"],
)
def test_times_are_in_the_readers_zone(world: World, opened: Opened, zone: str, next_time: datetime, text: str) -> None:
    world.add(a_pair(next_send_time=next_time))
    page = opened(timezone_id=zone)
    time = page.locator(".facts time").first

    expect(time).to_have_text(text)
    expect(time).to_have_attribute("title", f"{next_time.day} {next_time:%b %Y, %H:%M} UTC")
    expect(page.locator("#zone")).to_contain_text(f"Times are in {zone}.")


def test_utc_may_be_chosen_and_is_remembered(world: World, opened: Opened) -> None:
    add_later(world)
    page = opened(timezone_id="Asia/Kathmandu")

    page.get_by_role("button", name="Show UTC").click()
    expect(page.locator(".facts time").first).to_have_text("Mon 1 Jun, 21:00 (in 9 h)")
    page.reload()

    expect(page.locator(".facts time").first).to_have_text("Mon 1 Jun, 21:00 (in 9 h)")
    expect(page.locator("#zone")).to_contain_text("Times are in UTC.")


# --- looks ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_and_keeps_nobody_out(
    world: World, served: Served, opened: Opened, shot: Shot, width: str, theme: str
) -> None:
    show_every_state(world)
    odd = a_pair(
        10,
        open_channel_title="Q&A <Live> " + "W" * 19,
        open_channel_description="x" * 140,
        closed_channel_donation_message="Thanks " * 36,
    )
    world.add(odd)
    world.tick()
    page = opened(viewport={"width": WIDTHS[width], "height": 900}, color_scheme=theme, reduced_motion="reduce")
    sent = world.pair(odd).id
    pages = {
        "list": "/",
        "pair": f"/pairs/{sent}",
        "history": f"/pairs/{sent}/history",
        "confirm": f"/pairs/{sent}/resend",
    }
    for name, path in {**pages, "sign-in": "/sign-in", "not-found": "/nothing"}.items():
        page.goto(served.url + path)
        shot(page, f"{name}-{width}-{theme}")
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width], name
        assert findings(page) == [], name
    page.goto(served.url)
    page.locator(f"#pair-{sent} form[data-act=resend] button").click()
    shot(page, f"dialog-{width}-{theme}")
    assert findings(page) == []


@pytest.mark.parametrize(("width", "theme"), [("phone", "dark"), ("desk", "light")])
def test_the_operators_page_fits_and_keeps_nobody_out(
    world: World, served: Served, opened: Opened, shot: Shot, width: str, theme: Any
) -> None:
    show_every_state(world)
    world.add(a_pair(20, client_id=OUTSIDER, created_by="northlight"))
    page = opened("/operator", operator=True, viewport={"width": WIDTHS[width], "height": 900}, color_scheme=theme)

    for text in ("Gate", "open", "In flight", KICKED, "no answer: cut off", "northlight", "1 pair"):
        expect(page.locator("main")).to_contain_text(text)
    shot(page, f"operator-{width}-{theme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width]
    assert findings(page) == []
    page.get_by_role("button", name="Open as northlight").click()
    expect(page.locator(".card")).to_have_count(1)
    assert page.url == f"{served.url}/"


def test_what_is_pressed_is_large_enough(world: World, opened: Opened) -> None:
    show_every_state(world)
    page = opened(viewport={"width": 320, "height": 900})
    small = page.locator("button:visible, a.button:visible").evaluate_all(
        "all => all.map(e => [e.textContent, e.getBoundingClientRect()])"
        ".filter(([, r]) => r.width < 44 || r.height < 44).map(([text]) => text)"
    )

    assert small == []


def test_a_long_title_stays_text(world: World, opened: Opened) -> None:
    id = add_later(world, open_channel_title="<b>&amp; Harbor")
    page = opened(f"/pairs/{id}")

    expect(page.get_by_role("heading", level=1)).to_have_text("<b>&amp; Harbor")
    expect(page.locator(".bubble b").first).to_have_text("<b>&amp; Harbor: Notes from the quay")
    expect(page.locator(".bubble").first.get_by_role("link", name="🥇 $5.00 for 30 days")).to_be_visible()


# --- without scripts, and within budget -------------------------------------------------------------------------------------


def test_without_scripts_forms_do_it_all(world: World, served: Served, opened: Opened) -> None:
    id = add_later(world)
    page = opened(java_script_enabled=False)

    page.get_by_role("button", name="Resend Messages").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(
        'Resend subscription and donation messages to "Harbor 1"?'
    )
    page.get_by_role("button", name="Resend Messages").click()
    assert page.url == f"{served.url}/pairs/{id}"
    expect(page.locator(".head .state")).to_have_text("queued")
    world.run()
    page.goto(f"{served.url}/pairs/{id}/resend")
    expect(page.locator("main")).to_contain_text("Available again at 1 Jun 2026, 12:0")
    expect(page.get_by_role("button", name="Wait")).to_be_disabled()
    page.goto(served.url)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".head .state")).to_have_text("paused")
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(page.locator(".head .state")).to_have_text("sent")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.goto(served.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_the_first_view_is_light(world: World, opened: Opened, record_property: Callable[[str, object], None]) -> None:
    for number in range(10):
        add_later(world, number)
    page = opened()
    page.wait_for_load_state("networkidle")
    entries = page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".map(e => [new URL(e.name).pathname.split('/').at(-1), e.encodedBodySize, e.transferSize])"
    )
    sizes = {name: size for name, size, _ in entries}
    scripts = sum(size for name, size in sizes.items() if name.endswith(".js"))
    over_the_wire = sum(transferred for _, _, transferred in entries)
    figures = {
        "requests": len(entries),
        "html": sizes[""],
        "css": sizes["dashboard.css"],
        "js": scripts,
        "wire": over_the_wire,
    }
    record_property("budget", figures)
    print(figures)

    assert len(entries) <= 6
    assert sizes[""] <= 15_000
    assert sizes["dashboard.css"] <= 10_000
    assert scripts <= 12_000
    assert over_the_wire <= 40_000


# --- signing in -----------------------------------------------------------------------------------------------------------


def test_the_website_hands_its_token_over_in_the_fragment_and_it_does_not_stay_there(
    world: World, served: Served, opened: Opened
) -> None:
    add_later(world)
    page = opened(f"/sign-in#token={token(OWNER)}", signed_in=False)

    expect(page.get_by_role("alert")).to_contain_text(f"You are being signed in as client {OWNER}.")
    assert page.url == f"{served.url}/sign-in"
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("h1")).to_have_text("Your Channels")
    expect(page.locator("main")).to_contain_text("Harbor 1")
    cookie = page.context.cookies()[0]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert not any("token" in asked for asked in served.requests)


def test_where_no_website_is_named_a_link_that_hides_its_page_signs_nobody_in_unasked(
    chromium: Browser,
) -> None:
    world, close = make_world(environ={"CORS_ORIGINS": ""})
    with serve(world.apps["dashboard"]) as served:
        page = chromium.new_page()
        page.goto(f"{served.url}/sign-in#token={token(OUTSIDER)}")

        expect(page.get_by_role("alert")).to_contain_text(f"You are being signed in as client {OUTSIDER}.")
        assert page.context.cookies() == []
        page.context.close()
    close()


def from_website(page: Page, content: str) -> None:
    """Be on a page of the website."""

    def website(route: Route) -> None:
        route.fulfill(content_type="text/html", body=content)

    page.route("https://www.example.com/**", website)
    page.goto("https://www.example.com/dashboard")


def test_from_the_website_itself_no_press_is_needed(world: World, served: Served, opened: Opened) -> None:
    add_later(world)
    page = opened("/sign-in", signed_in=False)
    link = f'<a referrerpolicy="origin" href="{served.url}/sign-in#token={token(OWNER)}">Broadcasts</a>'
    from_website(page, link)

    page.get_by_role("link").click()

    expect(page.locator("main")).to_contain_text("Harbor 1")


@pytest.mark.parametrize(("origin", "status"), [("https://www.example.com", 200), ("https://evil.example", 403)])
def test_a_form_of_the_website_signs_in_and_one_of_another_site_does_not(
    world: World, served: Served, opened: Opened, origin: str, status: int
) -> None:
    add_later(world)
    page = opened("/sign-in", signed_in=False)
    form = (
        '<meta name="referrer" content="origin">'  # or a browser hides where a way from https to http begins
        f'<form method="post" action="{served.url}/session"><input name="token" value="{token(OWNER)}"><button>Go</button>'
    )
    page.route(f"{origin}/**", lambda route: route.fulfill(content_type="text/html", body=form))
    page.goto(f"{origin}/dashboard")

    page.get_by_role("button").click()

    expect(page.locator("main")).to_contain_text(
        "Harbor 1" if status == 200 else "Only the website where you have your account"
    )
