"""What the simulator's tests share: a clock that stands still, a simulator with one channel, and ways to call it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.telegram_simulator.limits import Limits
from infra.telegram_simulator.replies import Reply
from infra.telegram_simulator.simulator import Simulator

TOKEN = "123456:" + "a" * 35
CHAT = -1003268562225
OTHER = -1001111111111


class ManualClock:
    """Time moves only when told to."""

    def __init__(self) -> None:
        self._start = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.seconds - 1000.0)

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class World:
    """A simulator with two channels and no rate limits unless given."""

    def __init__(self, limits: Limits | None = None, database: Path | None = None, **options: Any) -> None:
        self.clock = ManualClock()
        self.simulator = Simulator(self.clock, limits=limits or Limits.off(), database=database, **options)
        self.simulator.add_channel(CHAT, "Morning news")
        self.simulator.add_channel(OTHER, "Evening news")

    def call(self, method: str, **params: object) -> Reply:
        return self.simulator.call(TOKEN, method, params)

    def send(self, text: str = "hello", chat_id: int = CHAT, **params: object) -> Reply:
        return self.call("sendMessage", chat_id=chat_id, text=text, **params)

    def sent(self, text: str = "hello", chat_id: int = CHAT, **params: object) -> int:
        """The id of a message that must have been accepted."""
        return int(result(self.send(text, chat_id, **params))["message_id"])

    def visible_ids(self, chat_id: int = CHAT) -> list[int]:
        return [message.message_id for message in self.simulator.visible(chat_id)]


def result(reply: Reply) -> Any:
    """What an accepted call answered."""
    body = json.loads(reply.body)
    assert (reply.status, body["ok"]) == (200, True), body
    return body["result"]


def refused(reply: Reply) -> tuple[int, str]:
    """Status and description of a refused call."""
    body = json.loads(reply.body)
    assert body["ok"] is False
    assert body["error_code"] == reply.status
    return reply.status, body["description"]


def keyboard(*buttons: object) -> str:
    """A reply_markup with one button per row."""
    return json.dumps({"inline_keyboard": [[button] for button in buttons]})
