"""From the press of Resend to the first message at Telegram, on an engine that has nothing else to do."""

import math
import time
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import requests

from infra.benchmark import work
from infra.benchmark.embedded_engine import EmbeddedEngine
from infra.benchmark.owner import authorization
from infra.benchmark.sizes import Sizes
from infra.benchmark.tables import Cell, Say, Table
from infra.benchmark.telegram_process import TelegramProcess
from infra.benchmark.waiting import NotDone
from shared.pair import Pair

RATE = 25.0
"""TELEGRAM_RATE as it is unless somebody sets it."""
PATIENCE = 60.0
BUDGET_MS = 1000.0


def measure(sizes: Sizes, say: Say) -> list[Table]:
    """Each press is for a pair of its own, for one pair's presses are five minutes apart."""
    given = work.pairs(sizes.presses)
    pressed: list[float] = []
    answered: list[float] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="benchmark-")))
        telegram = stack.enter_context(TelegramProcess("--latency-ms", "60"))
        engine = stack.enter_context(EmbeddedEngine(folder, telegram.url, given, rate=RATE))
        engine.start()
        session = stack.enter_context(requests.Session())
        session.headers.update(authorization())
        for number, pair in enumerate(given):
            if number % 10 == 0:
                say(f"press {number + 1} of {len(given)}")
            pressed.append(time.monotonic())
            _press(session, engine.url, pair)
            answered.append(time.monotonic())
            engine.wait_done(PATIENCE)
        first = {c.chat_id: c.monotonic for c in reversed(telegram.calls()) if c.accepted and c.method == "sendmessage"}
    missing = [pair.id for pair in given if pair.open_chat_id not in first]
    if missing:
        raise NotDone(f"{len(missing)} presses were followed by no message, the first for pair {missing[0]}.")
    to_answer = [1000 * (end - begin) for begin, end in zip(pressed, answered, strict=True)]
    to_message = [1000 * (first[p.open_chat_id] - begin) for p, begin in zip(given, pressed, strict=True)]
    rows = [_row("the answer to the press", to_answer), _row("the first message at Telegram", to_message)]
    note = (
        f"{len(given)} presses on an idle engine at {RATE:g} messages a second; the budget is a second for 99 of 100."
    )
    return [Table("From a press of Resend to …", ("", "p50 ms", "p99 ms", "longest ms", "p99, budget = 1"), rows, note)]


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _row(what: str, milliseconds: list[float]) -> list[Cell]:
    p99 = percentile(milliseconds, 0.99)
    return [what, percentile(milliseconds, 0.5), p99, max(milliseconds), p99 / BUDGET_MS]


def _press(session: requests.Session, url: str, pair: Pair) -> None:
    answer = session.post(f"{url}/api/broadcast/trigger", json={"broadcast_id": pair.id}, timeout=PATIENCE)
    if answer.status_code != 200:
        raise NotDone(f"Resend was answered {answer.status_code}: {answer.text}")
