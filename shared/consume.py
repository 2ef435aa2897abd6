"""What every function that consumes events does around its handler: decode, judge the age, map the outcome to a status.

Returning acknowledges the event; 503 asks for it again because a part we stand on did not answer; whatever else is raised becomes a
500 and is loud. A malformed event is acknowledged: sending it again would not make it better.
"""

import logging
import os
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from cloudevents.http import CloudEvent
from flask import has_request_context, request
from werkzeug.exceptions import ServiceUnavailable

from shared.bus import BusUnavailable
from shared.clock import Clock, Stopping
from shared.events import Event, Malformed, NewerEvent, decode
from shared.logs import fields, trace, trace_of
from shared.store import NewerRecord, StoreUnavailable

E = TypeVar("E", bound=Event)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publication:
    """One event as it was published; a copy of it has the same id and time."""

    event_id: str
    published_at: datetime


def consume(cloud_event: CloudEvent, kind: type[E], handle: Callable[[E, Publication], None], *, clock: Clock) -> None:
    """Hand the event to its handler, or acknowledge it unseen if it is malformed or too old. Raises ServiceUnavailable."""
    token = trace.set(_trace_at_hand())
    try:
        found = _read(cloud_event, kind)
        if found is None:
            return
        event, publication = found
        age = clock.now() - publication.published_at
        if age > kind.age_limit:
            log.warning(
                "An event came %d s after it was published and is left aside; its document brings it up again.",
                age.total_seconds(),
                extra=fields(event="event_too_old", event_id=publication.event_id, topic=kind.topic),
            )
            return
        handle(event, publication)
    except Stopping:
        raise ServiceUnavailable("stopping") from None
    except (StoreUnavailable, BusUnavailable, NewerRecord, NewerEvent) as error:
        log.error("%s The event comes again.", error, extra=fields(event="unavailable", topic=kind.topic))
        raise ServiceUnavailable(str(error)) from error
    finally:
        trace.reset(token)


def _read(cloud_event: CloudEvent, kind: type[E]) -> tuple[E, Publication] | None:
    try:
        message = _message(cloud_event.get_data())
        event = decode(kind, b64decode(message.get("data") or b"", validate=True))
        published = message.get("publishTime") or message.get("publish_time") or cloud_event.get("time")
        return event, Publication(str(cloud_event["id"]), msgspec.convert(published, datetime))
    except (Malformed, ValueError, msgspec.MsgspecError) as error:
        log.error(
            "An event that cannot be understood was put aside: %s.",
            error,
            extra=fields(event="event_malformed", event_id=cloud_event.get("id"), topic=kind.topic),
        )
        return None


def _message(data: Any) -> Mapping[str, Any]:
    message = data.get("message") if isinstance(data, Mapping) else None
    if not isinstance(message, Mapping):
        raise Malformed("it holds no Pub/Sub message")
    return message


def _trace_at_hand() -> str | None:
    if not has_request_context():
        return None
    return trace_of(request.headers, os.environ.get("GOOGLE_CLOUD_PROJECT"))
