"""Where a link for signing in leads: it becomes a session of the dashboard."""

import logging
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

import flask
from werkzeug.wrappers import Request

from functions.dashboard import pages, transport
from functions.dashboard.answers import finished, html
from infra.embedded.pages import WsgiApp
from infra.embedded.sign_in_links import Grant, SignInLinks, Void
from shared.clock import Clock
from shared.logs import fields
from shared.sessions import LIFE, Session, Sessions
from shared.store import StoreUnavailable

PREFIX = "/sign-in/"
ANOTHER = "Make another one where Broadcast Manager runs: .venv/bin/broadcastctl link"
SENTENCES = {
    Void.USED: "This link was used already; each is good once. If it was you, you are signed in in that browser.",
    Void.EXPIRED: "This link is too old; each is good for an hour.",
    Void.UNKNOWN: "This link is not one of this machine's.",
}
UNAVAILABLE = "The service cannot reach its records just now; the link is not used up. Try again shortly."

log = logging.getLogger(__name__)


def sign_in_app(links: SignInLinks, sessions: Callable[[], Sessions], clock: Clock, otherwise: WsgiApp) -> WsgiApp:
    """`GET /sign-in/<code>`: a session and the way to the dashboard, or a page that says why not. All else goes to `otherwise`."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if not path.startswith(PREFIX) or environ["REQUEST_METHOD"] != "GET":
            return otherwise(environ, start_response)
        request = flask.Request(environ)
        answer = _answer(request, path.removeprefix(PREFIX), links, sessions(), clock)
        return finished(request, answer)(environ, start_response)

    return app


def _answer(request: Request, code: str, links: SignInLinks, sessions: Sessions, clock: Clock) -> flask.Response:
    if not transport.may_carry_a_session(request.headers, scheme=request.scheme):
        return _page(400, "Signing in needs https, or this machine's own browser at http://127.0.0.1.")
    try:
        granted = links.take(code, now=clock.now())
    except StoreUnavailable as error:
        log.error("%s", error, extra=fields(event="unavailable"))
        return _page(503, UNAVAILABLE)
    if isinstance(granted, Void):
        return _page(404 if granted is Void.UNKNOWN else 410, SENTENCES[granted], ANOTHER)
    session = _session(granted, clock)
    cookie = transport.session_cookie(sessions.sign(session), request.headers, scheme=request.scheme)
    return flask.Response(status=303, headers={"Location": "../", "Set-Cookie": cookie})


def _session(granted: Grant, clock: Clock) -> Session:
    expires_at = clock.now() + LIFE
    return Session(id=str(uuid4()), client_id=granted.client_id, operator=granted.operator, expires_at=expires_at)


def _page(status: int, *sentences: str) -> flask.Response:
    page = pages.render(
        "message.html", root="../", title="Nobody is signed in by this", sentences=sentences, session=None
    )
    return html(status, page)
