"""What the functions that owners call have in common: how they read an address, and what they say of everything that goes wrong."""

import logging
import os
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import flask
import msgspec
from werkzeug.exceptions import HTTPException, NotFound

from shared.actions import Refusal
from shared.bus import BusUnavailable
from shared.logs import fields, trace, trace_of
from shared.store import NewerRecord, StoreUnavailable, Unreadable

UNAVAILABLE = "The service cannot reach its records just now. Try again shortly."
UNEXPECTED = "Something went wrong on our side; it has been noted."
SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take that method.",
    413: "That is more than a request may hold.",
}

A = TypeVar("A")

log = logging.getLogger(__name__)


def answered(request: flask.Request, respond: Callable[[], A], refuse: Callable[[Refusal], A]) -> A:
    """What `respond` answers, or a refusal for whatever it raises; what nobody expected is logged loudly."""
    token = trace.set(trace_of(dict(request.headers), os.environ.get("GOOGLE_CLOUD_PROJECT")))
    try:
        return respond()
    except Refusal as refusal:
        return refuse(refusal)
    except (StoreUnavailable, NewerRecord, Unreadable, BusUnavailable) as error:
        log.error("%s", error, extra=fields(event="unavailable"))
        return refuse(Refusal(503, UNAVAILABLE))
    except HTTPException as error:
        status = error.code or 500
        return refuse(Refusal(status, SENTENCES.get(status, error.description or "Bad request.")))
    except Exception:
        log.exception("An unexpected error.", extra=fields(event="unexpected"))
        return refuse(Refusal(500, UNEXPECTED))
    finally:
        trace.reset(token)


def uuid_of(text: str) -> str:
    """Ids are UUIDs; anything else is a 404. Raises NotFound."""
    try:
        return str(UUID(text))
    except ValueError:
        raise NotFound from None


def time_before(text: str | None) -> datetime | None:
    """The time that `before` names, where it is given. Raises Refusal."""
    if text is None:
        return None
    try:
        before = msgspec.convert(text, datetime)
    except msgspec.MsgspecError:
        before = None
    if before is None or before.tzinfo is None:
        raise Refusal(400, "before must be a time with its zone, such as 2026-01-31T12:00:00Z.")
    return before
