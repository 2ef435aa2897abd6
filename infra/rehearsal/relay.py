"""Carries events from pulled subscriptions to the functions, as Pub/Sub's push does: the envelope, the concurrency, and the answer
back as acknowledgement or not.

It can be told to misbehave as Pub/Sub may: to deliver an event twice, and late, so that others overtake it.
"""

import json
import logging
import random
from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import BoundedSemaphore, Event, Lock, Thread, local

import requests
from google.api_core.exceptions import GoogleAPIError

from infra.rehearsal.pubsub import Pubsub, Pulled, Subscription
from shared.events import Topic

ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})
"""What push takes for an acknowledgement (Pub/Sub docs, "Receive messages with push")."""
PULL_AT_ONCE = 50
SPIKE_SECONDS = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mischief:
    """The share of deliveries that are made twice, and that are held up by up to so many seconds."""

    twice: float = 0.0
    late: float = 0.0
    latest: float = 3.0
    seed: int = 1


class Relay:
    """Runs until stopped. `failures` counts deliveries that were not acknowledged."""

    def __init__(
        self,
        pubsub: Pubsub,
        subscriptions: Mapping[Topic, Subscription],
        urls: Mapping[str, str],
        *,
        mischief: Mischief | None = None,
    ) -> None:
        self._pubsub = pubsub
        self._subscriptions = subscriptions
        self._urls = urls
        self._mischief = mischief or Mischief()
        self._chance = random.Random(self._mischief.seed)
        self._stop = Event()
        self._lock = Lock()
        self._sessions = local()
        self.deliveries = 0
        self.failures = 0
        self._pools = {
            topic: ThreadPoolExecutor(how.instances * how.concurrency, thread_name_prefix=f"relay-{topic}")
            for topic, how in subscriptions.items()
        }
        self._pullers = [Thread(target=self._pull, args=(topic,), name=f"pull-{topic}") for topic in subscriptions]

    def start(self) -> None:
        """Begin to deliver."""
        for puller in self._pullers:
            puller.start()

    def stop(self) -> None:
        """Pull no more; what is being delivered is finished or cut off with its function."""
        self._stop.set()
        for puller in self._pullers:
            puller.join()
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)

    def _pull(self, topic: Topic) -> None:
        how = self._subscriptions[topic]
        free = BoundedSemaphore(how.instances * how.concurrency)
        while not self._stop.is_set():
            try:
                pulled = self._pubsub.pull(topic, PULL_AT_ONCE)
            except GoogleAPIError as error:
                log.info("Pulling %s failed and is tried again: %s", topic, type(error).__name__)
                self._stop.wait(SPIKE_SECONDS)
                continue
            for event in pulled:
                free.acquire()
                self._pools[topic].submit(self._deliver, event, free)

    def _deliver(self, event: Pulled, free: BoundedSemaphore) -> None:
        try:
            with self._lock:
                twice = self._chance.random() < self._mischief.twice
                late = self._chance.random() < self._mischief.late
                held_up = self._chance.uniform(0, self._mischief.latest) if late else 0.0
            if held_up:
                self._stop.wait(held_up)
            answers = [self._post(event) for _ in range(2 if twice else 1)]
            if all(answers):
                self._pubsub.acknowledge(event.topic, [event.ack_id])
            else:
                self._pubsub.give_back(event.topic, [event.ack_id])
        except GoogleAPIError as error:
            # Not acknowledged is as good: it comes again after the deadline.
            log.info("An answer on %s could not be passed on: %s", event.topic, type(error).__name__)
        except Exception:
            log.exception("An event on %s could not be delivered.", event.topic)
        finally:
            free.release()

    def _post(self, event: Pulled) -> bool:
        how = self._subscriptions[event.topic]
        envelope = {
            "message": {
                "data": b64encode(event.data).decode(),
                "messageId": event.message_id,
                "publishTime": event.published_at.isoformat(),
                "attributes": {},
            },
            "subscription": f"projects/{self._pubsub.project}/subscriptions/{event.topic}",
            "deliveryAttempt": event.attempt,
        }
        try:
            answer = self._session().post(
                self._urls[how.function],
                data=json.dumps(envelope),
                headers={"Content-Type": "application/json"},
                timeout=how.ack_deadline_seconds,
            )
            taken = answer.status_code in ACKNOWLEDGED
        except requests.RequestException:
            taken = False
        with self._lock:
            self.deliveries += 1
            self.failures += not taken
        return taken

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            session = self._sessions.session = requests.Session()
        return session
