"""The pairs as the original's tables take them. Pure.

broadcast_manager.csv has the original's columns. main_clients_database.csv has those of its columns that are kept here; wallets and
payouts never left the original, so its rows are updated, not inserted. docs/moving-over.md has the statements that load both.
"""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from shared.pair import BroadcastStatus, Live, Pair
from shared.pair_fields import EDITABLE

PAIR_COLUMNS = ("open_channel_id", "closed_channel_id", "client_id", *EDITABLE)
STATE_COLUMNS = (
    "id",
    "client_id",
    "open_channel_id",
    "closed_channel_id",
    "last_sent_time",
    "next_send_time",
    "broadcast_status",
    "last_manual_trigger_time",
    "manual_trigger_count",
    "total_broadcasts",
    "successful_broadcasts",
    "failed_broadcasts",
    "last_error_message",
    "last_error_time",
    "consecutive_failures",
    "is_active",
    "created_at",
    "updated_at",
)
MESSAGE_COLUMNS = (
    "last_open_message_id",
    "last_closed_message_id",
    "last_open_message_sent_at",
    "last_closed_message_sent_at",
)


def pair_table(pairs: Iterable[Pair]) -> str:
    """The texts and tiers, as CSV with a header; ended pairs are left out."""
    return _csv(PAIR_COLUMNS, ([_text(getattr(p, name)) for name in PAIR_COLUMNS] for p in pairs if p.ended_at is None))


def state_table(pairs: Iterable[Pair], *, message_columns: bool = True) -> str:
    """The schedule, counters and standing messages, as CSV with a header; ended pairs are left out.

    An active pair is `pending` whatever became of its last broadcast: the original sends for no other word.
    """
    columns = STATE_COLUMNS + (MESSAGE_COLUMNS if message_columns else ())
    return _csv(columns, ([_text(_state(p)[name]) for name in columns] for p in pairs if p.ended_at is None))


def _state(pair: Pair) -> dict[str, Any]:
    status = BroadcastStatus.PENDING if pair.is_active else BroadcastStatus.FAILED
    return {
        **{name: getattr(pair, name) for name in STATE_COLUMNS if name != "broadcast_status"},
        "broadcast_status": status.value,
        "last_open_message_id": None if pair.open_live is None else pair.open_live.message_id,
        "last_closed_message_id": None if pair.closed_live is None else pair.closed_live.message_id,
        "last_open_message_sent_at": _naive(pair.open_live),
        "last_closed_message_sent_at": _naive(pair.closed_live),
    }


def _naive(live: Live | None) -> str | None:
    """These two columns have no zone; the original's clocks run in UTC."""
    return None if live is None else live.sent_at.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(sep=" ")
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return None if value is None else str(value)


def _csv(columns: Iterable[str], rows: Iterable[list[str | None]]) -> str:
    """NULL is an empty field and an empty text a quoted one, as COPY reads them."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(columns)
    for row in rows:
        out.write(",".join("" if value is None else _quoted(value) for value in row) + "\n")
    return out.getvalue()


def _quoted(value: str) -> str:
    plain = value and not any(c in value for c in ',"\r\n') and value == value.strip() and value != "\\."
    return value if plain else '"' + value.replace('"', '""') + '"'
