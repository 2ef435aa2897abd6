"""Logs: sentences with fields, as JSON where a machine reads them, and never a secret."""

import io
import json
import logging
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.logs import JsonFormatter, TerminalFormatter, fields, scrub, set_up, trace, trace_of

TOKEN = "123456789:AbCdEfGhIjKlMnOpQrStUvWxYz012345678"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
FORMATTERS = [JsonFormatter(), TerminalFormatter(colour=False), TerminalFormatter(colour=True)]


def record(message: str = "Sent.", *args: object, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("shared.test", logging.INFO, __file__, 1, message, args, None)
    made.created = datetime(2026, 6, 1, 12, 0, 0, 250000, tzinfo=UTC).timestamp()
    for name, value in extra.items():
        setattr(made, name, value)
    return made


def failing(error: Exception) -> logging.LogRecord:
    try:
        raise error
    except (ValueError, OSError):
        made = record("It failed.")
        made.exc_info = sys.exc_info()
        return made


def as_json(made: logging.LogRecord) -> dict[str, Any]:
    line = JsonFormatter().format(made)
    assert "\n" not in line
    found: dict[str, Any] = json.loads(line)
    return found


@pytest.fixture
def traced() -> Iterator[None]:
    token = trace.set("projects/p/traces/abc")
    yield
    trace.reset(token)


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_a_json_line_holds_what_cloud_logging_reads() -> None:
    assert as_json(record("Sent %d messages.", 2)) == {
        "severity": "INFO",
        "message": "Sent 2 messages.",
        "time": "2026-06-01T12:00:00.250000+00:00",
        "logger": "shared.test",
    }


def test_fields_stand_beside_the_message_and_none_is_left_out() -> None:
    found = as_json(
        record("Sent.", **fields(pair_id="p", attempt=3, slot=datetime(2026, 6, 1, tzinfo=UTC), error=None))
    )

    assert (found["pair_id"], found["attempt"], found["slot"]) == ("p", 3, "2026-06-01 00:00:00+00:00")
    assert "error" not in found


@pytest.mark.usefixtures("traced")
def test_the_trace_of_the_request_at_hand_is_in_the_line() -> None:
    assert as_json(record())["logging.googleapis.com/trace"] == "projects/p/traces/abc"


def test_without_a_request_there_is_no_trace() -> None:
    assert "logging.googleapis.com/trace" not in as_json(record())


def test_an_exception_is_in_the_message_and_on_the_same_line() -> None:
    found = as_json(failing(ValueError("no\nsuch thing 港")))

    assert found["message"].startswith("It failed.\nTraceback (most recent call last):")
    assert found["message"].endswith("ValueError: no\nsuch thing 港")


# --- terminal ---------------------------------------------------------------------------------------------------------


def test_a_terminal_line_reads_like_a_sentence_with_its_fields_behind() -> None:
    line = TerminalFormatter(colour=False).format(record("Sent.", **fields(pair_id="p", attempt=3)))

    assert re.fullmatch(r"\d\d:\d\d:\d\d [+-]\d{4}  Sent\.  pair_id=p attempt=3", line)


def test_a_terminal_line_names_a_severity_above_the_usual() -> None:
    made = record()
    made.levelname = "WARNING"

    assert TerminalFormatter(colour=False).format(made).endswith("  WARNING Sent.")


def test_colours_only_where_they_are_asked_for() -> None:
    assert "\033[" in TerminalFormatter(colour=True).format(record("Sent.", **fields(a=1)))
    assert "\033" not in TerminalFormatter(colour=False).format(record("Sent.", **fields(a=1)))


# --- secrets ----------------------------------------------------------------------------------------------------------

LEAKS: dict[str, Callable[[str], logging.LogRecord]] = {
    "message": lambda secret: record(f"POST https://api.telegram.org/bot{secret}/sendMessage failed"),
    "argument": lambda secret: record("POST %s failed", f"https://api.telegram.org/bot{secret}/sendMessage"),
    "argument in a collection": lambda secret: record("%s", {"url": [f"/bot{secret}/getMe"]}),
    "exception": lambda secret: failing(ConnectionError(f"/bot{secret}/getMe: refused")),
    "exception's cause": lambda secret: failing(_caused(secret)),
    "field": lambda secret: record("Failed.", **fields(url=f"/bot{secret}/getMe")),
    "field in a collection": lambda secret: record("Failed.", **fields(urls=[{"url": f"/bot{secret}/getMe"}])),
    "field of another type": lambda secret: record("Failed.", **fields(error=ValueError(f"/bot{secret}/getMe"))),
}


def _caused(secret: str) -> Exception:
    error = ConnectionError("refused")
    error.__cause__ = OSError(f"/bot{secret}/getMe")
    return error


@pytest.mark.parametrize("formatter", FORMATTERS, ids=["json", "text", "coloured"])
@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS.keys())
@pytest.mark.parametrize(("secret", "sign"), [(TOKEN, "<token>"), (JWT, "<jwt>")], ids=["bot token", "jwt"])
def test_no_secret_leaves_through_a_log(
    formatter: logging.Formatter, leak: Callable[[str], logging.LogRecord], secret: str, sign: str
) -> None:
    line = formatter.format(leak(secret))

    assert secret not in line
    assert secret.split(":")[-1].split(".")[-1] not in line
    assert sign in line


@pytest.mark.parametrize(
    "text",
    [
        "The slot is 2026-06-01T12:00:00Z.",
        "pair 5b3c9c0e-7a52-5b6f-9f0e-1f2e3d4c5b6a, run 12:30",
        "http://127.0.0.1:8080/health",
        "channel -1003268562225: 35 messages",
        "LTEwMDMyNjg1NjIyMjU=_5d0_30",
    ],
)
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    assert scrub(text) == text


# --- traces -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "project", "found"),
    [
        ({"Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, None, "0af7651916cd43dd8448eb211c80319c"),
        ({"Traceparent": "00-abc-def-01"}, "shop", "projects/shop/traces/abc"),
        ({"X-Cloud-Trace-Context": "abc/123;o=1"}, "shop", "projects/shop/traces/abc"),
        ({"Traceparent": "nonsense", "X-Cloud-Trace-Context": "abc"}, None, "abc"),
        ({}, "shop", None),
    ],
)  # fmt: skip
def test_the_trace_is_read_from_the_requests_headers(
    headers: dict[str, str], project: str | None, found: str | None
) -> None:
    assert trace_of(headers, project) == found


# --- set-up -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[logging.Logger]:
    """The root logger, put back afterwards as pytest wants it."""
    monkeypatch.delenv("K_SERVICE", raising=False)
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)
    logging.captureWarnings(False)


def logged(log_format: str, level: str = "INFO") -> str:
    stream = io.StringIO()
    set_up(log_format, level, stream)
    set_up(log_format, level, stream)
    logging.getLogger("shared.test").info("Sent.")
    return stream.getvalue()


@pytest.mark.usefixtures("root")
def test_each_record_is_one_line_in_the_format_that_was_set() -> None:
    assert json.loads(logged("json"))["message"] == "Sent."
    assert logged("text").endswith("  Sent.\n")
    assert logged("text").count("\n") == 1


@pytest.mark.usefixtures("root")
def test_auto_is_json_where_cloud_run_runs_it_and_text_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    at_home = logged("auto")
    monkeypatch.setenv("K_SERVICE", "send")

    assert at_home.endswith("  Sent.\n")
    assert json.loads(logged("auto"))["message"] == "Sent."


@pytest.mark.usefixtures("root")
def test_what_is_below_the_level_is_not_logged() -> None:
    assert logged("text", "WARNING") == ""


@pytest.mark.usefixtures("root")
def test_warnings_are_logged_and_scrubbed_as_well() -> None:
    stream = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        set_up("json", "INFO", stream)
        warnings.warn(f"/bot{TOKEN}/getMe is slow", stacklevel=1)
        logging.captureWarnings(False)

    found = json.loads(stream.getvalue())
    assert found["severity"] == "WARNING"
    assert "/bot<token>/getMe is slow" in found["message"]
