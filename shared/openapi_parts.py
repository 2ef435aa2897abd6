"""What OpenAPI descriptions are built from: kinds of values, answers, calls."""

from collections.abc import Mapping
from typing import Any

from shared.pair import BroadcastStatus, Cause, DeliveryState, Fault, PairState, Verdict

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
WHOLE: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
MAYBE_WHOLE: Schema = {"type": ["integer", "null"]}
MAYBE_NUMBER: Schema = {"type": ["number", "null"]}
TRUTH: Schema = {"type": "boolean"}
YES: Schema = {"const": True}
NULL: Schema = {"type": "null"}
UUID: Schema = {"type": "string", "format": "uuid"}
TIME: Schema = {"type": "string", "format": "date-time", "description": "UTC, ISO 8601 with Z."}
MAYBE_TIME: Schema = {"type": ["string", "null"], "format": "date-time"}
CHANNEL_ID: Schema = {
    "type": "string",
    "pattern": "^-[0-9]+$",
    "description": "Telegram's id of a channel, such as -1003268562225.",
}


def one_of(words: type[DeliveryState | Cause | Fault | PairState | Verdict | BroadcastStatus], **more: Any) -> Schema:
    return {"type": "string", "enum": [word.value for word in words], **more}


def or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, NULL]}


def record(fields: Mapping[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in fields if name not in optional]
    return {"type": "object", "properties": dict(fields), "required": required, "additionalProperties": False}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


REFUSALS: Mapping[int, str] = {
    400: "The request cannot be used; the sentence says why, `details` which field.",
    401: "No access token, or one that is not valid.",
    404: "Not found, or another client's.",
    409: "Paused, already running, or in contradiction to what is there.",
    429: "The cooldown is running; `retry_after_seconds` and `Retry-After` say how long.",
    500: "A fault on our side.",
    503: "The records or the queue cannot be reached, or sending is held back; nothing was used up, unless `error` says otherwise.",
}


def json_answer(schema: Schema, description: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def call(
    summary: str, good: Mapping[int, str], *refused: int, body: str | None = None, parameters: tuple[Schema, ...] = ()
) -> Schema:
    answers = {str(status): json_answer(ref(name), "Done.") for status, name in good.items()}
    answers |= {str(status): json_answer(ref("Error"), REFUSALS[status]) for status in sorted({*refused, 500, 503})}
    described: Schema = {"summary": summary, "responses": answers}
    if parameters:
        described["parameters"] = list(parameters)
    if body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": ref(body)}}}
    return described


def parameter(name: str, place: str, schema: Schema) -> Schema:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}
