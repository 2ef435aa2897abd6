"""The simulator over HTTP: bodies of every kind, real connections, the control plane."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from infra.telegram_simulator.plain_http import NOT_PLAIN, read_request
from infra.telegram_simulator.scripting import Script
from infra.telegram_simulator.server import SimulatorServer
from tests.telegram_simulator.support import CHAT, OTHER, TOKEN, World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def server(world: World) -> Iterator[SimulatorServer]:
    with SimulatorServer(world.simulator) as running:
        yield running


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as opened:
        opened.trust_env = False
        yield opened


def api(server: SimulatorServer, method: str = "sendMessage") -> str:
    return f"{server.url}/bot{TOKEN}/{method}"


def wait_for_what_came_before(server: SimulatorServer, session: requests.Session) -> None:
    """The event loop has then read everything sent earlier, even by a client that has given up since."""
    for _ in range(2):
        session.get(f"{server.url}/control/summary", timeout=10)


MARKUP = {"inline_keyboard": [[{"text": "Buy", "url": "https://t.me/b?start=x"}]]}
TEXT = "é & <b>x</b> + 100%"


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"chat_id": CHAT, "text": TEXT, "reply_markup": MARKUP}},
        {"data": {"chat_id": CHAT, "text": TEXT, "reply_markup": json.dumps(MARKUP)}},
        {"params": {"chat_id": CHAT, "text": TEXT, "reply_markup": json.dumps(MARKUP)}},
        {
            "files": {
                "chat_id": (None, str(CHAT)),
                "text": (None, TEXT),
                "reply_markup": (None, json.dumps(MARKUP)),
            }
        },
        {"params": {"chat_id": CHAT}, "json": {"text": TEXT, "reply_markup": MARKUP}},
    ],
    ids=["json", "urlencoded", "query", "multipart", "query and json"],
)
def test_parameters_may_come_in_any_form(
    server: SimulatorServer, session: requests.Session, body: dict[str, Any]
) -> None:
    answer = session.post(api(server), **body, timeout=10)
    assert answer.headers["Content-Type"] == "application/json"
    assert (answer.status_code, answer.json()["result"]["text"]) == (200, TEXT)
    assert answer.json()["result"]["reply_markup"] == MARKUP


def test_a_get_works_too(server: SimulatorServer, session: requests.Session) -> None:
    assert session.get(api(server, "getMe"), timeout=10).json()["result"]["is_bot"] is True


@pytest.mark.parametrize(
    ("body", "kind", "description"),
    [
        (b"[1]", "application/json", "Bad Request: JSON object expected"),
        (b"{", "application/json", "Bad Request: can't parse object: "),
        (b"text=%FF&chat_id=1", "application/x-www-form-urlencoded", "Bad Request: strings must be encoded in UTF-8"),
        (b"chat_id=1&text=x", "text/plain", "Bad Request: message text is empty"),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    server: SimulatorServer, session: requests.Session, body: bytes, kind: str, description: str
) -> None:
    answer = session.post(api(server), data=body, headers={"Content-Type": kind}, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["description"].startswith(description)


def test_a_429_reaches_the_client_with_its_header(
    server: SimulatorServer, session: requests.Session, world: World
) -> None:
    world.simulator.script(Script(effect="answer", status=429, parameters={"retry_after": 7}))
    answer = session.post(api(server), json={"chat_id": CHAT, "text": "x"}, timeout=10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


@pytest.mark.parametrize(("effect", "posted"), [("drop_before", False), ("drop_after", True)])
def test_a_dropped_connection_is_really_dropped(
    server: SimulatorServer, session: requests.Session, world: World, effect: Any, posted: bool
) -> None:
    world.simulator.script(Script(effect=effect))
    with pytest.raises(requests.ConnectionError):
        session.post(api(server), json={"chat_id": CHAT, "text": "x"}, timeout=10)
    assert len(world.visible_ids()) == posted
    assert session.post(api(server), json={"chat_id": CHAT, "text": "x"}, timeout=10).status_code == 200


def test_silence_ends_in_the_clients_own_timeout(
    server: SimulatorServer, session: requests.Session, world: World
) -> None:
    world.simulator.script(Script(effect="accept_then_silence"))
    with pytest.raises(requests.ReadTimeout):
        session.post(api(server), json={"chat_id": CHAT, "text": "x"}, timeout=0.05)
    wait_for_what_came_before(server, session)
    assert len(world.visible_ids()) == 1


def test_a_delay_holds_up_no_other_connection(server: SimulatorServer, session: requests.Session, world: World) -> None:
    world.simulator.script(Script(effect="delay_before", seconds=3600, chat_id=CHAT))
    waiting = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])))
    waiting.sendall(http("POST", f"/bot{TOKEN}/sendMessage", json.dumps({"chat_id": CHAT, "text": "x"})))
    answer = session.post(api(server), json={"chat_id": OTHER, "text": "x"}, timeout=10)
    assert answer.status_code == 200
    assert world.visible_ids(CHAT) == []
    waiting.close()


def http(method: str, target: str, body: str, *extra: str) -> bytes:
    head = [f"{method} {target} HTTP/1.1", "Host: x", "Content-Type: application/json", *extra]
    return ("\r\n".join([*head, f"Content-Length: {len(body.encode())}"]) + "\r\n\r\n" + body).encode()


def raw_exchange(server: SimulatorServer, *pieces: bytes) -> bytes:
    """Send the pieces as they are, close the sending side, return everything that comes back."""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


SEND = http("POST", f"/bot{TOKEN}/sendMessage", json.dumps({"chat_id": CHAT, "text": "é"}))
GET_ME = http("GET", f"/bot{TOKEN}/getMe", "")


def test_one_connection_carries_many_requests_and_answers_them_in_order(server: SimulatorServer, world: World) -> None:
    received = raw_exchange(server, SEND * 300 + GET_ME)
    assert received.count(b"HTTP/1.1 200 OK") == 301
    assert received.endswith(b'"supports_inline_queries":false}}')
    assert len(world.visible_ids()) == 300


def test_a_request_may_come_byte_by_byte(server: SimulatorServer, world: World) -> None:
    raw_exchange(server, *(bytes([byte]) for byte in SEND))
    assert len(world.visible_ids()) == 1


@pytest.mark.parametrize(
    "header", ["Connection: close", "Expect: 100-continue", "Accept: a\r\nAccept: b", "X-Odd: \xe9"]
)
def test_requests_that_are_not_plain_are_answered_too(server: SimulatorServer, world: World, header: str) -> None:
    body = json.dumps({"chat_id": CHAT, "text": "x"})
    received = raw_exchange(server, http("POST", f"/bot{TOKEN}/sendMessage", body, *header.split("\r\n")))
    assert b"HTTP/1.1 200 OK" in received
    assert len(world.visible_ids()) == 1


def test_a_chunked_body_is_read(server: SimulatorServer, session: requests.Session, world: World) -> None:
    body = json.dumps({"chat_id": CHAT, "text": "chunked"}).encode()
    pieces = iter([body[:5], body[5:]])
    kind = {"Content-Type": "application/json"}
    assert session.post(api(server), data=pieces, headers=kind, timeout=10).status_code == 200
    assert session.post(api(server), data=body, headers=kind, timeout=10).status_code == 200
    assert [m.text for m in world.simulator.visible(CHAT)] == ["chunked", "chunked"]


def test_what_is_no_http_gets_a_400_and_a_closed_connection(server: SimulatorServer) -> None:
    assert raw_exchange(server, b"HELLO\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_request_cut_off_is_not_carried_out(server: SimulatorServer, world: World) -> None:
    raw_exchange(server, SEND[:-3])
    assert world.simulator.calls() == []


@pytest.mark.parametrize(
    "head",
    [
        b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
        b"\x16\x03\x01",
    ],
)
def test_only_plain_requests_are_read_without_h11(head: bytes) -> None:
    assert read_request(head) is NOT_PLAIN


def test_a_plain_request_is_read_and_the_next_one_is_left() -> None:
    found = read_request(b"POST /a?b HTTP/1.1\r\nHost: x\r\nX-Y:  z \r\nContent-Length: 2\r\n\r\nhiGET")
    assert isinstance(found, tuple)
    request, taken = found
    assert (request.path, request.query, request.headers["x-y"], request.body) == ("/a", "b", "z", b"hi")
    assert taken == 62


@pytest.mark.parametrize(
    ("path", "status"), [("/bot", 404), (f"/bot{TOKEN}", 404), ("/nothing", 404), (f"/bot{TOKEN}/nothing", 404)]
)
def test_other_paths_are_404_in_json(
    server: SimulatorServer, session: requests.Session, path: str, status: int
) -> None:
    answer = session.get(server.url + path, timeout=10)
    assert (answer.status_code, answer.json()["ok"]) == (status, False)


def test_every_answer_takes_the_base_latency(world: World, session: requests.Session) -> None:
    with SimulatorServer(world.simulator, latency_seconds=3600) as slow:
        with pytest.raises(requests.ReadTimeout):
            session.post(api(slow), json={"chat_id": CHAT, "text": "x"}, timeout=0.05)
        wait_for_what_came_before(slow, session)
        assert len(world.visible_ids()) == 1  # it counts when it arrives


def test_a_client_that_has_closed_its_sending_side_still_gets_its_answer(world: World) -> None:
    with SimulatorServer(world.simulator, latency_seconds=0.01) as server:
        assert raw_exchange(server, SEND).startswith(b"HTTP/1.1 200 OK")


def test_a_busy_port_is_an_error_that_names_it(server: SimulatorServer, world: World) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
        SimulatorServer(world.simulator, port=port).start()


def test_a_stopped_server_frees_its_port_and_can_start_again(world: World) -> None:
    server = SimulatorServer(world.simulator)
    server.start()
    port = int(server.url.rpartition(":")[2])
    server.stop()
    server.stop()
    with SimulatorServer(world.simulator, port=port) as again:
        assert again.url.endswith(f":{port}")


# The control plane


def control(server: SimulatorServer, session: requests.Session, what: str, body: object) -> requests.Response:
    return session.post(f"{server.url}/control/{what}", json=body, timeout=10)


def look(server: SimulatorServer, session: requests.Session, what: str) -> Any:
    return session.get(f"{server.url}/control/{what}", timeout=10).json()


def test_another_process_can_register_channels_and_read_the_record(
    server: SimulatorServer, session: requests.Session
) -> None:
    control(server, session, "channels", [{"chat_id": -1005, "title": "Far away", "can_delete": False}])
    session.post(api(server), json={"chat_id": -1005, "text": "<b>hi</b>", "parse_mode": "HTML"}, timeout=10)
    first = look(server, session, "record")[0]
    assert (first["channel"]["title"], first["channel"]["can_delete"]) == ("Far away", False)
    assert (first["messages"][0]["text"], first["messages"][0]["html"]) == ("hi", "<b>hi</b>")


def test_another_process_can_script_faults_and_clear_them(server: SimulatorServer, session: requests.Session) -> None:
    fault = {"effect": "answer", "status": 502, "body": "<html>", "times": None}
    assert control(server, session, "script", [fault, fault]).json() == {"ok": True}
    assert session.get(api(server, "getMe"), timeout=10).status_code == 502
    assert control(server, session, "clear-scripts", {}).status_code == 200
    assert session.get(api(server, "getMe"), timeout=10).status_code == 200


def test_another_process_can_migrate_a_chat(server: SimulatorServer, session: requests.Session) -> None:
    assert control(server, session, "migrate", {"chat_id": CHAT, "new_chat_id": -1006}).status_code == 200
    answer = session.post(api(server), json={"chat_id": CHAT, "text": "x"}, timeout=10).json()
    assert answer["parameters"] == {"migrate_to_chat_id": -1006}
    assert control(server, session, "migrate", {"chat_id": 1, "new_chat_id": 2}).status_code == 400


def test_calls_and_summary_tell_what_happened(server: SimulatorServer, session: requests.Session, world: World) -> None:
    for text in ("x", ""):
        session.post(api(server), json={"chat_id": CHAT, "text": text}, timeout=10)
    calls = look(server, session, "calls")
    assert [(call["method"], call["chat_id"], call["status"]) for call in calls] == [
        ("sendmessage", CHAT, 200),
        ("sendmessage", CHAT, 400),
    ]
    summary = look(server, session, "summary")
    assert (summary["accepted"], summary["refused"], summary["max_in_any_second"]) == (1, {"400": 1}, 1)
    assert summary["first_accepted"] == world.clock.now().isoformat().replace("+00:00", "Z")


def test_another_process_can_reset(server: SimulatorServer, session: requests.Session, world: World) -> None:
    world.sent()
    assert control(server, session, "reset", {"channels": True}).status_code == 200
    assert world.simulator.channels() == []


@pytest.mark.parametrize(
    ("what", "body"),
    [("script", {"effect": "explode"}), ("script", {"effect": "answer", "tiems": 1}), ("channels", {"chat_id": 1})],
)
def test_a_wrong_order_is_refused_with_a_sentence(
    server: SimulatorServer, session: requests.Session, what: str, body: object
) -> None:
    answer = control(server, session, what, body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_control_plane_knows_its_paths_and_methods(server: SimulatorServer, session: requests.Session) -> None:
    assert session.get(f"{server.url}/control/nothing", timeout=10).status_code == 404
    assert session.get(f"{server.url}/control/reset", timeout=10).status_code == 405
    assert control(server, session, "record", {}).status_code == 405


def test_the_page_is_served_at_the_root(server: SimulatorServer, session: requests.Session, world: World) -> None:
    world.sent("read me")
    answer = session.get(server.url + "/", timeout=10)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "read me" in answer.text
