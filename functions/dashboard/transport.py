"""How a session travels: its cookie, and from where a request that changes something may come. Pure."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from werkzeug.datastructures import Headers
from werkzeug.http import dump_cookie

from shared.sessions import LIFE

COOKIE = "broadcast-manager"
LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}


def is_private(headers: Headers, *, scheme: str) -> bool:
    """Whether the browser talks to us over https, perhaps by way of a proxy that ends it."""
    return scheme == "https" or headers.get("X-Forwarded-Proto", "").split(",")[0].strip() == "https"


def may_carry_a_session(headers: Headers, *, scheme: str) -> bool:
    """Over https, or without leaving this machine; elsewhere anybody on the way could take the cookie."""
    return is_private(headers, scheme=scheme) or _split_port(headers.get("Host", ""))[0] in LOOPBACK


def cookie_name(headers: Headers, *, scheme: str) -> str:
    """With `__Host-` no other host and no unencrypted answer can set it (RFC 6265bis section 4.1.3).

    Without https the port is in the name: cookies know none (RFC 6265 section 8.5), and another engine may run on this machine.
    """
    if is_private(headers, scheme=scheme):
        return f"__Host-{COOKIE}"
    _, port = _split_port(headers.get("Host", ""))
    return f"{COOKIE}-{port}" if port else COOKIE


def session_cookie(value: str, headers: Headers, *, scheme: str) -> str:
    """The header `Set-Cookie` that begins a session; with an empty value the one that ends it."""
    return dump_cookie(
        cookie_name(headers, scheme=scheme),
        value,
        max_age=LIFE if value else 0,
        path="/",
        secure=is_private(headers, scheme=scheme),
        httponly=True,
        samesite="Lax",
    )


def came_from_here(headers: Headers) -> bool:
    """Whether a page of ours sent this request: as the browser says by itself, which no page can falsify."""
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = urlsplit(headers.get("Origin", "")).netloc
    return bool(origin) and origin == headers.get("Host")


def may_sign_in(headers: Headers, *, websites: Sequence[str]) -> bool:
    """Whether a form that signs somebody in comes from us or from one of the websites: any other could sign a visitor in as
    somebody else. A request with a bearer's token cannot come from another site's page unasked; with a password it can, for a
    browser sends those by itself."""
    bearer = headers.get("Authorization", "").casefold().startswith("bearer ")
    return bearer or came_from_here(headers) or headers.get("Origin") in websites


def _split_port(host: str) -> tuple[str, str]:
    name, colon, port = host.rpartition(":")
    return (name, port) if colon and port.isdigit() else (host, "")
