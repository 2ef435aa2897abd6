"""The simulated Telegram as a process of its own, and what it says of the messages it took."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import msgspec
import requests

from infra.benchmark.waiting import NotDone
from infra.telegram_simulator.record import Call, Summary

ROOT = Path(__file__).parents[2]
BOT = "benchmark_broadcast_bot"
TOKEN = "1000000004:the-benchmark-takes-any-token-at-all-here"
ASK_SECONDS = 60.0
"""With every channel of a long run to be read out, an answer takes seconds."""


class _Posted(msgspec.Struct, frozen=True):
    chat_id: int


class _Channel(msgspec.Struct, frozen=True):
    messages: list[_Posted]


@dataclass(frozen=True)
class Account:
    """What came of messages of which each chat was to get one."""

    accepted: int
    without: frozenset[int]
    """Chats that got none."""
    doubled: int
    """Messages on top of a chat's first."""

    @property
    def lost(self) -> int:
        """How many chats got none."""
        return len(self.without)


class TelegramProcess:
    """`python -m infra.telegram_simulator` with these options, once entered; any channel is one the bot may post to."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def summary(self) -> Summary:
        """Its figures now."""
        return msgspec.json.decode(self._get("summary"), type=Summary)

    def calls(self) -> list[Call]:
        """Every call so far, in the order in which they were decided."""
        return msgspec.json.decode(self._get("calls"), type=list[Call])

    def account(self, chats: Sequence[int]) -> Account:
        """What these chats got, and whether any chat got more than one."""
        channels = msgspec.json.decode(self._get("record"), type=list[_Channel])
        got = Counter(message.chat_id for channel in channels for message in channel.messages)
        return Account(
            accepted=got.total(),
            without=frozenset(chat for chat in chats if not got[chat]),
            doubled=sum(count - 1 for count in got.values()),
        )

    def __enter__(self) -> "TelegramProcess":
        command = [sys.executable, "-m", "infra.telegram_simulator", "--port", "0", "--accept-unknown-channels"]
        command += ["--bot-username", BOT, *self._options]
        self._process = subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        words = said.split()
        if "at" not in words:
            self._process.communicate()
            raise NotDone(f"The simulated Telegram did not start: {said or 'what it said stands above.'}")
        self.url = words[words.index("at") + 1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.communicate()

    def _get(self, what: str) -> bytes:
        return requests.get(f"{self.url}/control/{what}", timeout=ASK_SECONDS).content
