"""What all driver scripts share: the work on the command line, and the turns taken with whoever measures."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Work(NamedTuple):
    """Parameters of sendMessage, one mapping a message; `rate` is messages a second, `folder` is the sender's to keep things in."""

    messages: list[dict[str, Any]]
    telegram_url: str
    token: str
    rate: float
    folder: Path


def read_work() -> Work:
    """From the command line: messages file, address of Telegram, token, rate, folder."""
    messages, url, token, rate, folder = sys.argv[1:]
    return Work(json.loads(Path(messages).read_text(encoding="utf-8")), url, token, float(rate), Path(folder))


def take_turns(send: Callable[[], None]) -> None:
    """Say `ready`, send when told to, say `done`, and stay until told to go."""
    print("ready", flush=True)
    sys.stdin.readline()
    send()
    print("done", flush=True)
    sys.stdin.readline()
