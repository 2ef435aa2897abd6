"""Who gets in: by the website's token, over which connection, and who is the operator."""

from datetime import timedelta
from typing import Any

import pytest

from functions.dashboard.routes import LARGEST_FORM
from functions.dashboard.signing_in import NOT_PRIVATE
from shared.sessions import LIFE, Session, Sessions
from tests.clocks import NOON
from tests.functions.browsing import HERE, Browser, form_token, words
from tests.functions.tokens import bearer, token
from tests.functions.world import SECRET, World, make_world
from tests.pairs import OUTSIDER, OWNER, a_pair

HTTPS = {"X-Forwarded-Proto": "https"}


def test_the_websites_token_in_a_form_signs_in(world: World) -> None:
    client = world.apps["dashboard"].test_client()

    answer = client.post("/session", data={"token": token(OWNER)}, headers={"Origin": "https://www.example.com"})

    assert (answer.status_code, answer.headers["Location"]) == (303, "./")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("broadcast-manager=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", "https://www.example.com.evil.example"])
def test_no_other_site_can_sign_a_visitor_in(world: World, origin: str) -> None:
    client = world.apps["dashboard"].test_client()
    headers = {"Origin": origin} if origin else {}

    answer = client.post("/session", data={"token": token(OWNER)}, headers=headers)

    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_a_browser_that_knows_a_password_for_this_host_is_signed_in_by_no_other_site(world: World) -> None:
    """A proxy may ask for one; from then on the browser sends it by itself, with every site's forms."""
    client = world.apps["dashboard"].test_client()
    headers = {
        "Authorization": "Basic b3duZXI6c2VjcmV0",
        "Sec-Fetch-Site": "cross-site",
        "Origin": "https://evil.example",
    }

    answer = client.post("/session", data={"token": token(OUTSIDER)}, headers=headers)

    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers


def test_a_session_of_an_engine_at_another_port_is_left_alone(world: World) -> None:
    """A browser sends both cookies to both; signing in at one must not sign anybody out at the other."""
    client = world.apps["dashboard"].test_client()
    there, here = {"Host": "localhost:8080"}, {"Host": "localhost:8081"}
    client.set_cookie("broadcast-manager-8080", "another-engine", domain="localhost")

    first = client.get("/", headers=here).status_code
    client.post("/session", headers={**bearer(OWNER), **here})

    assert (first, client.get("/", headers=here).status_code) == (401, 200)
    kept = client.get_cookie("broadcast-manager-8080", domain="localhost")
    assert kept is not None
    assert kept.value == "another-engine"
    assert client.get("/", headers=there).status_code == 401


def test_over_https_the_cookie_belongs_to_this_host_alone(world: World) -> None:
    client = world.apps["dashboard"].test_client()

    answer = client.post("/session", headers={**bearer(OWNER), **HTTPS, "Host": "dashboard.example.com"})

    assert answer.headers["Set-Cookie"].startswith("__Host-broadcast-manager=")
    assert "; Secure" in answer.headers["Set-Cookie"]
    assert "Path=/" in answer.headers["Set-Cookie"]
    assert "Domain" not in answer.headers["Set-Cookie"]


def test_over_plain_http_from_elsewhere_nobody_is_signed_in(world: World) -> None:
    client = world.apps["dashboard"].test_client()

    answer = client.post("/session", headers={**bearer(OWNER), "Host": "192.0.2.7:8080"})

    assert answer.status_code == 400
    assert NOT_PRIVATE in answer.text
    assert "Set-Cookie" not in answer.headers


def test_a_cookie_set_without_https_is_not_taken_over_https(world: World) -> None:
    browser = Browser(world, OWNER)

    assert browser.get("/").status_code == 200
    assert browser.get("/", **HTTPS).status_code == 401


@pytest.mark.parametrize(
    "claims", [{"type": "refresh"}, {"exp": 1}, {"sub": "nobody"}], ids=["a refresh token", "an old one", "of nobody"]
)
def test_a_bad_token_signs_nobody_in(world: World, claims: dict[str, Any]) -> None:
    client = world.apps["dashboard"].test_client()

    answer = client.post("/session", data={"token": token(OWNER, **claims)}, headers=HERE)

    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers


def test_a_token_in_an_address_is_no_token(world: World) -> None:
    client = world.apps["dashboard"].test_client()

    assert client.get(f"/?token={token(OWNER)}").status_code == 401
    assert client.post(f"/session?token={token(OWNER)}", headers=HERE).status_code == 401


def test_a_session_lasts_a_working_day(world: World) -> None:
    browser = Browser(world, OWNER)
    world.clock.advance(LIFE.total_seconds() - 1)
    assert browser.get("/").status_code == 200

    world.clock.advance(2)

    answer = browser.get("/")
    assert answer.status_code == 401
    assert "Session expired. Please log in again." in words(answer.text)


def test_signing_out_forgets_the_session(world: World) -> None:
    world.add(a_pair())
    browser = Browser(world, OWNER)

    answer = browser.submit("/session/end")

    assert answer.headers["Location"] == "../sign-in"
    assert browser.get("/").status_code == 401


def test_the_page_for_signing_in_says_where(world: World) -> None:
    page = world.apps["dashboard"].test_client().get("/sign-in").text

    assert 'href="https://www.example.com/login"' in page


def test_without_a_website_it_says_how_to_make_a_link() -> None:
    world, close = make_world(environ={"CORS_ORIGINS": ""})
    page = world.apps["dashboard"].test_client().get("/sign-in").text
    close()

    assert "broadcastctl link" in page


# --- the operator -------------------------------------------------------------------------------------------------------


def test_the_operators_page_is_for_those_the_setting_names() -> None:
    world, close = make_world(environ={"OPERATORS": OWNER})
    world.add(a_pair(1), a_pair(2, client_id=OUTSIDER), a_pair(3, client_id=OUTSIDER, sub_1_price=None))
    world.tick()
    operator, outsider = Browser(world, OWNER), Browser(world, OUTSIDER)

    shown, refused = operator.get("/operator"), outsider.get("/operator")
    close()

    page = words(shown.text)
    assert "Pairs 3: 2 sent, 1 failed" in page
    assert "Gate open" in page
    assert "no subscription tier" in page
    assert "4 messages in the last minute" in page
    assert refused.status_code == 404
    assert "Operator" not in outsider.get("/").text
    assert "Operator" in operator.get("/").text


def test_an_operator_by_the_setting_cannot_act_as_somebody_else() -> None:
    world, close = make_world(environ={"OPERATORS": OWNER})
    world.add(a_pair(1), a_pair(2, client_id=OUTSIDER))
    operator = Browser(world, OWNER)

    answer = operator.submit("/operator/as", client_id=OUTSIDER)
    close()

    assert answer.status_code == 404
    assert "Open as" not in operator.get("/operator").text


def test_the_machines_owner_may_look_as_each_client(world: World) -> None:

    world.add(a_pair(1), a_pair(2, client_id=OUTSIDER))
    browser = Browser(world)
    session = Session(id="x", client_id=None, operator=True, expires_at=NOON + timedelta(hours=1))
    browser.client.set_cookie("broadcast-manager", Sessions([SECRET]).sign(session))

    first = browser.get("/")
    page = browser.get("/operator").text
    browser.form_token = form_token(page)
    answer = browser.submit("/operator/as", client_id=OUTSIDER)

    assert (first.status_code, first.headers["Location"]) == (303, "operator")
    assert page.count("Open as") == 2
    assert (answer.status_code, answer.headers["Location"]) == (303, "../")
    assert "Harbor 2" in browser.get("/").text
    assert "Harbor 1" not in browser.get("/").text
    assert browser.get(f"/pairs/{a_pair(1).id}").status_code == 404


def test_looking_as_a_client_does_not_make_the_operators_session_longer(world: World) -> None:
    world.add(a_pair(1))
    browser = Browser(world)
    session = Session(id="x", client_id=None, operator=True, expires_at=NOON + timedelta(hours=1))
    browser.client.set_cookie("broadcast-manager", Sessions([SECRET]).sign(session))
    browser.form_token = form_token(browser.get("/operator").text)
    browser.submit("/operator/as", client_id=OWNER)
    assert browser.get("/").status_code == 200

    world.clock.advance(3601)

    assert browser.get("/").status_code == 401


def test_what_the_operator_does_as_a_client_is_told_as_the_operators(world: World) -> None:
    pair = a_pair(next_send_time=NOON + timedelta(days=1))
    world.add(pair)
    session = Session(id="x", client_id=None, operator=True, expires_at=NOON + timedelta(hours=1))
    browser = Browser(world)
    browser.client.set_cookie("broadcast-manager", Sessions([SECRET]).sign(session))
    browser.form_token = form_token(browser.get("/operator").text)
    browser.submit("/operator/as", client_id=OWNER)
    browser.form_token = form_token(browser.get("/").text)

    browser.press(f"/pairs/{pair.id}/resend")
    world.run()
    browser.press(f"/pairs/{pair.id}/pause")

    assert world.last(pair).by == "the operator"
    assert world.pair(pair).pause_reason == "paused by the operator"
    assert "by you" in words(browser.get(f"/pairs/{pair.id}/history").text)
    assert "by the operator" in words(Browser(world, OWNER).get(f"/pairs/{pair.id}/history").text)


@pytest.mark.parametrize(("signed_in", "status"), [(True, 413), (False, 401)])
def test_a_form_larger_than_any_of_ours_is_answered_in_words_and_not_read(
    world: World, signed_in: bool, status: int
) -> None:
    browser = Browser(world, OWNER if signed_in else None)

    answer = browser.submit("/session/end", more="x" * LARGEST_FORM)

    assert answer.status_code == status
    assert "X-Google-Status" not in answer.headers
    assert ("That is more than a request may hold." in answer.text) is signed_in
