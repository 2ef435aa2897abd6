"""A reader for the plainest HTTP/1.1 requests, which is nearly all of them.

h11 takes about 0.3 ms of CPU per request, more than twice what answering one costs (measured, Python 3.11). So requests
that need none of its care are read here: a GET or POST of a few short headers with at most a Content-Length. Anything
else is NOT_PLAIN and goes to h11 untouched.
"""

import re
from typing import Final

from infra.telegram_simulator.replies import Reply
from infra.telegram_simulator.requests import Request

MAX_HEAD_BYTES = 16 * 1024
MAX_PLAIN_BODY_BYTES = 256 * 1024
_REQUEST_LINE = re.compile(rb"(GET|POST) (/[\x21-\x7e]*) HTTP/1\.1")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\t]*)")
_NEEDS_CARE = frozenset({"transfer-encoding", "expect", "upgrade", "te", "trailer"})


class NotPlain:
    """The answer for a request that needs a real HTTP parser."""


NOT_PLAIN: Final = NotPlain()


def read_request(data: bytes) -> tuple[Request, int] | NotPlain | None:
    """The first request in `data` and how many bytes it took; None when more bytes are needed."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None if len(data) < MAX_HEAD_BYTES and data[:1] in b"GP" else NOT_PLAIN
    line, _, rest = data[:end].partition(b"\r\n")
    request_line = _REQUEST_LINE.fullmatch(line)
    if request_line is None:
        return NOT_PLAIN
    headers: dict[str, str] = {}
    for header in rest.decode("latin-1").split("\r\n"):
        matched = _HEADER.fullmatch(header)
        if matched is None:
            return NOT_PLAIN
        name = matched[1].lower()
        if name in headers:
            return NOT_PLAIN
        headers[name] = matched[2].rstrip()
    if "host" not in headers or not _NEEDS_CARE.isdisjoint(headers):
        return NOT_PLAIN
    if headers.get("connection", "keep-alive").lower() != "keep-alive":
        return NOT_PLAIN
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or len(length) > 6 or int(length) > MAX_PLAIN_BODY_BYTES:
        return NOT_PLAIN
    begin = end + 4
    end = begin + int(length)
    if len(data) < end:
        return None
    return Request(request_line[1].decode(), request_line[2].decode(), headers, data[begin:end]), end


def written(reply: Reply, reason: str) -> bytes:
    """A reply as bytes on the wire; `reason` is the phrase after the status."""
    head = f"HTTP/1.1 {reply.status} {reason}\r\n"
    for name, value in reply.headers:
        head += f"{name}: {value}\r\n"
    return f"{head}Content-Length: {len(reply.body)}\r\n\r\n".encode("latin-1") + reply.body
