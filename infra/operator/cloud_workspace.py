"""The records and events of a Google Cloud project, as broadcastctl works on them. Chosen by GOOGLE_CLOUD_PROJECT."""

import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import grpc
from google.api_core import exceptions
from google.cloud import firestore
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from infra.embedded.event_queue import DeadLetter
from shared.bus import BusUnavailable
from shared.clock import Clock, MachineClock
from shared.engine import policy_of
from shared.events import Topic
from shared.firestore_store import FirestoreStore, open_firestore
from shared.pubsub_bus import PREFIX, PubsubBus, open_pubsub
from shared.runs import Policy
from shared.settings import GOOGLE_CLOUD_PROJECT, JWT_SECRET_KEY, Settings

PULL_SECONDS = 5.0
MOST_LETTERS = 1000
DELIVERIES = "CloudPubSubDeadLetterSourceDeliveryCount"
"""What Pub/Sub says of a dead letter (Pub/Sub docs, "Dead-letter topics")."""


@dataclass(frozen=True)
class CloudWorkspace:
    """A project. Its functions run where they are deployed; this only reads and writes beside them."""

    client: firestore.Client
    settings: Settings
    clock: Clock

    @cached_property
    def store(self) -> FirestoreStore:
        """The records."""
        return FirestoreStore(self.client)

    @cached_property
    def bus(self) -> PubsubBus:
        """Where events are published; opened only by commands that publish."""
        return open_pubsub(self.settings)

    @property
    def dead_letters(self) -> "PubsubDeadLetters":
        """Events that were put aside."""
        return PubsubDeadLetters(self.settings.get(GOOGLE_CLOUD_PROJECT), self.bus)

    @property
    def policy(self) -> Policy:
        """The intervals in force."""
        return policy_of(self.settings)

    @property
    def describe(self) -> str:
        """Where the records lie, for people."""
        return self.store.describe

    @property
    def jwt_secret(self) -> str:
        """The secret tokens are signed with."""
        return self.settings.get(JWT_SECRET_KEY)

    @property
    def service_running(self) -> bool:
        """The functions are Google's to run; whether they do is for the alerts to say."""
        return True

    def close(self) -> None:
        """Close the connection."""
        closing: Any = self.client
        closing.close()


def open_cloud_workspace(settings: Settings) -> CloudWorkspace:
    """Raises SettingError."""
    return CloudWorkspace(open_firestore(settings), settings, MachineClock())


class PubsubDeadLetters:
    """What lies in the subscriptions of the dead-letter topics. Looking leases it for a moment and gives it back."""

    def __init__(self, project: str, bus: PubsubBus) -> None:
        self._project = project
        self._bus = bus
        emulator = os.environ.get("PUBSUB_EMULATOR_HOST")
        self._client: Any = (
            SubscriberClient(transport=SubscriberGrpcTransport(channel=grpc.insecure_channel(emulator)))
            if emulator
            else SubscriberClient()
        )

    def dead_letters(self) -> list[DeadLetter]:
        """What was put aside, the oldest first. Raises BusUnavailable."""
        found: list[DeadLetter] = []
        for topic in Topic:
            received = self._pull(topic)
            self._give_back(topic, [one.ack_id for one in received])
            found += [_letter(topic, one.message) for one in received]
        return sorted(found, key=lambda letter: letter.dead_at)

    def put_back(self, id: str) -> bool:
        """Deliver one again, as if it were new. False if there is none of this id. Raises BusUnavailable."""
        for topic in Topic:
            received = self._pull(topic)
            meant = [one for one in received if one.message.message_id == id]
            self._give_back(topic, [one.ack_id for one in received if one not in meant])
            if meant:
                self._bus.publish_data(topic, [meant[0].message.data])
                request = {"subscription": self._path(topic), "ack_ids": [one.ack_id for one in meant]}
                self._client.acknowledge(request=request, timeout=PULL_SECONDS)
                return True
        return False

    def _pull(self, topic: Topic) -> list[Any]:
        try:
            request = {"subscription": self._path(topic), "max_messages": MOST_LETTERS}
            return list(self._client.pull(request=request, timeout=PULL_SECONDS, retry=None).received_messages)
        except exceptions.DeadlineExceeded:
            return []
        except exceptions.GoogleAPIError as error:
            raise BusUnavailable(f"{self._path(topic)}: {type(error).__name__}: {error}.") from error

    def _give_back(self, topic: Topic, ack_ids: list[str]) -> None:
        if ack_ids:
            request = {"subscription": self._path(topic), "ack_ids": ack_ids, "ack_deadline_seconds": 0}
            self._client.modify_ack_deadline(request=request, timeout=PULL_SECONDS)

    def _path(self, topic: Topic) -> str:
        return f"projects/{self._project}/subscriptions/{PREFIX}{topic}-dead"


def _letter(topic: Topic, message: Any) -> DeadLetter:
    deliveries = message.attributes.get(DELIVERIES, "too many")
    return DeadLetter(
        id=message.message_id,
        topic=topic,
        data=message.data,
        published_at=message.publish_time,
        dead_at=message.publish_time,
        error=f"{deliveries} deliveries failed; the log of the function says why",
    )
