"""The HTTP side of the API: who is asking, what for, and every refusal as a status with a sentence.

Refusals are decided in one order: 401, 400 or 404, and then what the handler says. Another client's pair is a 404, like one that
does not exist. No answer may be cached.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import flask
from werkzeug.routing import Map, Rule

from functions.trigger.channels import Channels
from shared.access import NotSignedIn, verifier_of
from shared.actions import Actions, Refusal
from shared.answering import answered, time_before, uuid_of
from shared.engine import Engine
from shared.openapi import DOCUMENT
from shared.presentation import moment
from shared.settings import CORS_ORIGINS, JWT_SECRET_KEY, SettingError

MOST_HISTORY = 100
DEFAULT_HISTORY = 20
PREFLIGHT_SECONDS = 3600

ROUTES = Map(
    [
        Rule("/api/broadcast/trigger", endpoint="trigger", methods=["POST"]),
        Rule("/api/broadcast/pause", endpoint="pause", methods=["POST"]),
        Rule("/api/broadcast/resume", endpoint="resume", methods=["POST"]),
        Rule("/api/broadcast/status/<id>", endpoint="status", methods=["GET"]),
        Rule("/api/broadcast/history/<id>", endpoint="history", methods=["GET"]),
        Rule("/api/channels", endpoint="channels", methods=["GET"]),
        Rule("/api/channels/<open_channel_id>", endpoint="put_channel", methods=["PUT"]),
        Rule("/api/channels/<open_channel_id>", endpoint="delete_channel", methods=["DELETE"]),
        Rule("/health", endpoint="health", methods=["GET"]),
        Rule("/openapi.json", endpoint="openapi", methods=["GET"]),
    ],
    strict_slashes=False,
)

_Answer = dict[str, Any] | tuple[int, dict[str, Any]]


@dataclass(frozen=True)
class _Asked:
    request: flask.Request
    client_id: str


class Api:
    """Answers requests for one engine."""

    def __init__(self, engine: Engine) -> None:
        if not engine.settings.get(JWT_SECRET_KEY):
            raise SettingError("JWT_SECRET_KEY is not set; set it or JWT_SECRET_KEY_FILE to the website's secret.")
        self._engine = engine
        self._actions = Actions(engine)
        self._channels = Channels(engine)

    def answer(self, request: flask.Request) -> flask.Response:
        """The answer to any request; never raises."""
        return self._allow_origin(request, answered(request, lambda: self._respond(request), _refused))

    def _respond(self, request: flask.Request) -> flask.Response:
        if request.method == "OPTIONS":
            return flask.Response(status=204)
        endpoint, arguments = ROUTES.bind_to_environ(request.environ).match()
        if endpoint == "health":
            return _json(200, {"status": "healthy", "service": "trigger", "timestamp": moment(self._now())})
        if endpoint == "openapi":
            return _json(200, dict(DOCUMENT))
        try:
            client_id = verifier_of(self._engine.settings).client_of(dict(request.headers))
        except NotSignedIn as error:
            return _refused(Refusal(401, str(error)), {"WWW-Authenticate": "Bearer"})
        routes: dict[str, Callable[..., _Answer]] = {
            "trigger": self._trigger,
            "pause": self._pause,
            "resume": self._resume,
            "status": self._status,
            "history": self._history,
            "channels": self._list_channels,
            "put_channel": self._put_channel,
            "delete_channel": self._delete_channel,
        }
        answer = routes[endpoint](_Asked(request, client_id), **arguments)
        return _json(*answer) if isinstance(answer, tuple) else _json(200, answer)

    def _trigger(self, asked: _Asked) -> dict[str, Any]:
        return self._actions.trigger(asked.client_id, _broadcast_id(asked.request))

    def _pause(self, asked: _Asked) -> dict[str, Any]:
        return self._actions.pause(asked.client_id, _broadcast_id(asked.request))

    def _resume(self, asked: _Asked) -> dict[str, Any]:
        return self._actions.resume(asked.client_id, _broadcast_id(asked.request))

    def _status(self, asked: _Asked, id: str) -> dict[str, Any]:
        return self._actions.status(asked.client_id, uuid_of(id))

    def _history(self, asked: _Asked, id: str) -> dict[str, Any]:
        arguments = asked.request.args
        return self._actions.history(
            asked.client_id,
            uuid_of(id),
            before=time_before(arguments.get("before")),
            limit=_limit(arguments.get("limit")),
        )

    def _list_channels(self, asked: _Asked) -> dict[str, Any]:
        return self._actions.channels(asked.client_id)

    def _put_channel(self, asked: _Asked, open_channel_id: str) -> tuple[int, dict[str, Any]]:
        created, body = self._channels.put(asked.client_id, open_channel_id, _record(asked.request))
        return (201 if created else 200), body

    def _delete_channel(self, asked: _Asked, open_channel_id: str) -> dict[str, Any]:
        take_down = _truth(asked.request.args.get("take_down"))
        return self._channels.delete(asked.client_id, open_channel_id, take_down=take_down)

    def _now(self) -> datetime:
        return self._engine.clock.now()

    def _allow_origin(self, request: flask.Request, response: flask.Response) -> flask.Response:
        origin = request.headers.get("Origin")
        response.headers["Vary"] = "Origin"
        if origin is not None and origin in self._engine.settings.get(CORS_ORIGINS):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Credentials"] = "true"
            response.headers["Access-Control-Expose-Headers"] = "Retry-After"
            if request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, DELETE, OPTIONS"
                response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
                response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        return response


def _body(request: flask.Request) -> Any:
    try:
        return request.get_json(force=True, silent=True)
    except RecursionError:  # brackets nested without end
        return None


def _record(request: flask.Request) -> dict[str, Any]:
    body = _body(request)
    if not isinstance(body, dict):
        raise Refusal(400, "Send the channel's whole record as a JSON object.")
    return body


def _truth(text: str | None) -> bool:
    if text not in {None, "true", "false"}:
        raise Refusal(400, "take_down must be true or false.")
    return text == "true"


def _broadcast_id(request: flask.Request) -> str:
    body = _body(request)
    if not isinstance(body, dict) or "broadcast_id" not in body:
        raise Refusal(400, 'Missing broadcast_id: send a JSON object such as {"broadcast_id": "…"}.')
    id = body["broadcast_id"]
    if not isinstance(id, str):
        raise Refusal(400, "broadcast_id must be text.")
    return uuid_of(id)


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_HISTORY
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST_HISTORY:
        raise Refusal(400, f"limit must be a whole number from 1 to {MOST_HISTORY}.")
    return int(text)


def _refused(refusal: Refusal, headers: Mapping[str, str] | None = None) -> flask.Response:
    body: dict[str, Any] = {"success": False, "error": str(refusal)}
    headers = dict(headers or {})
    if refusal.details is not None:
        body["details"] = refusal.details
    if refusal.retry_after is not None:
        body["retry_after_seconds"] = refusal.retry_after
        headers["Retry-After"] = str(refusal.retry_after)
    return _json(refusal.status, body, headers)


def _json(status: int, body: dict[str, Any], headers: Mapping[str, str] | None = None) -> flask.Response:
    response = flask.Response(json.dumps(body, ensure_ascii=False), status=status, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(headers or {})
    return response
