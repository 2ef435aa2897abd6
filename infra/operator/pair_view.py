"""One pair, and its broadcasts, as text. Pure."""

from collections.abc import Sequence
from datetime import datetime

from infra.operator.text import NOTHING, listing, plain, table, when
from shared.owner import cooldown
from shared.pair import Channel, Delivery, DeliveryState, Pair, Run, Schedule
from shared.runs import Policy


def describe_pair(pair: Pair, *, now: datetime, policy: Policy) -> str:
    """Everything an operator may want to know of a pair."""
    lines = [
        ("Pair", pair.id),
        ("Client", pair.client_id + (f" ({pair.created_by})" if pair.created_by else "")),
        ("State", pair.state.value + (f": {pair.pause_reason}" if pair.pause_reason and not pair.is_active else "")),
        ("Open channel", _channel(pair, Channel.OPEN, pair.open_channel_id)),
        ("", pair.open_channel_description or NOTHING),
        ("Closed channel", _channel(pair, Channel.CLOSED, pair.closed_channel_id)),
        ("", pair.closed_channel_description or NOTHING),
        ("Donation message", pair.closed_channel_donation_message),
        ("Tiers", ", ".join(f"${tier.price:.2f} for {tier.days} days" for tier in pair.tiers) or "none"),
        ("Notification", f"to {pair.notification_id}" if pair.notification_status else "off"),
        ("Schedule", _schedule(pair.schedule, policy)),
        ("Next broadcast", when(pair.next_send_time, now)),
        ("Retry", when(pair.retry_at, now)),
        ("Resend possible", "now" if not (wait := cooldown(pair, now=now, policy=policy)) else f"in {wait} s"),
        ("Last sent", when(pair.last_sent_time, now)),
        (
            "Broadcasts",
            f"{pair.total_broadcasts} in all, {pair.successful_broadcasts} successful, {pair.failed_broadcasts} failed, "
            f"{pair.consecutive_failures} failed in a row; {pair.manual_trigger_count} by hand",
        ),
        (
            "Last error",
            f"{pair.last_error_message} – {when(pair.last_error_time, now)}" if pair.last_error_message else NOTHING,
        ),
        ("Standing messages", _standing(pair)),
        ("Created", when(pair.created_at, now)),
        ("Changed", when(pair.updated_at, now)),
    ]
    text = listing(lines)
    run = pair.run or pair.last_broadcast
    if run is None:
        return f"{text}\n\nNo broadcast yet."
    return f"{text}\n\n{'Under way' if pair.run else 'Last broadcast'}\n{describe_runs([run], now=now)}"


def describe_runs(runs: Sequence[Run], *, now: datetime) -> str:
    """Broadcasts, one a line, with what went wrong below the table."""
    rows = [
        (when(run.claimed_at, now), _cause(run), _result(run), _outcome(run.open), _outcome(run.closed), run.run_id)
        for run in runs
    ]
    text = table(("BEGUN", "CAUSE", "RESULT", "OPEN", "CLOSED", "RUN"), rows)
    wrong = [
        f"  {run.claimed_at:%Y-%m-%d %H:%M:%S} {channel.value} channel: {plain(delivery.error)}"
        for run in runs
        for channel, delivery in run.deliveries()
        if delivery.error
    ]
    return "\n".join([text, *(["What went wrong:", *wrong] if wrong else [])])


def _channel(pair: Pair, channel: Channel, id: int) -> str:
    moved = "" if pair.chat(channel) == id else f", sent to {pair.chat(channel)}"
    return f"{pair.title(channel)} ({id}{moved})"


def _schedule(schedule: Schedule, policy: Policy) -> str:
    if schedule.cron is not None:
        return f"cron {schedule.cron} in {schedule.time_zone}"
    if schedule.interval_hours is not None:
        return f"every {schedule.interval_hours:g} h"
    return f"every {policy.interval.total_seconds() / 3600:g} h (default)"


def _standing(pair: Pair) -> str:
    standing = [(channel, pair.live(channel)) for channel in Channel]
    return ", ".join(f"{channel.value} #{live.message_id}" for channel, live in standing if live is not None) or "none"


def _cause(run: Run) -> str:
    return f"{run.cause.value} {run.retry}" if run.retry else run.cause.value


def _result(run: Run) -> str:
    if run.finished_at is None:
        return "under way"
    return {"success": "sent", "failure": "failed"}.get(run.verdict.value, "not sent")


def _outcome(delivery: Delivery) -> str:
    if delivery.state is DeliveryState.SENT:
        return f"sent #{delivery.message_id}"
    return delivery.state.value
