"""What is due, in flight and broken, and why, as text or JSON. Pure."""

from datetime import datetime
from textwrap import indent
from typing import Any

from infra.operator.lookup import SHOWN_PREFIX
from infra.operator.text import NOTHING, counted, duration, listing, relative, table, when
from shared.overview import Line, Overview
from shared.pace import Pace

MOST_LINES = 10
"""Lines a list takes in the text; JSON has all of them."""


def document(seen: Overview, pace: Pace | None, *, records: str, service_running: bool) -> dict[str, Any]:
    """The overview for `--json`."""
    return {
        "server_time": seen.now,
        "records": records,
        "service_running": service_running,
        "pairs": seen.pairs,
        "states": seen.states,
        "due": {"count": seen.due, "oldest": seen.oldest_due},
        "next_due": seen.next_due,
        "running": seen.running,
        "paused": seen.paused,
        "unconfirmed": seen.unconfirmed,
        "errors": seen.errors,
        "gate": None if pace is None else pace.gate,
        "paused_all": None if pace is None else pace.paused_all,
        "pace": None if pace is None else {"next_slot": pace.next_slot, "tick": pace.tick},
    }


def describe(seen: Overview, pace: Pace | None, *, records: str, service_running: bool) -> str:
    """The overview for people; what is in order takes one line."""
    now = seen.now
    lines = [
        ("Records", records),
        ("Service", "running" if service_running else "not running; start it with: make run"),
        ("Gate", gate_words(pace, now)),
        ("Pace", _pace(pace, now)),
        ("Pairs", _states(seen)),
        (
            "Due now",
            "none" if seen.oldest_due is None else f"{seen.due}, the oldest since {when(seen.oldest_due, now)}",
        ),
        ("In flight", str(len(seen.running)) if seen.running else "none"),
        ("Next due", "none" if seen.next_due is None else f"{when(seen.next_due.at, now)}: {_name(seen.next_due)}"),
    ]
    blocks = [listing(lines)]
    for heading, found in (
        ("In flight", seen.running),
        ("Unconfirmed: look into the channel; if the message is missing, resend it", seen.unconfirmed),
        ("Paused: mend the cause, then broadcastctl pairs resume ID", seen.paused),
        ("Last errors", seen.errors),
    ):
        if found:
            blocks.append(_block(heading, found, now))
    return "\n\n".join(blocks)


def _name(line: Line) -> str:
    return f"{line.title} ({line.id[:SHOWN_PREFIX]})"


def _states(seen: Overview) -> str:
    if not seen.pairs:
        return "none; add some with: broadcastctl pairs import FILE.csv"
    return f"{seen.pairs}: " + ", ".join(f"{number} {state}" for state, number in seen.states.items())


def gate_words(pace: Pace | None, now: datetime) -> str:
    """What holds everything back, since when, and how it ends."""
    if pace is not None and pace.paused_all is not None:
        held = pace.paused_all
        return f"everything paused for {duration(now - held.since)}: {held.reason}; broadcastctl resume-all goes on"
    gate = None if pace is None else pace.gate
    if gate is None:
        return "open"
    return (
        f"closed for {duration(now - gate.since)}, {gate.reason.value}: {gate.detail}; "
        f"next probe {when(gate.blocked_until, now) if gate.blocked_until > now else 'now'}"
    )


def _pace(pace: Pace | None, now: datetime) -> str:
    if pace is None or pace.next_slot is None:
        return "nothing sent yet"
    slot = "free" if pace.next_slot <= now else f"taken until {when(pace.next_slot, now)}"
    return slot if pace.tick is None else f"{slot}; last busy tick {relative(pace.tick.published_at, now)}"


def _block(heading: str, found: list[Line], now: datetime) -> str:
    rows = [
        (line.id[:SHOWN_PREFIX], line.title, NOTHING if line.at is None else relative(line.at, now), line.why)
        for line in found[:MOST_LINES]
    ]
    text = f"{heading}\n{indent(table(('ID', 'TITLE', 'SINCE', 'WHY'), rows), '  ')}"
    more = len(found) - MOST_LINES
    return text if more <= 0 else f"{text}\n  … and {counted(more, 'more pair')}; --json has all of them"
