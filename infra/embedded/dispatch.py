"""Hands events from the queue to the functions, as Pub/Sub would: returning acknowledges one, an exception brings it again.

The functions are called as functions-framework calls them, with the same CloudEvent. The request it would be read from is left out:
to write one and to read it again took a fifth of all the time.
"""

import logging
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Condition, Event, Thread

from cloudevents.http import CloudEvent
from werkzeug.exceptions import HTTPException

from infra.embedded.event_queue import EventQueue, Taken
from shared.events import Topic
from shared.logs import fields, scrub
from shared.store import StoreUnavailable

EventFunction = Callable[[CloudEvent], None]

LOOK_AGAIN_SECONDS = 1.0
"""Events that come due after a back-off, or from another process, are found after at most so long."""
GATHER_SECONDS = 0.01
"""Events come in bursts. What comes within so short a time is taken in one trip to the file; slots lie ten times as far ahead."""
EVENT_TYPE = "google.cloud.pubsub.topic.v1.messagePublished"

log = logging.getLogger(__name__)


class Dispatcher:
    """Consumes one topic with one function, in up to `workers` threads."""

    def __init__(self, queue: EventQueue, topic: Topic, function: EventFunction, *, workers: int, stop: Event) -> None:
        self._queue = queue
        self._topic = topic
        self._function = function
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
            self._stop.wait(GATHER_SECONDS)

    def _occupy(self, workers: int) -> None:
        with self._freed:
            self._free -= workers
            self._freed.notify()

    def _deliver(self, taken: Taken) -> None:
        try:
            why = hand_over(self._function, taken)
            if why is None:
                self._queue.acknowledge(taken)
            elif not self._stop.is_set():
                self._queue.give_back(taken, scrub(why)[:300])
        except StoreUnavailable as error:
            log.error("An event could not be acknowledged and comes again: %s", error, extra=fields(event="ack_lost"))
        except Exception:
            # Nobody looks at this thread's result; without a line here the fault would be swallowed.
            log.exception("An event could not be delivered and comes again.", extra=fields(event="unexpected"))
        finally:
            self._occupy(-1)


def cloud_event_of(taken: Taken) -> CloudEvent:
    """The event as functions-framework would read it from a Pub/Sub push request."""
    published = taken.published_at.isoformat()
    message = {"data": b64encode(taken.data).decode(), "messageId": taken.id, "publishTime": published}
    attributes = {
        "id": taken.id,
        "type": EVENT_TYPE,
        "source": f"//embedded/topics/{taken.topic.value}",
        "time": published,
        "datacontenttype": "application/json",
    }
    return CloudEvent(attributes, {"message": message, "subscription": f"embedded/{taken.topic.value}"})


def hand_over(function: EventFunction, taken: Taken) -> str | None:
    """Call the function. None acknowledges the event; else what is to be kept of why it comes again."""
    try:
        function(cloud_event_of(taken))
    except HTTPException as refusal:
        return f"{refusal.code}: {refusal.description}"
    except Exception as error:
        log.exception(
            "An event of %s could not be handled and comes again.", taken.topic, extra=fields(event="unexpected")
        )
        return f"500: {type(error).__name__}: {error}"
    return None
