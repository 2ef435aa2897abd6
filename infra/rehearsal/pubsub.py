"""Topics, subscriptions and dead letters on the Pub/Sub emulator, as Terraform has them in production, but pulled.

The emulator pushes only two events at a time per subscription, so for load a relay pulls (relay.py).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import msgspec
from google.api_core import exceptions
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import PushConfig

from shared.events import Topic
from shared.pubsub_bus import PREFIX, topic_path

DECLARED = Path(__file__).parents[1] / "terraform" / "functions.json"
PULL_SECONDS = 2.0


class Subscription(msgspec.Struct, frozen=True):
    """How one topic is delivered in production; Terraform reads the same file, and other fields of it."""

    function: str
    ack_deadline_seconds: int
    minimum_backoff_seconds: int
    maximum_backoff_seconds: int
    max_delivery_attempts: int
    message_retention_seconds: int
    instances: int
    concurrency: int


def declared() -> Mapping[Topic, Subscription]:
    """Each topic's subscription, and the function that takes its events."""
    functions = json.loads(DECLARED.read_text(encoding="utf-8"))
    found = {}
    for name, function in functions.items():
        how = function["consumes"]
        if how is not None:
            served = {"function": name, "instances": function["instances"], "concurrency": function["concurrency"]}
            found[Topic(how["topic"])] = msgspec.convert(how | served, Subscription)
    return found


@dataclass(frozen=True)
class Pulled:
    """One delivery of an event; `attempt` counts from 1."""

    topic: Topic
    ack_id: str
    message_id: str
    data: bytes
    published_at: datetime
    attempt: int


class Pubsub:
    """One project on an emulator. Safe to use from several threads."""

    def __init__(self, host: str, project: str) -> None:
        self.project = project
        channel = grpc.insecure_channel(host)
        self._channel = channel
        self.publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        self._subscriber: Any = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))

    def create(self, subscriptions: Mapping[Topic, Subscription], *, push_to: str | None = None) -> None:
        """Make every topic with its subscription, its dead-letter topic and that one's subscription."""
        for topic, how in subscriptions.items():
            dead = f"{topic_path(self.project, topic)}-dead"
            self.publisher.create_topic(name=topic_path(self.project, topic))
            self.publisher.create_topic(name=dead)
            self._subscriber.create_subscription(request={"name": self._path(topic, dead=True), "topic": dead})
            self._subscriber.create_subscription(
                request={
                    "name": self._path(topic),
                    "topic": topic_path(self.project, topic),
                    "ack_deadline_seconds": how.ack_deadline_seconds,
                    "message_retention_duration": timedelta(seconds=how.message_retention_seconds),
                    "retry_policy": {
                        "minimum_backoff": timedelta(seconds=how.minimum_backoff_seconds),
                        "maximum_backoff": timedelta(seconds=how.maximum_backoff_seconds),
                    },
                    "dead_letter_policy": {
                        "dead_letter_topic": dead,
                        "max_delivery_attempts": how.max_delivery_attempts,
                    },
                    "push_config": PushConfig(push_endpoint=push_to) if push_to else PushConfig(),
                }
            )

    def pull(self, topic: Topic, limit: int, *, dead: bool = False) -> list[Pulled]:
        """Events that may be delivered now; waits a little for the first. Raises GoogleAPICallError."""
        try:
            answer = self._subscriber.pull(
                request={"subscription": self._path(topic, dead=dead), "max_messages": limit},
                timeout=PULL_SECONDS,
                retry=None,
            )
        except exceptions.DeadlineExceeded:
            return []
        return [
            Pulled(
                topic=topic,
                ack_id=received.ack_id,
                message_id=received.message.message_id,
                data=received.message.data,
                published_at=received.message.publish_time,
                attempt=received.delivery_attempt or 1,
            )
            for received in answer.received_messages
        ]

    def acknowledge(self, topic: Topic, ack_ids: Sequence[str]) -> None:
        """These deliveries are done with."""
        self._subscriber.acknowledge(
            request={"subscription": self._path(topic), "ack_ids": list(ack_ids)}, timeout=PULL_SECONDS
        )

    def give_back(self, topic: Topic, ack_ids: Sequence[str]) -> None:
        """Deliver these again after the subscription's back-off, or to the dead letters."""
        self._subscriber.modify_ack_deadline(
            request={"subscription": self._path(topic), "ack_ids": list(ack_ids), "ack_deadline_seconds": 0},
            timeout=PULL_SECONDS,
        )

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()

    def _path(self, topic: Topic, *, dead: bool = False) -> str:
        return f"projects/{self.project}/subscriptions/{PREFIX}{topic}{'-dead' if dead else ''}"
