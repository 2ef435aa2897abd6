"""The simulator as an HTTP server: the Bot API, the control plane and the page, on one port, in a thread of its own."""

import asyncio
import logging
import random
import socket
import threading
from collections.abc import Callable
from types import TracebackType

from infra.telegram_simulator import control, page
from infra.telegram_simulator.connection import Connection
from infra.telegram_simulator.refusals import Refused
from infra.telegram_simulator.replies import Reply, error, refusal
from infra.telegram_simulator.requests import Request, read_parameters, token_and_method
from infra.telegram_simulator.simulator import Pending, Simulator

_logger = logging.getLogger(__name__)
_HTML = (("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store"))
# A fault of the simulator itself is told apart from scripted errors by its text.
_BROKEN = error(500, "Internal Server Error: the simulator itself failed, see its log", {})
Respond = Callable[[Reply], None]


class SimulatorServer:
    """Serves a simulator over HTTP/1.1 until stopped; also a context manager.

    A call counts the moment it arrives; its answer takes `latency_seconds` plus or minus up to `jitter_seconds` more.
    Waiting blocks neither a thread nor another connection. `port` 0 takes a free one.
    """

    def __init__(
        self,
        simulator: Simulator,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        latency_seconds: float = 0.0,
        jitter_seconds: float = 0.0,
        seed: int = 0,
    ) -> None:
        if latency_seconds < 0 or not 0 <= jitter_seconds <= latency_seconds:
            raise ValueError("latency must be 0 or more, and the jitter between 0 and the latency (both in seconds)")
        self._simulator = simulator
        self._host, self._port = host, port
        self._latency, self._jitter = latency_seconds, jitter_seconds
        self._random = random.Random(seed)
        self._connections: set[Connection] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._listener: socket.socket | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end; RuntimeError before start()."""
        if self._listener is None:
            raise RuntimeError("the Telegram simulator has not been started")
        host, port = self._listener.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Listen and serve. OSError naming host and port if they cannot be had."""
        if self._thread:
            raise RuntimeError("the Telegram simulator is already running")
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            self._listener = socket.create_server((self._host, self._port), family=family, backlog=1024)
        except OSError as reason:
            message = f"the Telegram simulator cannot listen on {self._host}:{self._port}: {reason.strerror}"
            raise OSError(reason.errno, message) from None
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        arguments = (self._loop, self._listener, ready)
        self._thread = threading.Thread(target=self._run, args=arguments, name="telegram-simulator", daemon=True)
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Close every connection and the port. Does nothing when not running."""
        if self._loop and self._thread:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop = self._thread = self._listener = None

    def __enter__(self) -> "SimulatorServer":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, loop: asyncio.AbstractEventLoop, listener: socket.socket, ready: threading.Event) -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(
            loop.create_server(lambda: Connection(self._handle, self._connections), sock=listener, backlog=1024)
        )
        ready.set()
        try:
            loop.run_forever()
        finally:
            # A connection that was just taken is known here only some turns of the loop later, and would be left open by a
            # server that closes meanwhile.
            loop.remove_reader(listener)
            loop.run_until_complete(_turns())
            server.close()
            for connection in list(self._connections):
                connection.drop()
            loop.run_until_complete(_settle(loop))
            loop.close()

    def _handle(self, request: Request, respond: Respond) -> None:
        """Answer one request, at once or later, without holding up the event loop."""
        if request.path.startswith("/bot"):
            self._call(request, respond)
        elif request.path == "/" or request.path.startswith("/control/"):
            self._look(request, respond)
        else:
            respond(error(404, "Not Found", {}))

    def _call(self, request: Request, respond: Respond) -> None:
        try:
            token, method = token_and_method(request.path)
            pending = self._simulator.begin(token, method, read_parameters(request))
        except Refused as refused:
            self._respond_later(refusal(refused), respond)
            return
        if pending.wait_seconds:
            self._later(pending.wait_seconds, lambda: self._finish(pending, respond))
        else:
            self._finish(pending, respond)

    def _finish(self, pending: Pending, respond: Respond) -> None:
        try:
            reply = self._simulator.finish(pending)
        except Exception:  # such as a full disk: this call has failed, the next may do better
            _logger.exception("the Telegram simulator failed")
            reply = _BROKEN
        self._respond_later(reply, respond)

    def _respond_later(self, reply: Reply, respond: Respond) -> None:
        delay = reply.delay_seconds + self._latency
        if self._jitter:
            delay += self._random.uniform(-self._jitter, self._jitter)
        if delay > 0:
            self._later(delay, lambda: respond(reply))
        else:
            respond(reply)

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        assert self._loop is not None
        self._loop.call_later(seconds, what)

    def _look(self, request: Request, respond: Respond) -> None:
        """The page and the control plane can take long with many channels: they run beside the event loop."""
        assert self._loop is not None

        def answer() -> Reply:
            try:
                if request.path == "/":
                    return Reply(200, page.render(self._simulator).encode(), _HTML)
                return control.answer(self._simulator, request)
            except Exception:
                _logger.exception("the Telegram simulator failed")
                return _BROKEN

        def done(future: asyncio.Future[Reply]) -> None:
            if not future.cancelled():
                respond(future.result())

        self._loop.run_in_executor(None, answer).add_done_callback(done)


async def _turns() -> None:
    """Let what has been scheduled happen: an accept, its transport, and the connection being told of it."""
    for _ in range(5):
        await asyncio.sleep(0)


async def _settle(loop: asyncio.AbstractEventLoop) -> None:
    """Let dropped connections close and workers end, so that nothing is left open."""
    await asyncio.sleep(0)
    await loop.shutdown_default_executor()
    await asyncio.sleep(0)
