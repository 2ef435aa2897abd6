"""One client's connection: HTTP/1.1 with keep-alive, one request at a time; plain requests by hand, others over h11."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus

import h11

from infra.telegram_simulator.plain_http import NotPlain, read_request, written
from infra.telegram_simulator.replies import Action, Reply
from infra.telegram_simulator.requests import Request

MAX_BODY_BYTES = 64 * 1024 * 1024
Respond = Callable[[Reply], None]
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Connection(asyncio.Protocol):
    """Reads requests, hands each to `handle` with a function that takes its reply, and does as the reply says.

    The next request on the same connection is read only when the one before is answered. `handle` may reply at once
    or any time later, but on the event loop's thread. From the first request that is not plain, h11 reads them all.
    """

    def __init__(self, handle: Callable[[Request, Respond], None], everyone: set["Connection"]) -> None:
        self._handle = handle
        self._everyone = everyone
        self._transport: asyncio.Transport | None = None
        self._unread = b""
        self._http: h11.Connection | None = None
        self._head: h11.Request | None = None
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._busy = False  # a request is with `handle`
        self._reading = False  # inside _read_on: an answer given at once must not start it again
        self._ended = False  # the peer sends no more

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio, which has set TCP_NODELAY already."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._everyone.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Called by asyncio. A call under way goes on: Telegram would not notice either."""
        self._transport = None
        self._everyone.discard(self)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self._http:
            self._http.receive_data(data)
        else:
            self._unread = self._unread + data if self._unread else data
        self._read_on()

    def eof_received(self) -> bool:
        """Called by asyncio. A peer that has only closed its sending side still gets its answer."""
        self._ended = True
        if self._http:
            self._http.receive_data(b"")
        self._read_on()
        return self._busy

    def drop(self) -> None:
        """Close at once, whatever is under way."""
        if self._transport:
            self._transport.abort()

    def _read_on(self) -> None:
        if self._reading:
            return
        self._reading = True
        try:
            while not self._busy and self._transport:
                request = self._next_with_h11(self._http) if self._http else self._next_plain()
                if request is None:
                    return
                self._busy = True
                self._handle(request, self._reply)
        finally:
            self._reading = False

    def _next_plain(self) -> Request | None:
        if not self._unread:
            if self._ended and self._transport:
                self._transport.close()
            return None
        found = read_request(self._unread)
        if isinstance(found, NotPlain) or (found is None and self._ended):
            self._http = h11.Connection(h11.SERVER)
            self._http.receive_data(self._unread)
            if self._ended:
                self._http.receive_data(b"")
            self._unread = b""
            return self._next_with_h11(self._http)
        if found is None:
            return None
        request, taken = found
        self._unread = self._unread[taken:]
        return request

    def _next_with_h11(self, http: h11.Connection) -> Request | None:
        assert self._transport is not None
        while True:
            try:
                event = http.next_event()
            except h11.RemoteProtocolError as fault:
                self._give_up(http, fault.error_status_hint)
                return None
            if isinstance(event, h11.Request):
                self._head, self._body, self._body_bytes = event, [], 0
            elif isinstance(event, h11.Data):
                self._body.append(bytes(event.data))
                self._body_bytes += len(event.data)
                if self._body_bytes > MAX_BODY_BYTES:
                    self._give_up(http, 413)
                    return None
            elif isinstance(event, h11.EndOfMessage) and self._head:
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self._head.headers}
                method, target = self._head.method.decode("ascii"), self._head.target.decode("latin-1")
                return Request(method, target, headers, b"".join(self._body))
            elif event is h11.NEED_DATA:
                if http.they_are_waiting_for_100_continue:
                    self._send(http, h11.InformationalResponse(status_code=100, headers=[]))
                return None
            else:  # the peer has closed its side
                self._transport.close()
                return None

    def _reply(self, reply: Reply) -> None:
        if self._transport is None or reply.action is Action.SILENCE:
            return
        if reply.action is Action.DROP:
            self._transport.abort()
            return
        if self._http is None:
            self._transport.write(written(reply, _PHRASES.get(reply.status, "")))
        else:
            self._reply_with_h11(self._http, reply)
        self._busy = False
        self._read_on()

    def _reply_with_h11(self, http: h11.Connection, reply: Reply) -> None:
        assert self._transport is not None
        headers = [*reply.headers, ("Content-Length", str(len(reply.body)))]
        without_body = self._head is not None and self._head.method == b"HEAD"
        self._send(
            http,
            h11.Response(status_code=reply.status, headers=headers, reason=_PHRASES.get(reply.status, "")),
            *([] if without_body else [h11.Data(data=reply.body)]),
            h11.EndOfMessage(),
        )
        if http.our_state is h11.MUST_CLOSE:
            self._transport.close()
            self._transport = None
        else:
            http.start_next_cycle()

    def _send(self, http: h11.Connection, *events: h11.Event) -> None:
        assert self._transport is not None
        self._transport.write(b"".join(http.send(event) or b"" for event in events))

    def _give_up(self, http: h11.Connection, status: int) -> None:
        assert self._transport is not None
        if http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [("Content-Length", "0"), ("Connection", "close")]
            self._send(http, h11.Response(status_code=status, headers=headers), h11.EndOfMessage())
        self._transport.close()
