"""What the embedded engine shows in a browser beside the functions' own answers: the simulated channels, and where things are."""

from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from infra.embedded.dispatch import WsgiApp


def page(render: Callable[[], str]) -> WsgiApp:
    """A page made anew at each request."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            start_response("405 Method Not Allowed", [("Allow", "GET, HEAD"), ("Content-Length", "0")])
            return []
        body = render().encode()
        headers = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
        ]
        start_response("200 OK", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    return app


def front_page(places: dict[str, str]) -> Callable[[], str]:
    """A short list of where things are."""
    items = "".join(f'<li><a href="{escape(url)}">{escape(what)}</a></li>' for what, url in places.items())

    def render() -> str:
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            "<title>Broadcast Manager</title><style>:root{color-scheme:light dark}body{font:1rem/1.6 system-ui;"
            f"max-width:40rem;margin:3rem auto;padding:0 1rem}}</style><h1>Broadcast Manager</h1><ul>{items}</ul></html>"
        )

    return render
