"""The leanest sender there can be: requests made beforehand, one under way on each of some connections, answers only counted."""

import selectors
import socket
import time
from collections.abc import Sequence
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
    answers = len(waiting)
    with selectors.DefaultSelector() as selector:
        begin = time.perf_counter()
        for _ in range(min(CONNECTIONS, answers)):
            connection = socket.create_connection((address.hostname or "", address.port or 80))
            selector.register(connection, selectors.EVENT_READ)
            connection.sendall(waiting.pop())
        while open_now := selector.get_map():
            ready = selector.select(SILENCE_SECONDS)
            if not ready:
                raise NotDone(f"{len(open_now)} requests to the simulated Telegram are not answered.")
            for key, _ in ready:
                connection = key.fileobj  # type: ignore[assignment]
                _check(connection.recv(LONGEST_ANSWER))
                if waiting:
                    connection.sendall(waiting.pop())
                else:
                    selector.unregister(connection)
                    connection.close()
        return answers / (time.perf_counter() - begin)


def _request(host: str, message: dict[str, object]) -> bytes:
    body = msgspec.json.encode(message)
    head = f"POST /bot{TOKEN}/sendMessage HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _check(answer: bytes) -> None:
    """The simulated Telegram writes an answer at once, and on one machine it arrives at once."""
    if not answer.startswith(OK):
        raise NotDone(f"The simulated Telegram answered {answer[:300]!r}.")
