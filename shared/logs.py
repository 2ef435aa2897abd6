"""Logs that read like sentences and carry fields.

Deployed, each record is one JSON object a line in Cloud Logging's own fields; in a terminal, a coloured line. Every record passes a
filter that takes secrets out: a bot's token stands in each of Telegram's URLs, and so in many an exception's text.
"""

import json
import logging
import os
import re
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol, TextIO

TOKEN = re.compile(r"\d{3,}:[A-Za-z0-9_-]{20,}")
"""A bot token: the bot's id, a colon, a secret (35 characters today)."""
BEARER = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
"""A JWT."""

trace: ContextVar[str | None] = ContextVar("trace", default=None)
"""The trace of the request at hand, as `projects/P/traces/T` or just `T`."""

_COLOURS = {"DEBUG": "\033[2m", "INFO": "", "WARNING": "\033[33m", "ERROR": "\033[31m", "CRITICAL": "\033[1;31m"}


def scrub(text: str) -> str:
    """The text without anything that looks like a bot token or a JWT."""
    return BEARER.sub("<jwt>", TOKEN.sub("<token>", text))


def fields(**values: object) -> dict[str, dict[str, object]]:
    """Fields for a log call: `log.info("…", extra=fields(pair_id=…))`; None is left out."""
    return {"fields": {name: value for name, value in values.items() if value is not None}}


class Headers(Protocol):
    """A request's headers: a name's value, or what to take where there is none."""

    def get(self, name: str, default: str, /) -> str: ...


def trace_of(headers: Headers, project: str | None) -> str | None:
    """The trace id in a request's `Traceparent` or `X-Cloud-Trace-Context`, qualified by the project where it is known."""
    parts = headers.get("Traceparent", "").split("-")
    found = parts[1] if len(parts) == 4 else headers.get("X-Cloud-Trace-Context", "").split("/")[0]
    if not found:
        return None
    return f"projects/{project}/traces/{found}" if project else found


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    found = getattr(record, "fields", {})
    return found if isinstance(found, dict) else {}


def _message_of(record: logging.LogRecord) -> str:
    message = record.getMessage()
    if record.exc_info:
        message += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
    return message


@lru_cache(maxsize=16)
def _time_of_day(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).astimezone().strftime("%H:%M:%S %z")


class JsonFormatter(logging.Formatter):
    """One JSON object a line, as Cloud Logging's structured logging reads it from standard output."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "severity": record.levelname,
            "message": _message_of(record),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logger": record.name,
            **_fields_of(record),
        }
        found = trace.get()
        if found is not None:
            entry["logging.googleapis.com/trace"] = found
        return scrub(json.dumps(entry, ensure_ascii=False, default=str))


class TerminalFormatter(logging.Formatter):
    """Time in the machine's zone, severity, sentence, fields."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        moment = _time_of_day(int(record.created))
        shown = " ".join(f"{name}={value}" for name, value in _fields_of(record).items())
        severity = "" if record.levelname == "INFO" else f"{record.levelname} "
        message = scrub(f"{severity}{_message_of(record)}")
        if not self._colour:
            return f"{moment}  {message}" + (f"  {scrub(shown)}" if shown else "")
        tail = f"  \033[2m{scrub(shown)}\033[0m" if shown else ""
        return f"\033[2m{moment}\033[0m  {_COLOURS.get(record.levelname, '')}{message}\033[0m{tail}"


def set_up(log_format: str, level: str, stream: TextIO | None = None) -> None:
    """Send all logs to standard output; `auto` is JSON where Cloud Run says it runs us, else text. Safe to call again."""
    stream = sys.stdout if stream is None else stream
    as_text = log_format == "text" or (log_format == "auto" and "K_SERVICE" not in os.environ)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(TerminalFormatter(colour=stream.isatty()) if as_text else JsonFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)
    # What each record would find out about its thread, its process and the line it comes from is shown nowhere
    # (Logging HOWTO, Optimization).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    logging.getLogger("urllib3").setLevel(logging.WARNING)
