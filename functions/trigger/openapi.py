"""The HTTP contract as an OpenAPI 3.1 document, served at `/openapi.json`; docs/api.md is the same for reading."""

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


def _one_of(words: type[DeliveryState | Cause | Fault | PairState | Verdict | BroadcastStatus], **more: Any) -> Schema:
    return {"type": "string", "enum": [word.value for word in words], **more}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, NULL]}


def _record(fields: Mapping[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in fields if name not in optional]
    return {"type": "object", "properties": dict(fields), "required": required, "additionalProperties": False}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_TEXTS: Mapping[str, Schema] = {
    "open_channel_title": TEXT,
    "open_channel_description": TEXT,
    "closed_channel_id": CHANNEL_ID,
    "closed_channel_title": TEXT,
    "closed_channel_description": TEXT,
    "closed_channel_donation_message": TEXT,
}
_TIERS: Mapping[str, Schema] = {
    f"sub_{n}_{part}": schema for n in (1, 2, 3) for part, schema in (("price", MAYBE_NUMBER), ("time", MAYBE_WHOLE))
}
_ELSEWHERE = (
    "client_wallet_address",
    "client_payout_currency",
    "client_payout_network",
    "payout_strategy",
    "payout_threshold_usd",
)

SCHEMAS: Mapping[str, Schema] = {
    "Error": _record(
        {
            "success": {"const": False},
            "error": {"type": "string", "description": "A sentence for people."},
            "retry_after_seconds": COUNT,
            "details": {"type": "array", "items": _record({"field": TEXT, "error": TEXT})},
        },
        optional=("retry_after_seconds", "details"),
    ),
    "Delivery": _record(
        {
            "state": _one_of(DeliveryState),
            "chat_id": CHANNEL_ID,
            "message_id": MAYBE_WHOLE,
            "sent_at": MAYBE_TIME,
            "tries": COUNT,
            "error": MAYBE_TEXT,
            "fault": _or_null(_one_of(Fault)),
        }
    ),
    "Run": _record(
        {
            "run_id": UUID,
            "cause": _one_of(Cause),
            "by": MAYBE_TEXT,
            "retry": COUNT,
            "due_at": MAYBE_TIME,
            "claimed_at": TIME,
            "finished_at": MAYBE_TIME,
            "verdict": _or_null(_one_of(Verdict)),
            "open": _ref("Delivery"),
            "closed": _ref("Delivery"),
        }
    ),
    "Status": _record(
        {
            "success": YES,
            "id": UUID,
            "broadcast_id": UUID,
            "open_channel_id": CHANNEL_ID,
            "closed_channel_id": CHANNEL_ID,
            "broadcast_status": _one_of(BroadcastStatus),
            "state": _one_of(PairState),
            "is_active": TRUTH,
            "pause_reason": MAYBE_TEXT,
            "last_sent_time": MAYBE_TIME,
            "next_send_time": MAYBE_TIME,
            "retry_at": MAYBE_TIME,
            "total_broadcasts": COUNT,
            "successful_broadcasts": COUNT,
            "failed_broadcasts": COUNT,
            "consecutive_failures": COUNT,
            "last_error_message": MAYBE_TEXT,
            "last_error_time": MAYBE_TIME,
            "last_manual_trigger_time": MAYBE_TIME,
            "manual_trigger_count": COUNT,
            "retry_after_seconds": COUNT,
            "run": _or_null(_ref("Run")),
            "last_broadcast": _or_null(_ref("Run")),
            "created_at": TIME,
            "updated_at": TIME,
            "server_time": TIME,
            "warnings": {"type": "array", "items": TEXT},
        },
        optional=("warnings",),
    ),
    "Channel": _record(
        {
            "open_channel_id": CHANNEL_ID,
            **_TEXTS,
            "tier_count": COUNT,
            **_TIERS,
            **dict.fromkeys(_ELSEWHERE, NULL),
            "notification_status": TRUTH,
            "notification_id": MAYBE_WHOLE,
            "accumulated_amount": NULL,
            "broadcast_id": UUID,
            "broadcast_status": _one_of(BroadcastStatus),
            "state": _one_of(PairState),
            "is_active": TRUTH,
            "last_sent_time": MAYBE_TIME,
            "next_send_time": MAYBE_TIME,
            "retry_after_seconds": COUNT,
        }
    ),
    "ChannelRecord": {
        "type": "object",
        "description": "The website's whole record. Keys about wallets and payouts are taken and not stored.",
        "properties": {
            "open_channel_id": CHANNEL_ID,
            **_TEXTS,
            **_TIERS,
            **{name: {} for name in _ELSEWHERE},
            "tier_count": WHOLE,
            "notification_status": TRUTH,
            "notification_id": MAYBE_WHOLE,
        },
        "required": ["open_channel_title", "closed_channel_id", "closed_channel_title", "sub_1_price", "sub_1_time"],
    },
    "BroadcastId": {"type": "object", "properties": {"broadcast_id": UUID}, "required": ["broadcast_id"]},
    "Triggered": _record(
        {"success": YES, "message": TEXT, "broadcast_id": UUID, "eta_seconds": COUNT, "retry_after_seconds": COUNT}
    ),
    "History": _record({"success": YES, "broadcast_id": UUID, "history": {"type": "array", "items": _ref("Run")}}),
    "Channels": _record(
        {"channels": {"type": "array", "items": _ref("Channel")}, "count": COUNT, "max_channels": COUNT}
    ),
    "Registered": _record(
        {
            "success": YES,
            "message": TEXT,
            "channel_id": CHANNEL_ID,
            "broadcast_id": UUID,
            "created": TRUTH,
            "warnings": {"type": "array", "items": TEXT, "description": "What the bot lacks in the channels."},
            "channel": _ref("Channel"),
        }
    ),
    "Ended": _record(
        {"success": YES, "message": TEXT, "channel_id": CHANNEL_ID, "broadcast_id": UUID, "take_down": TRUTH}
    ),
    "Health": _record({"status": {"const": "healthy"}, "service": TEXT, "timestamp": TIME}),
}

REFUSALS: Mapping[int, str] = {
    400: "The request cannot be used; the sentence says why, `details` which field.",
    401: "No access token, or one that is not valid.",
    404: "Not found, or another client's.",
    409: "Paused, already running, or in contradiction to what is there.",
    429: "The cooldown is running; `retry_after_seconds` and `Retry-After` say how long.",
    500: "A fault on our side.",
    503: "The records or the queue cannot be reached, or sending is held back; nothing was used up.",
}


def _json(schema: Schema, description: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _call(
    summary: str, good: Mapping[int, str], *refused: int, body: str | None = None, parameters: tuple[Schema, ...] = ()
) -> Schema:
    answers = {str(status): _json(_ref(name), "Done.") for status, name in good.items()}
    answers |= {str(status): _json(_ref("Error"), REFUSALS[status]) for status in sorted({*refused, 500, 503})}
    call: Schema = {"summary": summary, "responses": answers}
    if parameters:
        call["parameters"] = list(parameters)
    if body is not None:
        call["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(body)}}}
    return call


def _parameter(name: str, place: str, schema: Schema) -> Schema:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


_ID = _parameter("id", "path", UUID)
_OPEN = _parameter("open_channel_id", "path", CHANNEL_ID)

DOCUMENT: Mapping[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Broadcast Manager",
        "version": "1",
        "description": "What owners of channel pairs, and the website, may ask for. No answer may be cached.",
    },
    "security": [{"token": []}],
    "paths": {
        "/api/broadcast/trigger": {
            "post": _call(
                "Send both messages again now.", {200: "Triggered"}, 400, 401, 404, 409, 429, body="BroadcastId"
            )
        },
        "/api/broadcast/pause": {
            "post": _call("Send nothing more for this pair.", {200: "Status"}, 400, 401, 404, body="BroadcastId")
        },
        "/api/broadcast/resume": {
            "post": _call(
                "Go on sending, with no failures counted.", {200: "Status"}, 400, 401, 404, 409, body="BroadcastId"
            )
        },
        "/api/broadcast/status/{id}": {
            "get": _call("How a pair stands.", {200: "Status"}, 401, 404, parameters=(_ID,))
        },
        "/api/broadcast/history/{id}": {
            "get": _call(
                "A pair's broadcasts, newest first, with each message's outcome.",
                {200: "History"},
                400,
                401,
                404,
                parameters=(
                    _ID,
                    _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
                    _parameter("before", "query", TIME),
                ),
            )
        },
        "/api/channels": {"get": _call("All pairs of the caller.", {200: "Channels"}, 401)},
        "/api/channels/{open_channel_id}": {
            "put": _call(
                "Register a pair, or bring its texts up to this record.",
                {200: "Registered", 201: "Registered"},
                400,
                401,
                404,
                409,
                body="ChannelRecord",
                parameters=(_OPEN,),
            ),
            "delete": _call(
                "End a pair; with take_down its messages leave the channels.",
                {200: "Ended"},
                400,
                401,
                404,
                parameters=(_OPEN, _parameter("take_down", "query", TRUTH)),
            ),
        },
        "/health": {"get": {**_call("Whether the function answers.", {200: "Health"}), "security": []}},
    },
    "components": {
        "schemas": dict(SCHEMAS),
        "securitySchemes": {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "HS256, signed with the website's secret; `sub` is the client's id, `type` is `access`.",
            }
        },
    },
}
