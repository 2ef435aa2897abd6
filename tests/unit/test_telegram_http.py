"""The Bot API over HTTP, against a server of bare sockets that can fail at every point of a call."""

import json
import logging
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event, Thread
from typing import Any

import pytest
from urllib3.util import Timeout

from shared import telegram_http
from shared.messages import Button, Message
from shared.pair import Fault
from shared.telegram import (
    Bot,
    BotUnusable,
    Done,
    NotDelivered,
    Outcome,
    Refused,
    Sent,
    Throttled,
    TooLate,
    Unconfirmed,
)
from shared.telegram_http import FRESH_SECONDS, IDLE_SECONDS, KEPT_READY, TelegramHttp

TOKEN = "123456789:AbCdEfGhIjKlMnOpQrStUvWxYz012345678"
OFFER = Message(html="Hello, <b>港 ⚓️</b>", buttons=(Button(text="🥇 $5.00", url="https://t.me/b?start=x_5d0_30"),))
REQUEST = Message(html="Thanks", buttons=(Button(text="💝", callback_data="donate_start_-100"),))
PATIENCE = 5.0
"""Seconds that no passing test waits for."""
SHORT = 0.05
"""Seconds; a real time limit in a test."""

Serve = Callable[[socket.socket], None]


class Server:
    """Serves each connection with the next of its behaviours, the last one for all that follow."""

    def __init__(self, *behaviours: Callable[["Server", socket.socket], None]) -> None:
        self._behaviours = list(behaviours)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads: list[Thread] = []
        self._open: list[socket.socket] = []
        self.port: int = self._listening.getsockname()[1]
        self.requests: list[bytes] = []
        self._connections = 0
        self._last: object = None
        self.hung_up = Event()
        self.hung_up_on: list[socket.socket] = []
        self.all_hung_up = Event()
        self.over = Event()
        self._accepting = Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self._listening.accept()
            except OSError:
                return
            if peer == self._last:
                connection.close()
                return
            self._connections += 1
            behaviour = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
            thread = Thread(target=self._serve, args=(behaviour, connection))
            self._open.append(connection)
            self._threads.append(thread)
            thread.start()

    def _serve(self, behaviour: Callable[["Server", socket.socket], None], connection: socket.socket) -> None:
        with connection:
            connection.settimeout(PATIENCE)
            try:
                behaviour(self, connection)
            except OSError:
                self.hung_up.set()
        self.hung_up.set()

    def read_request(self, connection: socket.socket) -> bytes:
        """One whole request, kept in `requests`; nothing if the client hung up."""
        raw = b""
        while b"\r\n\r\n" not in raw:
            raw += (chunk := connection.recv(65536))
            if not chunk or raw.startswith(b"\x16"):  # a TLS handshake, which is no request
                return b""
        head, _, body = raw.partition(b"\r\n\r\n")
        length = next(
            (int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length")), 0
        )
        while len(body) < length:
            body += connection.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> int:
        """Take no more connections; how many there were."""
        if not self.over.is_set():
            self.over.set()
            with socket.socket() as last:
                last.bind(("127.0.0.1", 0))
                self._last = last.getsockname()
                last.connect(("127.0.0.1", self.port))
                self._accepting.join(PATIENCE)
            self._listening.close()
        return self._connections

    def close(self) -> None:
        self.stop()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)


def answers(body: object, status: int = 200) -> Callable[[Server, socket.socket], None]:
    """Answer every request on the connection."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def behave(server: Server, connection: socket.socket) -> None:
        while server.read_request(connection):
            connection.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: {len(raw)}\r\n\r\n".encode() + raw)

    return behave


def answers_once(raw: bytes) -> Callable[[Server, socket.socket], None]:
    """Read a request, write these bytes, hang up."""

    def behave(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(raw)

    return behave


def hangs_up(server: Server, connection: socket.socket) -> None:
    """Close the connection at once, and say so when as many are closed as are kept ready."""
    connection.close()
    server.hung_up_on.append(connection)
    if len(server.hung_up_on) == KEPT_READY:
        server.all_hung_up.set()


def hangs_up_unread(_: Server, connection: socket.socket) -> None:
    """Wait for the first byte and reset the connection without reading it."""
    connection.recv(1, socket.MSG_PEEK)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def keeps_silent(server: Server, connection: socket.socket) -> None:
    server.read_request(connection)
    server.over.wait(PATIENCE)


def a_message(message_id: int) -> dict[str, Any]:
    return {"ok": True, "result": {"message_id": message_id, "chat": {"id": -1001}}}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*behaviours: Callable[[Server, socket.socket], None]) -> Server:
        servers.append(Server(*behaviours))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class Time:
    """A monotonic clock that moves when it is told to, or by `step` at each look."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 1000.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def connect() -> Iterator[Callable[..., TelegramHttp]]:
    clients: list[TelegramHttp] = []

    def make(url: str, token: str = TOKEN, **options: Any) -> TelegramHttp:
        clients.append(TelegramHttp(url, lambda: token, **options))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def send(client: TelegramHttp, message: Message = OFFER, may_leave: Callable[[], bool] = lambda: True) -> Outcome:
    return client.send_message(-1001, message, may_leave=may_leave)


def nobody_listens() -> int:
    """A port of this machine where every connection is refused."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


@pytest.fixture
def full() -> Iterator[str]:
    """The address of a listener that takes no more connections: to connect there takes for ever."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        for one in waiting:
            one.close()


# --- requests ---------------------------------------------------------------------------------------------------------


def the_request(server: Server) -> tuple[str, dict[str, str], Any]:
    (raw,) = server.requests
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return first, {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}, json.loads(body)


def test_a_message_is_posted_as_html_with_a_button_a_row_and_no_preview(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    server = serve(answers(a_message(42)))

    outcome = send(connect(server.url))

    first, headers, body = the_request(server)
    assert outcome == Sent(42)
    assert first == f"POST /bot{TOKEN}/sendMessage HTTP/1.1"
    assert headers["content-type"] == "application/json"
    assert body == {
        "chat_id": -1001,
        "text": "Hello, <b>港 ⚓️</b>",
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {"inline_keyboard": [[{"text": "🥇 $5.00", "url": "https://t.me/b?start=x_5d0_30"}]]},
    }


def test_only_a_message_is_paid_for_and_only_while_the_setting_says_so(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    paid = [True]
    server = serve(answers(a_message(42)))
    client = connect(server.url, paid=lambda: paid[0])

    send(client)
    client.delete_messages(-1001, (7,))
    client.edit_text(-1001, 7, "over")
    paid[0] = False
    send(client)

    bodies = [json.loads(raw.partition(b"\r\n\r\n")[2]) for raw in server.requests]
    assert [body.get("allow_paid_broadcast") for body in bodies] == [True, None, None, None]


def test_a_button_has_exactly_one_action(serve: Callable[..., Server], connect: Callable[..., TelegramHttp]) -> None:
    server = serve(answers(a_message(42)))

    send(connect(server.url), REQUEST)

    keyboard = the_request(server)[2]["reply_markup"]["inline_keyboard"]
    assert keyboard == [[{"text": "💝", "callback_data": "donate_start_-100"}]]


def test_messages_are_deleted_in_one_call(serve: Callable[..., Server], connect: Callable[..., TelegramHttp]) -> None:
    server = serve(answers({"ok": True, "result": True}))

    outcome = connect(server.url).delete_messages(-1001, (7, 8))

    first, _, body = the_request(server)
    assert outcome == Done()
    assert first == f"POST /bot{TOKEN}/deleteMessages HTTP/1.1"
    assert body == {"chat_id": -1001, "message_ids": [7, 8]}


def test_an_edit_sends_no_keyboard_which_takes_the_buttons_away(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    server = serve(answers({"ok": True, "result": {"message_id": 7}}))

    outcome = connect(server.url).edit_text(-1001, 7, "Replaced.")

    first, _, body = the_request(server)
    assert outcome == Done()
    assert first == f"POST /bot{TOKEN}/editMessageText HTTP/1.1"
    assert body == {"chat_id": -1001, "message_id": 7, "text": "Replaced."}


def test_the_bot_says_who_it_is(serve: Callable[..., Server], connect: Callable[..., TelegramHttp]) -> None:
    server = serve(answers({"ok": True, "result": {"id": 123456789, "is_bot": True, "username": "my_shop_bot"}}))

    assert connect(server.url).get_me() == Bot(123456789, "my_shop_bot")


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (401, {"ok": False, "error_code": 401, "description": "Unauthorized"}, BotUnusable("Unauthorized")),
        (200, {"ok": True, "result": {"id": 1}}, Refused("getMe answered without an id and a username", Fault.UNKNOWN)),
        (200, {"ok": True, "result": []}, Refused("getMe answered without an id and a username", Fault.UNKNOWN)),
        (502, b"<html>", Unconfirmed("HTTP status 502 without a description")),
    ],
)
def test_a_bot_that_cannot_say_who_it_is_is_no_bot(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], status: int, body: object, outcome: Outcome
) -> None:
    assert connect(serve(answers(body, status)).url).get_me() == outcome


@pytest.mark.parametrize("token", ["", "AAE-secret-without-an-id", "x1:AAE-secret"])
def test_a_token_without_the_bots_id_asks_for_no_rights_and_is_not_named(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], token: str
) -> None:
    server = serve(answers({"ok": True, "result": {"id": -1001, "type": "channel"}}))

    outcome = connect(server.url, token).membership(-1001)

    assert outcome == BotUnusable("the token does not begin with the bot's id")
    assert server.requests == []


# --- answers ----------------------------------------------------------------------------------------------------------


def test_an_answers_words_and_parameters_are_read(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 35}}

    assert send(connect(serve(answers(body, 429)).url)) == Throttled(35.0, "Too Many Requests")


@pytest.mark.parametrize(
    "body",
    [
        b"<html><title>502 Bad Gateway</title></html>",
        b"",
        b"[]",
        b'"ok"',
        b'{"ok":true,"result":{"message_id":7}',
        b'{"ok":true,"result":{"message_id":7,"text":"\xff"}}',
    ],
    ids=["a page", "nothing", "a list", "a string", "cut off", "no UTF-8"],
)
@pytest.mark.parametrize("status", [200, 502])
def test_an_answer_that_is_no_json_object_leaves_it_open_whether_the_message_was_posted(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], status: int, body: bytes
) -> None:
    outcome = send(connect(serve(answers(body, status)).url))

    assert outcome == Unconfirmed(f"HTTP status {status} without a description")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed_for_it_would_carry_the_token_elsewhere(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], status: int
) -> None:
    elsewhere = serve(answers(a_message(42)))
    location = f"HTTP/1.1 {status} X\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode()

    outcome = send(connect(serve(answers_once(location)).url))

    assert isinstance(outcome, Unconfirmed)
    assert elsewhere.stop() == 0


# --- before the request leaves ----------------------------------------------------------------------------------------


def test_a_refused_connection_delivers_nothing(connect: Callable[..., TelegramHttp]) -> None:
    outcome = send(connect(f"http://127.0.0.1:{nobody_listens()}"))

    assert outcome == NotDelivered("no connection to Telegram (ConnectionRefusedError)")


def test_an_unknown_host_delivers_nothing(connect: Callable[..., TelegramHttp]) -> None:
    outcome = send(connect("http://nohost.invalid"))

    assert outcome == NotDelivered("no connection to Telegram (gaierror)")


def test_a_connection_that_takes_too_long_delivers_nothing(
    connect: Callable[..., TelegramHttp], full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telegram_http, "TIME_LIMITS", Timeout(total=PATIENCE, connect=SHORT, read=PATIENCE))

    assert send(connect(full)) == NotDelivered("no connection to Telegram within 5 s")


@pytest.mark.parametrize(
    "behaviour", [answers_once(b"HTTP/1.1 400 Bad Request\r\n\r\n"), hangs_up_unread], ids=["plain answer", "hang-up"]
)
def test_a_failed_tls_handshake_delivers_nothing(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], behaviour: Serve
) -> None:
    server = serve(behaviour)

    outcome = send(connect(f"https://127.0.0.1:{server.port}"))

    assert isinstance(outcome, NotDelivered)


@pytest.mark.parametrize(
    "token", ["", "123", "123:", ":abc", "123:abc def", "123:abc\n", " 123:abc", "12x:abc", "123:abc/../x", "１２:abc"]
)
def test_what_is_no_token_makes_the_bot_unusable_without_a_request(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], token: str
) -> None:
    server = serve(answers(a_message(42)))
    client = connect(server.url, token)

    outcomes = [send(client), client.delete_messages(-1, [1]), client.edit_text(-1, 1, "x"), client.get_me()]

    assert {type(outcome) for outcome in outcomes} == {BotUnusable}
    assert server.stop() == 0


def test_the_token_is_asked_for_at_each_call(
    serve: Callable[..., Server],
) -> None:
    server = serve(answers(a_message(42)))
    tokens = iter(["1:first", "2:second"])
    client = TelegramHttp(server.url, lambda: next(tokens))

    send(client)
    send(client)
    client.close()

    assert [r.split(b" ")[1] for r in server.requests] == [b"/bot1:first/sendMessage", b"/bot2:second/sendMessage"]


# --- after it left ----------------------------------------------------------------------------------------------------

CUT_SHORT = b'HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"ok":true,"result":{"message_id":7}}'
NO_GZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 7\r\n\r\nnothing"
NO_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"


@pytest.mark.parametrize(
    "behaviour",
    [
        hangs_up_unread,
        answers_once(b""),
        answers_once(b"SSH-2.0-OpenSSH_9.2\r\n"),
        answers_once(CUT_SHORT),
        answers_once(NO_GZIP),
        answers_once(NO_CHUNKS),
    ],
    ids=["before reading", "after reading", "no HTTP", "half an answer", "no gzip", "no chunks"],
)
def test_a_connection_that_breaks_after_the_request_left_leaves_it_open_whether_it_was_posted(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], behaviour: Serve
) -> None:
    outcome = send(connect(serve(behaviour).url))

    assert isinstance(outcome, Unconfirmed)
    assert outcome.why.startswith("the connection broke after the request had left (")


def test_an_answer_that_does_not_come_in_time_leaves_it_open_whether_it_was_posted(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telegram_http, "TIME_LIMITS", Timeout(total=PATIENCE, connect=PATIENCE, read=SHORT))

    assert send(connect(serve(keeps_silent).url)) == Unconfirmed("Telegram did not answer in time")


def test_a_broken_call_says_nothing_of_the_next(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    server = serve(answers_once(b""), answers(a_message(42)))
    client = connect(server.url)
    broken = send(client)
    server.stop()

    refused = send(client)

    assert isinstance(broken, Unconfirmed)
    assert refused == NotDelivered("no connection to Telegram (ConnectionRefusedError)")


# --- if it may leave, or not at all ----------------------------------------------------------------------------------------


def test_a_message_that_may_not_leave_does_not_leave(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    server = serve(answers(a_message(42)))
    client = connect(server.url)

    outcome = send(client, may_leave=lambda: False)
    server.hung_up.wait(PATIENCE)

    assert outcome == TooLate()
    assert server.requests == []


def test_a_message_that_left_in_time_may_take_longer_for_its_answer(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    time = Time()

    def answers_late(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        time.now += 20
        body = json.dumps(a_message(42)).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    assert send(connect(serve(answers_late).url), may_leave=lambda: time.now < 1010) == Sent(42)


def test_a_call_after_one_that_was_too_late_goes_as_usual(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    server = serve(answers(a_message(42)))
    client = connect(server.url)
    send(client, may_leave=lambda: False)

    assert send(client) == Sent(42)
    assert isinstance(client.delete_messages(-1001, [7]), Done)


# --- connections ------------------------------------------------------------------------------------------------------


def test_a_connection_is_kept_for_the_calls_that_follow(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    server = serve(answers(a_message(42)))
    client = connect(server.url)

    outcomes = [send(client) for _ in range(5)]

    assert outcomes == [Sent(42)] * 5
    assert server.stop() == 1


def test_a_connection_the_other_side_closed_is_replaced_without_harm(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    body = json.dumps(a_message(1)).encode()
    once = answers_once(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    server = serve(once, answers(a_message(2)))
    client = connect(server.url)
    first = send(client)
    server.hung_up.wait(PATIENCE)

    assert (first, send(client)) == (Sent(1), Sent(2))


@pytest.mark.parametrize(("idle", "connections"), [(IDLE_SECONDS, 1), (IDLE_SECONDS + 0.1, 2)])
def test_a_connection_unused_for_long_is_not_trusted(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], idle: float, connections: int
) -> None:
    server, time = serve(answers(a_message(42))), Time()
    client = connect(server.url, monotonic=time)
    send(client)

    time.now += idle

    assert send(client) == Sent(42)
    assert server.stop() == connections


def test_connections_made_ready_are_used_by_the_calls(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    server = serve(answers(a_message(42)))
    client = connect(server.url)

    client.make_ready()
    client.make_ready()
    send(client)

    assert server.stop() == KEPT_READY
    assert len(server.requests) == 1


def test_connections_made_ready_before_a_long_pause_are_opened_afresh(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    server, time = serve(answers(a_message(42))), Time()
    client = connect(server.url, monotonic=time)
    client.make_ready()

    time.now += IDLE_SECONDS + 1
    client.make_ready()

    assert send(client) == Sent(42)
    assert server.stop() == 2 * KEPT_READY


@pytest.mark.parametrize(("unused", "opened_anew"), [(0.0, 0), (FRESH_SECONDS, KEPT_READY)])
def test_what_the_other_side_closed_is_looked_for_once_it_is_no_longer_fresh(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], unused: float, opened_anew: int
) -> None:
    server, time = serve(hangs_up), Time()
    client = connect(server.url, monotonic=time)
    client.make_ready()
    assert server.all_hung_up.wait(PATIENCE)

    time.now += unused
    client.make_ready()

    assert server.stop() == KEPT_READY + opened_anew


def test_a_connection_the_answer_closed_is_opened_anew_however_fresh(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    body = json.dumps(a_message(42)).encode()
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    server = serve(answers_once(head + body))
    client = connect(server.url)
    client.make_ready()

    send(client)
    client.make_ready()

    assert server.stop() == KEPT_READY + 1


@pytest.mark.parametrize("url", ["http://nohost.invalid", "refused"])
def test_what_cannot_be_made_ready_is_left_to_the_call(
    connect: Callable[..., TelegramHttp], url: str, caplog: pytest.LogCaptureFixture
) -> None:
    if url == "refused":
        url = f"http://127.0.0.1:{nobody_listens()}"
    client = connect(url)

    with caplog.at_level(logging.INFO):
        client.make_ready()

    assert caplog.messages == []
    assert isinstance(send(client), NotDelivered)


def test_a_handshake_that_failed_while_making_ready_is_tried_afresh_by_the_call(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp]
) -> None:
    server = serve(hangs_up_unread)
    client = connect(f"https://127.0.0.1:{server.port}")

    client.make_ready()

    assert isinstance(send(client), NotDelivered)
    assert server.stop() == 2


def test_making_ready_takes_no_longer_than_a_connection_may(
    connect: Callable[..., TelegramHttp], full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telegram_http, "CONNECT_SECONDS", SHORT)
    client = connect(full)
    making = Thread(target=client.make_ready, daemon=True)

    making.start()
    making.join(PATIENCE)

    assert not making.is_alive()


def test_a_connection_that_was_unused_while_the_machine_slept_is_not_used_again(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = Time()
    monkeypatch.setattr("time.clock_gettime", lambda _: passed())  # the monotonic clock stands still meanwhile
    server = serve(answers(a_message(42)))
    client = connect(server.url)
    send(client)

    passed.now += 3600

    assert send(client) == Sent(42)
    assert server.stop() == 2


# --- through a proxy --------------------------------------------------------------------------------------------------


def test_a_call_through_a_proxy_is_answered(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = serve(answers(a_message(42)))
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    client = connect("http://telegram.invalid")

    client.make_ready()

    assert send(client) == Sent(42)
    assert the_request(proxy)[0] == f"POST http://telegram.invalid/bot{TOKEN}/sendMessage HTTP/1.1"


@pytest.mark.parametrize("behaviour", [hangs_up_unread, answers_once(b"")], ids=["before reading", "after reading"])
def test_a_proxy_that_breaks_off_leaves_it_open_whether_the_message_was_posted(
    serve: Callable[..., Server],
    connect: Callable[..., TelegramHttp],
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Serve,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", serve(behaviour).url)

    assert isinstance(send(connect("http://telegram.invalid")), Unconfirmed)


@pytest.mark.parametrize(
    "behaviour", [answers_once(b"HTTP/1.1 403 Forbidden\r\n\r\n"), answers_once(b"")], ids=["refuses", "hangs up"]
)
def test_a_proxy_that_opens_no_tunnel_delivers_nothing(
    serve: Callable[..., Server],
    connect: Callable[..., TelegramHttp],
    monkeypatch: pytest.MonkeyPatch,
    behaviour: Serve,
) -> None:
    proxy = serve(behaviour)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)
    client = connect("https://telegram.invalid")

    assert isinstance(send(client), NotDelivered)
    assert [r.split(b" HTTP/")[0] for r in proxy.requests] == [b"CONNECT telegram.invalid:443"]
    assert proxy.stop() == 1


def test_asking_a_proxy_for_a_tunnel_is_no_departure(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", serve(answers_once(b"HTTP/1.1 200 OK\r\n\r\n")).url)
    asked: list[str] = []

    def may_leave() -> bool:
        asked.append("may it leave?")
        return True

    assert isinstance(send(connect("https://telegram.invalid"), may_leave=may_leave), NotDelivered)
    assert asked == []


def test_tunnels_are_opened_ahead_of_a_call(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that has to open one first would miss its slot, and lose the tunnel with it: again and again."""
    proxy = serve(answers_once(b"HTTP/1.1 200 OK\r\n\r\n"))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url)

    connect("https://telegram.invalid").make_ready()

    assert proxy.stop() == 1
    assert proxy.requests[0].startswith(b"CONNECT telegram.invalid:443")


# --- no secret leaves -------------------------------------------------------------------------------------------------


BAD_SERVERS = [
    hangs_up_unread,
    answers_once(b""),
    answers_once(CUT_SHORT),
    answers_once(NO_GZIP),
    answers_once(b"HTTP/1.1 x\r\n\r\n"),
    answers_once(b"HTTP/1.1 302 X\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n"),
    answers(b"", 502),
    answers(b"<html>", 404),
]


@pytest.mark.parametrize(
    ("scheme", "behaviour"), [*(("http", server) for server in BAD_SERVERS), ("https", hangs_up_unread)]
)
def test_no_outcome_of_a_server_shows_the_token(
    serve: Callable[..., Server], connect: Callable[..., TelegramHttp], scheme: str, behaviour: Serve
) -> None:
    client = connect(f"{scheme}://127.0.0.1:{serve(behaviour).port}")

    outcomes = [send(client), client.delete_messages(-1, [1]), client.edit_text(-1, 1, "x"), client.get_me()]

    assert TOKEN.split(":")[1] not in repr(outcomes)


@pytest.mark.parametrize(
    "url", ["http://nohost.invalid", "http://127.0.0.1:1", "http://127.0.0.1:99999", "http://", "http://[", "ftp://x", "http://a b"]
)  # fmt: skip
def test_no_outcome_of_a_wrong_address_shows_the_token(connect: Callable[..., TelegramHttp], url: str) -> None:
    client = connect(url)
    client.make_ready()

    outcomes = [send(client), client.get_me()]

    assert {type(outcome) for outcome in outcomes} == {NotDelivered}
    assert TOKEN.split(":")[1] not in repr(outcomes)
