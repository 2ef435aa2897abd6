"""What comes back over the connection: status, body, headers, and whether it comes back at all."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import msgspec

from infra.telegram_simulator.refusals import Refused

_JSON: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
_encode = msgspec.json.Encoder().encode


class Action(Enum):
    """What the server does with a reply."""

    ANSWER = "answer"  # send it
    DROP = "drop"  # close the connection without a word
    SILENCE = "silence"  # keep the connection open and never answer


class Reply(msgspec.Struct, frozen=True):
    """One answer of the Bot API; `delay_seconds` is how long to wait before acting."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = _JSON
    action: Action = Action.ANSWER
    delay_seconds: float = 0.0


def success(result: object) -> Reply:
    """200 with `result` as JSON."""
    return Reply(200, _encode({"ok": True, "result": result}))


def refusal(refused: Refused) -> Reply:
    """The error as Telegram words it; a 429 also carries a Retry-After header (HttpConnection.cpp)."""
    return error(refused.status, refused.description, refused.parameters)


def error(status: int, description: str, parameters: Mapping[str, int]) -> Reply:
    """An error body: `parameters` appear only if there are any (telegram-bot-api Query.h)."""
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    headers = _JSON
    if parameters:
        body["parameters"] = dict(parameters)
    if "retry_after" in parameters:
        headers = (*_JSON, ("Retry-After", str(parameters["retry_after"])))
    return Reply(status, _encode(body), headers)
