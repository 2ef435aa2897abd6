"""Hands events from the queue to the functions, as Pub/Sub would: a CloudEvent over the function's own WSGI app, an answer in the
two hundreds as acknowledgement, anything else as "come again".
"""

import io
import json
import logging
import sys
from base64 import b64encode
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Event, Thread
from typing import Any

from infra.embedded.event_queue import EventQueue, Taken
from shared.events import Topic
from shared.logs import fields, scrub
from shared.store import StoreUnavailable

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

LOOK_AGAIN_SECONDS = 1.0
"""Events that come due after a back-off, or from another process, are found after at most so long."""
EVENT_TYPE = "google.cloud.pubsub.topic.v1.messagePublished"

log = logging.getLogger(__name__)


class Dispatcher:
    """Consumes one topic with one function, in up to `workers` threads."""

    def __init__(self, queue: EventQueue, topic: Topic, app: WsgiApp, *, workers: int, stop: Event) -> None:
        self._queue = queue
        self._topic = topic
        self._app = app
        self._stop = stop
        self._free = workers
        self._freed = Condition()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=topic.value)
        self._thread = Thread(target=self._run, name=f"dispatch-{topic.value}")

    def start(self) -> None:
        """Begin to consume."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the events at hand, once `stop` is set."""
        if self._thread.ident is not None:
            self._thread.join()
        self._pool.shutdown(wait=True)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._hand_out()
            except StoreUnavailable as error:
                log.error("The event queue does not answer: %s", error, extra=fields(event="queue_unavailable"))
                self._stop.wait(LOOK_AGAIN_SECONDS)
            except Exception:
                # This thread must outlive whatever happens: without it a whole topic would stop in silence.
                log.exception(
                    "The events of %s could not be handed out.", self._topic, extra=fields(event="unexpected")
                )
                self._stop.wait(LOOK_AGAIN_SECONDS)

    def _hand_out(self) -> None:
        with self._freed:
            self._freed.wait_for(lambda: self._free > 0)
            room = self._free
        taken = self._queue.take(self._topic, room)
        for event in taken:
            self._occupy(1)
            try:
                self._pool.submit(self._deliver, event)
            except BaseException:
                self._occupy(-1)
                raise
        if not taken:
            self._queue.wait(self._topic, LOOK_AGAIN_SECONDS)

    def _occupy(self, workers: int) -> None:
        with self._freed:
            self._free -= workers
            self._freed.notify()

    def _deliver(self, taken: Taken) -> None:
        try:
            status, body = call(self._app, taken)
            if 200 <= status < 300:
                self._queue.acknowledge(taken)
            elif not self._stop.is_set():
                self._queue.give_back(taken, scrub(f"{status}: {body[:300]}"))
        except StoreUnavailable as error:
            log.error("An event could not be acknowledged and comes again: %s", error, extra=fields(event="ack_lost"))
        except Exception:
            # Nobody looks at this thread's result; without a line here the fault would be swallowed.
            log.exception("An event could not be delivered and comes again.", extra=fields(event="unexpected"))
        finally:
            self._occupy(-1)


def call(app: WsgiApp, taken: Taken) -> tuple[int, str]:
    """POST the event to the function as a CloudEvent in binary mode; its status and body."""
    published = taken.published_at.isoformat()
    envelope = {
        "message": {"data": b64encode(taken.data).decode(), "messageId": taken.id, "publishTime": published},
        "subscription": f"embedded/{taken.topic.value}",
    }
    raw = json.dumps(envelope).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "embedded",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(raw)),
        "HTTP_CE_ID": taken.id,
        "HTTP_CE_SPECVERSION": "1.0",
        "HTTP_CE_TYPE": EVENT_TYPE,
        "HTTP_CE_SOURCE": f"//embedded/topics/{taken.topic.value}",
        "HTTP_CE_TIME": published,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(raw),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    statuses: list[str] = []

    def start_response(status: str, headers: object, exc_info: object = None) -> Callable[[bytes], object]:
        del headers, exc_info
        statuses.append(status)
        return lambda _: None

    chunks = app(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    return int(statuses[-1].split(" ", 1)[0]), body.decode(errors="replace")
