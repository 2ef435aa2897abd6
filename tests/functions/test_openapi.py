"""The OpenAPI document is what the function does: its routes, its answers, and nothing it does not say."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from werkzeug.routing import Map

from functions.dashboard.routes import ROUTES as DASHBOARD
from functions.trigger.routes import ROUTES as API
from shared import openapi_api, openapi_pages
from shared.openapi import DOCUMENT
from shared.sessions import Session, Sessions
from tests.clocks import NOON
from tests.functions.browsing import HERE, Browser
from tests.functions.tokens import bearer
from tests.functions.world import SECRET, World, make_world
from tests.pairs import OWNER, a_pair

CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
PAIR = a_pair(next_send_time=NOON + timedelta(hours=1))


@pytest.fixture(scope="module")
def peopled() -> Iterator[World]:
    """A world with a pair that was sent and one that is paused."""
    world, close = make_world()
    world.add(a_pair(1), a_pair(2, is_active=False, paused_at=NOON, pause_reason="a test"))
    world.tick()
    yield world
    close()


@pytest.fixture(scope="module")
def api(peopled: World) -> Any:
    return schemathesis.openapi.from_wsgi("/openapi.json", peopled.apps["trigger"])


CALLS = [(path, method.upper()) for path, calls in openapi_api.PATHS.items() for method in calls]
PAGES = [(path, method.upper()) for path, calls in openapi_pages.PATHS.items() for method in calls]


@pytest.mark.parametrize(("path", "method"), CALLS, ids=[f"{method} {path}" for path, method in CALLS])
def test_whatever_is_asked_is_answered_as_documented(api: Any, path: str, method: str) -> None:
    @settings(max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=api[path][method].as_strategy())
    def ask(case: Any) -> None:
        case.call_and_validate(headers=bearer(OWNER), checks=CHECKS)

    ask()


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nonsense"}], ids=["no token", "nonsense"])
@pytest.mark.parametrize(("path", "method"), CALLS, ids=[f"{method} {path}" for path, method in CALLS])
def test_without_a_token_each_call_is_refused_as_documented(
    api: Any, path: str, method: str, headers: dict[str, str]
) -> None:
    @settings(max_examples=1, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=api[path][method].as_strategy())
    def ask(case: Any) -> None:
        answer = case.call_and_validate(headers=headers, checks=CHECKS)
        assert answer.status_code == (200 if path == "/health" else 401)

    ask()


@pytest.mark.parametrize("pair", [a_pair(1), a_pair(2)], ids=["sent", "paused"])
def test_real_pairs_are_shown_as_documented(api: Any, pair: Any) -> None:
    id = {"id": pair.id}
    calls = [
        api["/api/broadcast/status/{id}"]["GET"].Case(path_parameters=id),
        api["/api/broadcast/history/{id}"]["GET"].Case(path_parameters=id),
        api["/api/channels"]["GET"].Case(),
        api["/api/broadcast/trigger"]["POST"].Case(body={"broadcast_id": pair.id}, media_type="application/json"),
        api["/api/broadcast/trigger"]["POST"].Case(body={"broadcast_id": pair.id}, media_type="application/json"),
        api["/api/broadcast/pause"]["POST"].Case(body={"broadcast_id": pair.id}, media_type="application/json"),
        api["/api/broadcast/resume"]["POST"].Case(body={"broadcast_id": pair.id}, media_type="application/json"),
    ]
    for call in calls:
        call.call_and_validate(headers=bearer(OWNER), checks=CHECKS)


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize(("path", "method"), PAGES, ids=[f"{method} {path}" for path, method in PAGES])
def test_whatever_is_asked_of_the_dashboard_is_answered_as_documented(
    peopled: World, path: str, method: str, accept: str
) -> None:
    dashboard = schemathesis.openapi.from_wsgi("/openapi.json", peopled.apps["dashboard"])
    browser = Browser(peopled, OWNER)
    cookie = browser.client.get_cookie("broadcast-manager")
    assert cookie is not None
    headers = {**HERE, "Accept": accept, "Accept-Encoding": "identity"}
    cookies = {cookie.key: cookie.value}

    @settings(max_examples=15, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=dashboard[path][method].as_strategy(), ours=st.booleans(), mine=st.booleans())
    def ask(case: Any, ours: bool, mine: bool) -> None:
        if ours and isinstance(case.body, dict) and "form_token" in case.body:
            case.body["form_token"] = browser.form_token
        if mine and "id" in case.path_parameters:
            case.path_parameters["id"] = a_pair(1).id
        case.call_and_validate(headers=headers, cookies=cookies, checks=CHECKS)

    ask()


@pytest.mark.parametrize(
    ("routes", "documented"), [(API, openapi_api.PATHS), (DASHBOARD, openapi_pages.PATHS)], ids=["API", "dashboard"]
)
def test_every_route_is_documented_and_nothing_else(routes: Map, documented: dict[str, Any]) -> None:
    found = {
        (rule.rule.replace("<", "{").replace(">", "}"), method.lower())
        for rule in routes.iter_rules()
        for method in set(rule.methods or ()) - {"HEAD", "OPTIONS"}
    }

    assert found - {("/openapi.json", "get")} == {
        (path, method) for path, calls in documented.items() for method in calls
    }


GET_PAGES = [path for path, method in PAGES if method == "GET" and path != "/files/{version}/{name}"]


@pytest.mark.parametrize("path", GET_PAGES)
def test_an_operator_who_is_no_client_is_answered_as_documented(peopled: World, path: str) -> None:
    browser = Browser(peopled)
    session = Session(id="x", client_id=None, operator=True, expires_at=NOON + timedelta(hours=1))
    browser.client.set_cookie("broadcast-manager", Sessions([SECRET]).sign(session))

    answer = browser.get(path.replace("{id}", PAIR.id))

    assert str(answer.status_code) in openapi_pages.PATHS[path]["get"]["responses"]


@pytest.mark.parametrize("function", ["trigger", "dashboard"])
def test_the_document_is_there_without_a_token(peopled: World, function: str) -> None:
    answer = peopled.apps[function].test_client().get("/openapi.json")

    assert answer.status_code == 200
    assert answer.get_json() == DOCUMENT
