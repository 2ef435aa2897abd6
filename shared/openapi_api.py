"""The API of functions/trigger, as OpenAPI describes it."""

from collections.abc import Mapping

from shared.openapi_parts import (
    CHANNEL_ID,
    COUNT,
    MAYBE_NUMBER,
    MAYBE_TEXT,
    MAYBE_TIME,
    MAYBE_WHOLE,
    NULL,
    TEXT,
    TIME,
    TRUTH,
    UUID,
    WHOLE,
    YES,
    Schema,
    call,
    one_of,
    or_null,
    parameter,
    record,
    ref,
)
from shared.pair import BroadcastStatus, Cause, DeliveryState, Fault, PairState, Verdict

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
    "Error": record(
        {
            "success": {"const": False},
            "error": {"type": "string", "description": "A sentence for people."},
            "retry_after_seconds": COUNT,
            "details": {"type": "array", "items": record({"field": TEXT, "error": TEXT})},
        },
        optional=("retry_after_seconds", "details"),
    ),
    "Delivery": record(
        {
            "state": one_of(DeliveryState),
            "chat_id": CHANNEL_ID,
            "message_id": MAYBE_WHOLE,
            "sent_at": MAYBE_TIME,
            "tries": COUNT,
            "error": MAYBE_TEXT,
            "fault": or_null(one_of(Fault)),
        }
    ),
    "Run": record(
        {
            "run_id": UUID,
            "cause": one_of(Cause),
            "by": MAYBE_TEXT,
            "retry": COUNT,
            "due_at": MAYBE_TIME,
            "claimed_at": TIME,
            "finished_at": MAYBE_TIME,
            "verdict": or_null(one_of(Verdict)),
            "open": ref("Delivery"),
            "closed": ref("Delivery"),
        }
    ),
    "Status": record(
        {
            "success": YES,
            "id": UUID,
            "broadcast_id": UUID,
            "open_channel_id": CHANNEL_ID,
            "closed_channel_id": CHANNEL_ID,
            "broadcast_status": one_of(BroadcastStatus),
            "state": one_of(PairState),
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
            "run": or_null(ref("Run")),
            "last_broadcast": or_null(ref("Run")),
            "created_at": TIME,
            "updated_at": TIME,
            "server_time": TIME,
            "warnings": {"type": "array", "items": TEXT},
        },
        optional=("warnings",),
    ),
    "Channel": record(
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
            "broadcast_status": one_of(BroadcastStatus),
            "state": one_of(PairState),
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
    "Triggered": record(
        {"success": YES, "message": TEXT, "broadcast_id": UUID, "eta_seconds": COUNT, "retry_after_seconds": COUNT}
    ),
    "History": record({"success": YES, "broadcast_id": UUID, "history": {"type": "array", "items": ref("Run")}}),
    "Channels": record({"channels": {"type": "array", "items": ref("Channel")}, "count": COUNT, "max_channels": COUNT}),
    "Registered": record(
        {
            "success": YES,
            "message": TEXT,
            "channel_id": CHANNEL_ID,
            "broadcast_id": UUID,
            "created": TRUTH,
            "warnings": {"type": "array", "items": TEXT, "description": "What the bot lacks in the channels."},
            "channel": ref("Channel"),
        }
    ),
    "Ended": record(
        {"success": YES, "message": TEXT, "channel_id": CHANNEL_ID, "broadcast_id": UUID, "take_down": TRUTH}
    ),
    "Health": record({"status": {"const": "healthy"}, "service": TEXT, "timestamp": TIME}),
}

_ID = parameter("id", "path", UUID)
_OPEN = parameter("open_channel_id", "path", CHANNEL_ID)

PATHS: Mapping[str, Schema] = {
    "/api/broadcast/trigger": {
        "post": call("Send both messages again now.", {200: "Triggered"}, 400, 401, 404, 409, 429, body="BroadcastId")
    },
    "/api/broadcast/pause": {
        "post": call("Send nothing more for this pair.", {200: "Status"}, 400, 401, 404, body="BroadcastId")
    },
    "/api/broadcast/resume": {
        "post": call(
            "Go on sending, with no failures counted.", {200: "Status"}, 400, 401, 404, 409, body="BroadcastId"
        )
    },
    "/api/broadcast/status/{id}": {"get": call("How a pair stands.", {200: "Status"}, 401, 404, parameters=(_ID,))},
    "/api/broadcast/history/{id}": {
        "get": call(
            "A pair's broadcasts, newest first, with each message's outcome.",
            {200: "History"},
            400,
            401,
            404,
            parameters=(
                _ID,
                parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
                parameter("before", "query", TIME),
            ),
        )
    },
    "/api/channels": {"get": call("All pairs of the caller.", {200: "Channels"}, 401)},
    "/api/channels/{open_channel_id}": {
        "put": call(
            "Register a pair, or bring its texts up to this record.",
            {200: "Registered", 201: "Registered"},
            400,
            401,
            404,
            409,
            body="ChannelRecord",
            parameters=(_OPEN,),
        ),
        "delete": call(
            "End a pair; with take_down its messages leave the channels.",
            {200: "Ended"},
            400,
            401,
            404,
            parameters=(_OPEN, parameter("take_down", "query", TRUTH)),
        ),
    },
    "/health": {"get": {**call("Whether the function answers.", {200: "Health"}), "security": []}},
}
