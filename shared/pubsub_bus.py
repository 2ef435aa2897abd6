"""The bus on Pub/Sub. One request a topic carries all its events, and its answer is the confirmation of each.

The low-level client is used: the library's own batches are sent from a thread of theirs, which a function gets no CPU for once it
has answered, and wait 10 ms for more to come.
"""

import os
from collections.abc import Sequence

import grpc
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from shared.bus import BusUnavailable
from shared.events import Event, Topic, encode
from shared.settings import GOOGLE_CLOUD_PROJECT, SettingError, Settings

SECONDS = 10.0
"""How long a publication may take until it is confirmed, repetitions included."""
MOST_IN_REQUEST = 1000
"""Pub/Sub takes so many messages in one request (Pub/Sub quotas, "Publish request")."""
PREFIX = "broadcast-manager-"
"""Topics and subscriptions begin with it: a project may hold those of other programs."""
AGAIN = Retry(
    predicate=if_exception_type(
        exceptions.Aborted,
        exceptions.Cancelled,
        exceptions.InternalServerError,
        exceptions.ResourceExhausted,
        exceptions.ServiceUnavailable,
        exceptions.Unknown,
    ),
    initial=0.1,
    maximum=2.0,
    multiplier=2.0,
    timeout=SECONDS,
)


def topic_path(project: str, topic: Topic) -> str:
    """The topic's full name in this project."""
    return f"projects/{project}/topics/{PREFIX}{topic}"


def open_pubsub(settings: Settings) -> "PubsubBus":
    """The bus of the project these settings name; the emulator's where PUBSUB_EMULATOR_HOST says so.

    Raises SettingError without a project or without credentials.
    """
    project = settings.get(GOOGLE_CLOUD_PROJECT)
    if not project:
        raise SettingError("GOOGLE_CLOUD_PROJECT is not set; set it to the id of the Google Cloud project.")
    emulator = os.environ.get("PUBSUB_EMULATOR_HOST")
    try:
        client = (
            PublisherClient(transport=PublisherGrpcTransport(channel=grpc.insecure_channel(emulator)))
            if emulator
            else PublisherClient()
        )
    except DefaultCredentialsError:
        raise SettingError(
            "There are no Google Cloud credentials here; run `gcloud auth application-default login`,"
            " or set GOOGLE_APPLICATION_CREDENTIALS."
        ) from None
    return PubsubBus(client, project)


class PubsubBus:
    """Publishes on the topics of one project. Safe to use from several threads."""

    def __init__(self, client: PublisherClient, project: str) -> None:
        self._client = client
        self._project = project

    def publish(self, events: Sequence[Event]) -> None:
        of_topic: dict[Topic, list[bytes]] = {}
        for event in events:
            of_topic.setdefault(event.topic, []).append(encode(event))
        for topic, datas in of_topic.items():
            for begin in range(0, len(datas), MOST_IN_REQUEST):
                self.publish_data(topic, datas[begin : begin + MOST_IN_REQUEST])

    def publish_data(self, topic: Topic, datas: Sequence[bytes]) -> None:
        """Publish events as they are encoded, up to MOST_IN_REQUEST of one topic. Raises BusUnavailable."""
        try:
            self._client.publish(
                request={"topic": topic_path(self._project, topic), "messages": [{"data": data} for data in datas]},
                retry=AGAIN,
                timeout=SECONDS,
            )
        except (exceptions.GoogleAPIError, GoogleAuthError) as error:
            raise BusUnavailable(
                f"Pub/Sub did not confirm {len(datas)} events on {topic_path(self._project, topic)}:"
                f" {type(error).__name__}: {error}."
            ) from error
