"""Who is signed in: by the website's access token, kept in a cookie from then on."""

import logging
from dataclasses import replace
from uuid import uuid4

import flask

from functions.dashboard import pages, transport
from functions.dashboard.answers import as_json, wants_json
from shared.access import NotSignedIn, secrets_of, verifier_of
from shared.actions import Refusal
from shared.engine import Engine
from shared.logs import fields
from shared.sessions import LIFE, Session, Sessions
from shared.settings import CORS_ORIGINS

FOREIGN_FORM = "This form was not sent by a page of ours, or by one that is too old. Load the page anew and try again."
FOREIGN_SIGN_IN = "Only the website where you have your account can sign you in here."
NOT_PRIVATE = "Signing in needs https: on this connection anybody on the way could take your session."

log = logging.getLogger(__name__)


class SigningIn:
    """Begins, reads and ends the sessions of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def session_of(self, request: flask.Request) -> Session:
        """The session a request carries. Raises NotSignedIn."""
        value = request.cookies.get(transport.cookie_name(request.headers, scheme=request.scheme))
        if not value:
            raise NotSignedIn("Sign in first.")
        return self._sessions.read(value, now=self._engine.clock.now())

    def begin(self, request: flask.Request) -> flask.Response:
        """By the website's access token, in a form field or a header; never in an address. Raises NotSignedIn and Refusal."""
        if not transport.may_carry_a_session(request.headers, scheme=request.scheme):
            raise Refusal(400, NOT_PRIVATE)
        websites = self._engine.settings.get(CORS_ORIGINS)
        if not transport.may_sign_in(request.headers, websites=websites):
            raise Refusal(403, FOREIGN_SIGN_IN)
        verifier = verifier_of(self._engine.settings)
        given = request.form.get("token", "").strip()
        client_id = verifier.client_in(given) if given else verifier.client_of(dict(request.headers))
        log.info("Signed in on the dashboard.", extra=fields(event="signed_in", client_id=client_id))
        expires_at = self._engine.clock.now() + LIFE
        session = Session(id=str(uuid4()), client_id=client_id, operator=False, expires_at=expires_at)
        return self._begun(request, session)

    def look_as(self, request: flask.Request, session: Session, *, client_id: str) -> flask.Response:
        """A new session that ends when this one would, as one of the clients."""
        return self._begun(request, replace(session, id=str(uuid4()), client_id=client_id))

    def _begun(self, request: flask.Request, session: Session) -> flask.Response:
        """The way to the list, with a new session."""
        response = _onward(request, pages.root_of(request.path) or "./")
        return _with_session(request, response, self._sessions.sign(session))

    def end(self, request: flask.Request) -> flask.Response:
        """The way to the page for signing in, without a session."""
        response = _onward(request, f"{pages.root_of(request.path)}sign-in")
        return _with_session(request, response, "")

    def form_token(self, session: Session) -> str:
        """What the forms of this session carry."""
        return self._sessions.form_token(session)

    def refuse_foreign_form(self, request: flask.Request, session: Session) -> None:
        """Raises Refusal for a form that no page of this session sent."""
        known = self._sessions.is_form_token(request.form.get("form_token", ""), session)
        if not known or not transport.came_from_here(request.headers):
            raise Refusal(403, FOREIGN_FORM)

    @property
    def _sessions(self) -> Sessions:
        return Sessions(secrets_of(self._engine.settings))


def _with_session(request: flask.Request, response: flask.Response, value: str) -> flask.Response:
    response.headers["Set-Cookie"] = transport.session_cookie(value, request.headers, scheme=request.scheme)
    return response


def _onward(request: flask.Request, location: str) -> flask.Response:
    if wants_json(request):
        return as_json(200, {"success": True})
    return flask.Response(status=303, headers={"Location": location})
