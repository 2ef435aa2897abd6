"""The HTTP side of the dashboard: who is asking, what for, and every refusal in words with a way on.

Pages, and forms that work without scripts: a POST is answered by 303, or by a page that says why not. A script that asks for JSON
gets JSON. Another client's pair is a 404, like one that does not exist. Nothing private may be cached.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import flask
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, Rule

from functions.dashboard import pages
from functions.dashboard.answers import as_json, finished, html, one_file, wants_json
from functions.dashboard.assets import VERSION
from functions.dashboard.cards import Card, card
from functions.dashboard.held import Held, held
from functions.dashboard.operator import operator_view
from functions.dashboard.past import SHOWN, past
from functions.dashboard.preview import previews
from functions.dashboard.signing_in import SigningIn
from shared.access import NotSignedIn
from shared.actions import MAX_CHANNELS, NOT_FOUND, Actions, Refusal
from shared.answering import answered, time_before, uuid_of
from shared.engine import Engine
from shared.history import runs_of
from shared.openapi import DOCUMENT
from shared.pace import PACE_ID
from shared.pair import Pair
from shared.presentation import moment
from shared.sessions import Session
from shared.settings import CORS_ORIGINS, JWT_SECRET_KEY, OPERATORS, TELEGRAM_RATE, SettingError
from shared.store import PACE, PAIRS

ROUTES = Map(
    [
        Rule("/", endpoint="list", methods=["GET"]),
        Rule("/cards", endpoint="cards", methods=["GET"]),
        Rule("/pairs/<id>", endpoint="pair", methods=["GET"]),
        Rule("/pairs/<id>/history", endpoint="history", methods=["GET"]),
        Rule("/pairs/<id>/resend", endpoint="confirm", methods=["GET"]),
        Rule("/pairs/<id>/resend", endpoint="resend", methods=["POST"]),
        Rule("/pairs/<id>/pause", endpoint="pause", methods=["POST"]),
        Rule("/pairs/<id>/resume", endpoint="resume", methods=["POST"]),
        Rule("/operator", endpoint="operator", methods=["GET"]),
        Rule("/operator/as", endpoint="act_as", methods=["POST"]),
        Rule("/sign-in", endpoint="sign_in", methods=["GET"]),
        Rule("/session", endpoint="begin_session", methods=["POST"]),
        Rule("/session/end", endpoint="end_session", methods=["POST"]),
        Rule("/files/<version>/<name>", endpoint="file", methods=["GET"]),
        Rule("/openapi.json", endpoint="openapi", methods=["GET"]),
    ],
    strict_slashes=False,
    merge_slashes=False,
)
OPEN_TO_ALL = {"sign_in", "begin_session", "file", "openapi"}
CHANGING = {"resend", "pause", "resume", "act_as", "end_session"}

LARGEST_FORM = 64 * 1024
TOO_OFTEN = "Please wait {minutes} {unit} before resending messages again."

OPERATOR = "the operator"


@dataclass(frozen=True)
class _Asked:
    """A request of somebody who is signed in."""

    request: flask.Request
    session: Session
    now: datetime

    @property
    def root(self) -> str:
        return pages.root_of(self.request.path)

    @property
    def client_id(self) -> str:
        if self.session.client_id is None:
            raise Refusal(404, NOT_FOUND)
        return self.session.client_id

    @property
    def operator(self) -> str | None:
        """What the record calls whoever acts as a client with the operator's session; None for clients themselves."""
        return OPERATOR if self.session.operator else None


class Dashboard:
    """Answers requests for one engine."""

    def __init__(self, engine: Engine) -> None:
        if not engine.settings.get(JWT_SECRET_KEY):
            raise SettingError("JWT_SECRET_KEY is not set; set it or JWT_SECRET_KEY_FILE to the website's secret.")
        self._engine = engine
        self._actions = Actions(engine)
        self._signing_in = SigningIn(engine)

    def answer(self, request: flask.Request) -> flask.Response:
        """The answer to any request; never raises."""
        request.max_content_length = LARGEST_FORM
        response = answered(request, lambda: self._respond(request), lambda refusal: self._refused(request, refusal))
        # functions-framework reads what is left of the body, and would answer 500 instead.
        request.max_content_length = None
        return finished(request, response)

    def _respond(self, request: flask.Request) -> flask.Response:
        endpoint, arguments = ROUTES.bind_to_environ(request.environ).match()
        try:
            if endpoint in OPEN_TO_ALL:
                return self._open_to_all(request, endpoint, arguments)
            asked = _Asked(request, self._signing_in.session_of(request), self._engine.clock.now())
        except NotSignedIn as error:
            return self._not_signed_in(request, str(error))
        if endpoint in CHANGING:
            self._signing_in.refuse_foreign_form(request, asked.session)
        routes: dict[str, Callable[..., flask.Response]] = {
            "list": self._list,
            "cards": self._cards,
            "pair": self._pair,
            "history": self._history,
            "confirm": self._confirm,
            "resend": self._resend,
            "pause": self._pause,
            "resume": self._resume,
            "operator": self._operator,
            "act_as": self._act_as,
            "end_session": self._end_session,
        }
        return routes[endpoint](asked, **arguments)

    def _open_to_all(self, request: flask.Request, endpoint: str, arguments: Mapping[str, Any]) -> flask.Response:
        match endpoint:
            case "file":
                return one_file(request, **arguments)
            case "openapi":
                return as_json(200, dict(DOCUMENT))
            case "begin_session":
                return self._signing_in.begin(request)
            case _:
                return self._sign_in_page(request, 200, "")

    def _not_signed_in(self, request: flask.Request, sentence: str) -> flask.Response:
        if wants_json(request):
            response = as_json(401, {"success": False, "error": sentence})
        else:
            response = self._sign_in_page(request, 401, sentence)
        response.headers["WWW-Authenticate"] = "Session"
        return response

    def _sign_in_page(self, request: flask.Request, status: int, sentence: str) -> flask.Response:
        websites = self._engine.settings.get(CORS_ORIGINS)
        root = pages.root_of(request.path)
        return html(status, pages.render("sign_in.html", root=root, websites=websites, sentence=sentence, session=None))

    def _end_session(self, asked: _Asked) -> flask.Response:
        return self._signing_in.end(asked.request)

    # --- pages ----------------------------------------------------------------------------------------------------------

    def _list(self, asked: _Asked) -> flask.Response:
        if asked.session.client_id is None:
            return flask.Response(status=303, headers={"Location": "operator"})
        cards, why = self._all_cards(asked), self._held()
        return self._page(asked, "list.html", cards=cards, held=why, mark=_mark(asked, cards, why), most=MAX_CHANNELS)

    def _cards(self, asked: _Asked) -> flask.Response:
        """What the list shows, for the script that keeps it fresh; the answer is empty if nothing changed since."""
        cards, why = self._all_cards(asked), self._held()
        mark = f'"{_mark(asked, cards, why)}"'
        if asked.request.headers.get("If-None-Match") == mark:
            response = flask.Response(status=304)
        else:
            root = _given_root(asked.request.args.get("root", ""))
            response = html(
                200, self._rendered(asked, "cards.html", root=root, cards=cards, held=why, most=MAX_CHANNELS)
            )
        response.headers["ETag"] = mark
        response.headers["Server-Time"] = moment(asked.now) or ""
        return response

    def _pair(self, asked: _Asked, id: str) -> flask.Response:
        pair = self._own(asked, id)
        shown = previews(pair, bot_username=self._engine.bot_username())
        return self._page(asked, "pair.html", card=self._card(asked, pair), held=self._held(), previews=shown)

    def _history(self, asked: _Asked, id: str) -> flask.Response:
        pair = self._own(asked, id)
        before = time_before(asked.request.args.get("before"))
        runs = runs_of(self._engine.store, pair, before=before, limit=SHOWN + 1)
        shown = past(runs, viewer=asked.operator or asked.client_id)
        return self._page(asked, "history.html", pair=pair, past=shown, before=before)

    def _confirm(self, asked: _Asked, id: str) -> flask.Response:
        return self._confirm_page(asked, self._own(asked, id), 200, "")

    def _confirm_page(self, asked: _Asked, pair: Pair, status: int, sentence: str) -> flask.Response:
        return self._page(asked, "confirm.html", status=status, card=self._card(asked, pair), sentence=sentence)

    # --- what an owner does -----------------------------------------------------------------------------------------------

    def _resend(self, asked: _Asked, id: str) -> flask.Response:
        pair = self._own(asked, id)
        try:
            done = self._actions.trigger(asked.client_id, pair.id, by=asked.operator)
        except Refusal as refusal:
            wait = refusal.retry_after
            sentence = str(refusal) if wait is None else _too_often(wait)
            if wants_json(asked.request):
                raise Refusal(refusal.status, sentence, retry_after=wait) from refusal
            return self._confirm_page(asked, self._own(asked, id), refusal.status, sentence)
        return self._acted(asked, id, _queued(done["eta_seconds"]), eta_seconds=done["eta_seconds"])

    def _pause(self, asked: _Asked, id: str) -> flask.Response:
        self._actions.pause(asked.client_id, uuid_of(id), by=asked.operator)
        return self._acted(asked, id, "Paused. Nothing is sent for this pair until you resume it.")

    def _resume(self, asked: _Asked, id: str) -> flask.Response:
        warnings = self._actions.resume(asked.client_id, uuid_of(id))["warnings"]
        if warnings and not wants_json(asked.request):
            return self._message(asked.request, 200, "Resumed, but something is in the way", *warnings)
        return self._acted(asked, id, " ".join(["Resumed.", *warnings]), warnings=warnings)

    def _acted(self, asked: _Asked, id: str, message: str, **more: Any) -> flask.Response:
        """The pair as it is now: a script is given its card, a browser is sent to its page."""
        if not wants_json(asked.request):
            return flask.Response(status=303, headers={"Location": f"{asked.root}pairs/{uuid_of(id)}"})
        later = _Asked(asked.request, asked.session, self._engine.clock.now())
        root = _given_root(asked.request.form.get("root", ""))
        html = self._rendered(later, "card.html", root=root, card=self._card(later, self._own(later, id)))
        answer = {"success": True, "message": message, "card": html, "server_time": moment(later.now), **more}
        return as_json(200, answer)

    # --- the operator -------------------------------------------------------------------------------------------------------

    def _operator(self, asked: _Asked) -> flask.Response:
        self._refuse_unless_operator(asked)
        pairs = [stored.record for stored in self._engine.store.all_pairs()]
        stored = self._engine.store.get(PACE, PACE_ID)
        rate = self._engine.settings.get(TELEGRAM_RATE)
        view = operator_view(pairs, None if stored is None else stored.record, now=asked.now, rate=rate)
        return self._page(asked, "operator.html", view=view)

    def _act_as(self, asked: _Asked) -> flask.Response:
        """Whoever was signed in by the machine itself may look at it as any of its clients; nobody else may."""
        if not asked.session.operator:
            raise NotFound
        client_id = uuid_of(asked.request.form.get("client_id", ""))
        return self._signing_in.look_as(asked.request, asked.session, client_id=client_id)

    def _is_operator(self, session: Session) -> bool:
        return session.operator or session.client_id in self._engine.settings.get(OPERATORS)

    def _refuse_unless_operator(self, asked: _Asked) -> None:
        if not self._is_operator(asked.session):
            raise NotFound

    # --- what they share ------------------------------------------------------------------------------------------------

    def _own(self, asked: _Asked, id: str) -> Pair:
        """The caller's pair; an ended one is gone."""
        stored = self._engine.store.get(PAIRS, uuid_of(id))
        if stored is None or stored.record.client_id != asked.client_id or stored.record.ended_at is not None:
            raise Refusal(404, NOT_FOUND)
        return stored.record

    def _card(self, asked: _Asked, pair: Pair) -> Card:
        return card(pair, now=asked.now, policy=self._engine.policy, bot_username=self._engine.bot_username())

    def _all_cards(self, asked: _Asked) -> list[Card]:
        found = [stored.record for stored in self._engine.store.pairs_of_client(asked.client_id)]
        return [self._card(asked, pair) for pair in found if pair.ended_at is None]

    def _held(self) -> Held | None:
        stored = self._engine.store.get(PACE, PACE_ID)
        return held(None if stored is None else stored.record)

    def _website(self) -> str | None:
        """Where clients register and sign in."""
        websites = self._engine.settings.get(CORS_ORIGINS)
        return websites[0] if websites else None

    def _page(self, asked: _Asked, template: str, *, status: int = 200, **values: Any) -> flask.Response:
        return html(status, self._rendered(asked, template, root=asked.root, **values))

    def _rendered(self, asked: _Asked, template: str, *, root: str, **values: Any) -> str:
        return pages.render(
            template,
            root=root,
            session=asked.session,
            operator=self._is_operator(asked.session),
            form_token=self._signing_in.form_token(asked.session),
            now=asked.now,
            website=self._website(),
            minutes=max(1, round(self._engine.policy.manual_interval.total_seconds() / 60)),
            **values,
        )

    def _refused(self, request: flask.Request, refusal: Refusal) -> flask.Response:
        status, wait = refusal.status, refusal.retry_after
        if wants_json(request):
            more = {} if wait is None else {"retry_after_seconds": wait}
            response = as_json(status, {"success": False, "error": str(refusal), **more})
        else:
            response = self._message(request, status, _TITLES.get(status, "That did not work"), str(refusal))
        if wait is not None:
            response.headers["Retry-After"] = str(wait)
        return response

    def _message(self, request: flask.Request, status: int, title: str, *sentences: str) -> flask.Response:
        root = pages.root_of(request.path)
        return html(status, pages.render("message.html", root=root, title=title, sentences=sentences, session=None))


_TITLES = {404: "Not found", 403: "Not allowed", 503: "Not just now"}


def _queued(eta_seconds: int) -> str:
    """The promise is the server's, not a fixed one."""
    when = "within a second" if eta_seconds <= 1 else f"within {eta_seconds} seconds"
    return f"Messages queued for sending! They will be sent {when}."


def _too_often(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return TOO_OFTEN.format(minutes=minutes, unit="minute" if minutes == 1 else "minutes")


def _mark(asked: _Asked, cards: list[Card], why: Held | None) -> str:
    """Changes whenever the page would."""
    return hashlib.sha256(repr((VERSION, asked.session.id, cards, why)).encode()).hexdigest()[:20]


def _given_root(text: str) -> str:
    """The way to the root from the page that asks for a part of it."""
    return text if text in {"", "../", "../../"} else ""
