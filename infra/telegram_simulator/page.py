"""The page on which the simulated channels can be read."""

from pathlib import Path

import msgspec
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from infra.telegram_simulator.html_text import to_html
from infra.telegram_simulator.record import Message
from infra.telegram_simulator.simulator import Simulator

MAX_CHANNELS = 200
MAX_MESSAGES = 20  # per channel; a channel normally holds one
_environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
_template = _environment.from_string(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))


class _Bubble(msgspec.Struct, frozen=True):
    message: Message
    html: Markup
    is_person: bool


class _Room(msgspec.Struct, frozen=True):
    title: str
    initial: str
    colour: int
    chat_id: int
    note: str
    hidden: int
    bubbles: list[_Bubble]


def render(simulator: Simulator, *, refresh_seconds: int | None = 5) -> str:
    """A complete HTML page with what a reader of each channel would see now.

    Shows the 200 most recently active channels and says so when there are more. Everything a bot wrote is escaped.
    `refresh_seconds` is how often a browser loads it anew; None: never.
    """
    summary = simulator.summary()
    rooms = []
    for channel in simulator.channels(MAX_CHANNELS):
        visible = simulator.visible(channel.chat_id)
        note = ""
        if channel.migrated_to is not None:
            note = f"moved to {channel.migrated_to}"
        elif channel.member != "administrator":
            note = "bot removed" if channel.member == "kicked" else "bot not a member"
        elif not channel.can_post:
            note = "bot may not post"
        room = _Room(
            title=channel.name,
            initial=next((c for c in channel.title if c.isalnum()), "#").upper(),
            colour=abs(channel.chat_id) % 7,
            chat_id=channel.chat_id,
            note=note,
            hidden=max(0, len(visible) - MAX_MESSAGES),
            bubbles=[_Bubble(m, to_html(m.formatted), not m.bot_id) for m in visible[-MAX_MESSAGES:]],
        )
        rooms.append(room)
    return _template.render(summary=summary, rooms=rooms, refresh_seconds=refresh_seconds)
