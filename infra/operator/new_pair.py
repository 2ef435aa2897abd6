"""The first record of an imported pair. Pure."""

from datetime import datetime
from typing import Any

from infra.operator.pairs_csv import ImportRow
from infra.operator.state_rows import Standing, StateRow
from shared.pair import Live, Pair, new_pair_id
from shared.runs import FAILURES_BEFORE_PAUSE


def id_of(row: ImportRow) -> str:
    """The id the pair had before, else the one its open channel gives it."""
    return new_pair_id(row.pair.open_channel_id) if row.state is None else row.state.id


def new_pair(row: ImportRow, *, now: datetime) -> Pair:
    """The pair of a row that the store does not know. Without a state its first broadcast is due now."""
    texts = row.pair
    state = (
        {"next_send_time": now, "created_at": now, "updated_at": now} if row.state is None else _state(row.state, now)
    )
    return Pair(
        id=id_of(row),
        client_id=texts.client_id,
        created_by=texts.created_by,
        open_channel_id=texts.open_channel_id,
        closed_channel_id=texts.closed_channel_id,
        open_chat_id=texts.open_channel_id,
        closed_chat_id=texts.closed_channel_id,
        **texts.texts(),
        **state,
    )


def _state(state: StateRow, now: datetime) -> dict[str, Any]:
    """What the table says of the past.

    Of the original's states only "switched off" means anything here: pending, completed, failed, skipped and a stuck in_progress
    were all meant to go on, so `next_send_time` decides.
    """
    values: dict[str, Any] = {
        "next_send_time": state.next_send_time or now,
        "last_sent_time": state.last_sent_time,
        "last_manual_trigger_time": state.last_manual_trigger_time,
        "manual_trigger_count": state.manual_trigger_count,
        "total_broadcasts": state.total_broadcasts,
        "successful_broadcasts": state.successful_broadcasts,
        "failed_broadcasts": state.failed_broadcasts,
        "consecutive_failures": state.consecutive_failures,
        "last_error_message": state.last_error_message,
        "last_error_time": state.last_error_time,
        "open_live": _live(state.open_standing, state.open_channel_id, state, now),
        "closed_live": _live(state.closed_standing, state.closed_channel_id, state, now),
        "created_at": state.created_at or now,
        "updated_at": state.updated_at or now,
    }
    if not state.is_active or state.consecutive_failures >= FAILURES_BEFORE_PAUSE:
        paused_at = state.last_error_time or state.updated_at or now
        values |= {"is_active": False, "paused_at": paused_at, "pause_reason": _why_paused(state)}
    return values


def _why_paused(state: StateRow) -> str:
    failures = state.consecutive_failures
    if failures >= FAILURES_BEFORE_PAUSE:
        why = f"paused before the import after {failures} failures in a row"
    else:
        why = "paused before the import"
    return f"{why}: {state.last_error_message}" if state.last_error_message else why


def _live(standing: Standing | None, chat: int, state: StateRow, now: datetime) -> Live | None:
    if standing is None:
        return None
    sent_at = standing.sent_at or state.last_sent_time or state.updated_at or now
    return Live(chat=chat, message_id=standing.message_id, sent_at=sent_at)
