"""How answers are made: pages, JSON, files, and the headers that all of them carry."""

import gzip
import json
from typing import Any

import flask
from werkzeug.exceptions import NotFound

from functions.dashboard import transport
from functions.dashboard.assets import ASSETS, FOR_EVER, VERSION

WORTH_PACKING = 500
"""Bytes below which gzip saves nothing."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with it a browser sends `Origin: null` with our own forms (Fetch, "append a request Origin header").
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
OVER_HTTPS = {"Strict-Transport-Security": "max-age=31536000"}


def wants_json(request: flask.Request) -> bool:
    """Whether a script asks, that reads JSON; everybody else gets pages."""
    return "application/json" in request.headers.get("Accept", "")


def one_file(request: flask.Request, version: str, name: str) -> flask.Response:
    """One of the files a page loads; only under the hash of them all. Raises NotFound."""
    asset = ASSETS.get(name)
    if asset is None or version != VERSION:
        raise NotFound
    packs = _takes_gzip(request)
    response = flask.Response(asset.packed if packs else asset.content, content_type=asset.kind)
    response.headers["Cache-Control"] = FOR_EVER
    response.headers["Vary"] = "Accept-Encoding"
    if packs:
        response.headers["Content-Encoding"] = "gzip"
    return response


def html(status: int, page: str) -> flask.Response:
    """A page, or a part of one."""
    return flask.Response(page, status=status, content_type="text/html; charset=utf-8")


def as_json(status: int, body: dict[str, Any]) -> flask.Response:
    """JSON."""
    return flask.Response(json.dumps(body, ensure_ascii=False), status=status, mimetype="application/json")


def finished(request: flask.Request, response: flask.Response) -> flask.Response:
    """The answer with what every answer carries, packed where the browser takes that."""
    response.headers.update(HEADERS)
    if transport.is_private(request.headers, scheme=request.scheme):
        response.headers.update(OVER_HTTPS)
    response.headers.setdefault("Cache-Control", "no-store")
    body = response.get_data()
    if len(body) > WORTH_PACKING and _takes_gzip(request) and "Content-Encoding" not in response.headers:
        response.set_data(gzip.compress(body, 6, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Vary"] = "Accept-Encoding"
    return response


def _takes_gzip(request: flask.Request) -> bool:
    return request.accept_encodings["gzip"] > 0
