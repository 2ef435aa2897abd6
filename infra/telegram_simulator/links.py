"""Which links Telegram takes, in a button or in an `<a>`.

Facts: TDLib LinkManager.cpp (check_link, get_link_user_id) and HttpUrl.cpp (parse_url).
"""

import ipaddress
import re

_SCHEMES = ("tg", "ton", "tonsite")
_PROTOCOL = re.compile(r"([^:/?#@\[\]]*)://")
_HOST_PART = re.compile(r"(?:[A-Za-z0-9.\-_!$,~*'();&+=]|[^\x00-\x7f]|(%[0-9A-Fa-f]{2}))*")
_USER_PART = re.compile(r"(?:[A-Za-z0-9.\-_!$,~*'();&+=:]|[^\x00-\x7f]|(%[0-9A-Fa-f]{2}))*")
_USER_LINK = re.compile(r"tg:(?://)?user\?(?:[^#]*&)?id=([0-9]+)", re.IGNORECASE)
_COMMON = re.compile(r"https://[a-z0-9-]+(?:\.[a-z0-9-]+)+/[\x21-\x7e]*")


class BadLink(ValueError):
    """Raised for a link Telegram would refuse; the text is TDLib's reason, for example "Wrong HTTP URL"."""


def is_user_link(link: str) -> bool:
    """Whether the link mentions a user (`tg://user?id=1`), which is no URL for Telegram."""
    return _USER_LINK.match(link) is not None


def checked_link(link: str) -> str:
    """The link as Telegram stores it: with its protocol, the host in lower case, a path; or BadLink."""
    if _COMMON.fullmatch(link):
        return link
    scheme = next((s for s in _SCHEMES if link[: len(s) + 1].lower() == s + ":"), None)
    if scheme:
        rest = link[len(scheme) + 1 :]
        return _internal_link(scheme, rest.removeprefix("//"))
    protocol, userinfo, host, port, query = _parts(link)
    if "." not in host and not host.startswith("["):
        raise BadLink("Wrong HTTP URL")
    return f"{protocol}://{userinfo + '@' if userinfo else ''}{host}{f':{port}' if port else ''}{query}"


def _internal_link(scheme: str, rest: str) -> str:
    protocol, userinfo, host, port, query = _parts(rest)
    if rest[:7].lower() == "http://" or protocol == "https" or userinfo or port or host.startswith("["):
        raise BadLink("Wrong tg URL" if scheme == "tg" else "Wrong ton URL")
    allowed = r"[A-Za-z0-9_.-]*" if scheme == "tonsite" else r"[A-Za-z0-9_-]*"
    if not re.fullmatch(allowed, host):
        raise BadLink("Unallowed characters in URL host")
    return f"{scheme}://{host}{query[1:] if query.startswith('/?') else query}"


def _parts(url: str) -> tuple[str, str, str, int, str]:
    """Protocol, user, host, port (0: none given) and the rest beginning with a slash."""
    protocol = "http"
    if given := _PROTOCOL.match(url):
        protocol = given[1].lower()
        if protocol not in ("http", "https"):
            raise BadLink("Unsupported URL protocol")
        url = url[given.end() :]
    end = min((i for i in map(url.find, "/?#") if i >= 0), default=len(url))
    authority, query = url[:end], url[end:].rstrip(" \t\r\n\0\v")
    port = 0
    colon = max(authority.rfind(c) for c in ":]@")
    if colon > 0 and authority[colon] == ":":
        digits = authority[colon + 1 :]
        port = int(digits) if re.fullmatch(r"[0-9]{1,9}", digits) else -1
        if not 0 < port <= 65535:
            raise BadLink("Wrong port number specified in the URL")
        authority = authority[:colon]
    userinfo, _, host = authority.rpartition("@")
    if not host:
        raise BadLink("URL host is empty")
    if host == ".":
        raise BadLink("Host is invalid")
    host = host.lower()
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise BadLink("Wrong IPv6 address specified in the URL") from None
    else:
        _check_part(host, "host", _HOST_PART)
        _check_part(userinfo, "userinfo", _USER_PART)
    if not query.startswith("/"):
        query = "/" + query
    return protocol, userinfo, host, port, re.sub(r"[\x00-\x20]", lambda m: f"%{ord(m[0]):02X}", query)


def _check_part(part: str, name: str, pattern: re.Pattern[str]) -> None:
    matched = pattern.match(part)
    end = matched.end() if matched else 0
    if end < len(part):
        wrong_escape = part[end] == "%"
        raise BadLink(f"{'Wrong percent-encoded symbol' if wrong_escape else 'Disallowed character'} in URL {name}")
