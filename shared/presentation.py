"""Pairs and runs as the HTTP contract shows them: plain JSON, times in UTC with `Z`, ids as text."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shared.owner import cooldown
from shared.pair import Channel, Delivery, Pair, Run
from shared.runs import Policy


def status(pair: Pair, *, now: datetime, policy: Policy) -> dict[str, Any]:
    """The answer of `GET /api/broadcast/status/<id>`."""
    return {
        "success": True,
        "id": pair.id,
        "broadcast_id": pair.id,
        "open_channel_id": str(pair.open_channel_id),
        "closed_channel_id": str(pair.closed_channel_id),
        "broadcast_status": pair.broadcast_status.value,
        "state": pair.state.value,
        "is_active": pair.is_active,
        "pause_reason": pair.pause_reason,
        "last_sent_time": moment(pair.last_sent_time),
        "next_send_time": moment(pair.next_send_time),
        "retry_at": moment(pair.retry_at),
        "total_broadcasts": pair.total_broadcasts,
        "successful_broadcasts": pair.successful_broadcasts,
        "failed_broadcasts": pair.failed_broadcasts,
        "consecutive_failures": pair.consecutive_failures,
        "last_error_message": pair.last_error_message,
        "last_error_time": moment(pair.last_error_time),
        "last_manual_trigger_time": moment(pair.last_manual_trigger_time),
        "manual_trigger_count": pair.manual_trigger_count,
        "retry_after_seconds": cooldown(pair, now=now, policy=policy),
        "run": None if pair.run is None else run_(pair.run),
        "last_broadcast": None if pair.last_broadcast is None else run_(pair.last_broadcast),
        "created_at": moment(pair.created_at),
        "updated_at": moment(pair.updated_at),
        "server_time": moment(now),
    }


def channel(pair: Pair, *, now: datetime, policy: Policy) -> dict[str, Any]:
    """One element of `GET /api/channels`: the website's keys, null for what is not stored here, and the pair's state."""
    return {
        "open_channel_id": str(pair.open_channel_id),
        "open_channel_title": pair.open_channel_title,
        "open_channel_description": pair.open_channel_description,
        "closed_channel_id": str(pair.closed_channel_id),
        "closed_channel_title": pair.closed_channel_title,
        "closed_channel_description": pair.closed_channel_description,
        "closed_channel_donation_message": pair.closed_channel_donation_message,
        "tier_count": len(pair.tiers),
        "sub_1_price": _number(pair.sub_1_price),
        "sub_1_time": pair.sub_1_time,
        "sub_2_price": _number(pair.sub_2_price),
        "sub_2_time": pair.sub_2_time,
        "sub_3_price": _number(pair.sub_3_price),
        "sub_3_time": pair.sub_3_time,
        "client_wallet_address": None,
        "client_payout_currency": None,
        "client_payout_network": None,
        "payout_strategy": None,
        "payout_threshold_usd": None,
        "notification_status": pair.notification_status,
        "notification_id": pair.notification_id,
        "accumulated_amount": None,
        "broadcast_id": pair.id,
        "broadcast_status": pair.broadcast_status.value,
        "state": pair.state.value,
        "is_active": pair.is_active,
        "last_sent_time": moment(pair.last_sent_time),
        "next_send_time": moment(pair.next_send_time),
        "retry_after_seconds": cooldown(pair, now=now, policy=policy),
    }


def run_(run: Run) -> dict[str, Any]:
    """One broadcast with each message's outcome, as in the history."""
    return {
        "run_id": run.run_id,
        "cause": run.cause.value,
        "by": run.by,
        "retry": run.retry,
        "due_at": moment(run.due_at),
        "claimed_at": moment(run.claimed_at),
        "finished_at": moment(run.finished_at),
        "verdict": None if run.finished_at is None else run.verdict.value,
        "open": _delivery(run.delivery(Channel.OPEN)),
        "closed": _delivery(run.delivery(Channel.CLOSED)),
    }


def moment(time: datetime | None) -> str | None:
    """UTC ISO 8601 with `Z`."""
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "state": delivery.state.value,
        "chat_id": str(delivery.chat),
        "message_id": delivery.message_id,
        "sent_at": moment(delivery.sent_at),
        "tries": delivery.tries,
        "error": delivery.error,
        "fault": None if delivery.fault is None else delivery.fault.value,
    }


def _number(price: Decimal | None) -> float | None:
    return None if price is None else float(price)
