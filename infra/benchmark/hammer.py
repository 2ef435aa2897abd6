"""The leanest sender there can be: requests made beforehand, one under way on each of some connections, answers only counted."""

import selectors
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from urllib.parse import urlsplit

import msgspec

from infra.benchmark.telegram_process import TOKEN
from infra.benchmark.waiting import NotDone

CONNECTIONS = 64
LONGEST_ANSWER = 65536
SILENCE_SECONDS = 10.0
OK = b"HTTP/1.1 200 "


def hammer(url: str, messages: Sequence[dict[str, object]]) -> float:
    """Answers a second to these sendMessage calls. Raises NotDone if one is refused or none comes."""
    address = urlsplit(url)
    waiting = [_request(address.netloc, message) for message in reversed(messages)]
    begin = time.perf_counter()
    with ExitStack() as open_now, selectors.DefaultSelector() as selector:
        for _ in range(min(CONNECTIONS, len(messages))):
            connection = socket.create_connection((address.hostname or "", address.port or 80))
            selector.register(open_now.enter_context(connection), selectors.EVENT_READ, connection)
            connection.sendall(waiting.pop())
        answers = 0
        while answers < len(messages):
            ready = selector.select(SILENCE_SECONDS)
            if not ready:
                raise NotDone(f"{len(messages) - answers} requests to the simulated Telegram are not answered.")
            for key, _ in ready:
                _check(key.data.recv(LONGEST_ANSWER))
                answers += 1
                if waiting:
                    key.data.sendall(waiting.pop())
    return answers / (time.perf_counter() - begin)


def _request(host: str, message: dict[str, object]) -> bytes:
    body = msgspec.json.encode(message)
    head = f"POST /bot{TOKEN}/sendMessage HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _check(answer: bytes) -> None:
    """The simulated Telegram writes an answer at once, and on one machine it arrives at once."""
    if not answer.startswith(OK):
        raise NotDone(f"The simulated Telegram answered {answer[:300]!r}.")
