"""What each answer of the Bot API means: the whole catalogue, and what no catalogue holds."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.pair import Fault
from shared.telegram import (
    BotUnusable,
    Done,
    Migrated,
    NotDelivered,
    Outcome,
    Refused,
    Sent,
    Throttled,
    Unconfirmed,
)
from shared.telegram_answers import LONGEST_PAUSE, read_answer

CATALOGUE = json.loads((Path(__file__).parents[1] / "data" / "telegram-errors.json").read_text(encoding="utf-8"))
ANSWERS = [answer for answer in CATALOGUE if answer["http_status"] is not None]

OUR_MESSAGE_IS_AT_FAULT = {"parse", "empty", "too_long", "button", "effect"}
"""Kinds of `message_invalid` that the owner's texts or links can cause; the others would be this program's own slips."""
OUR_OWN_SLIPS = {
    "Bad Request: unsupported parse_mode",
    "Bad Request: strings must be encoded in UTF-8",
    "Bad Request: can't parse reply keyboard markup JSON object",
    "Bad Request: object expected as reply markup",
    'Bad Request: field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays',
}
"""Of those kinds, what no text or link of an owner causes: the request itself was made wrongly."""
NOTHING_LEFT_TO_DO = {"Bad Request: message to edit not found"}
"""The catalogue calls it invalid; for an old message that is edited down it is as good as done."""


def expected(answer: dict[str, Any]) -> Outcome:
    """What the catalogue's own classes ask for, spelled out apart from the code."""
    words, parameters = answer["description"], answer["parameters"]
    match answer["class"], answer["delivered"]:
        case "throttled", "no":
            return Throttled(float(parameters["retry_after"]), words)
        case "throttled", "unknown":
            return Unconfirmed(f"Telegram was restarting: {words}", retry_after=float(parameters["retry_after"]))
        case "transient", "no":
            return NotDelivered(words)
        case "transient", "unknown":
            return Unconfirmed(words)
        case "chat_migrated", "no":
            return Migrated(parameters["migrate_to_chat_id"])
        case "chat_gone", "no":
            return Refused(words, Fault.PAIR)
        case "already_done", "no":
            return Done()
        case "bot_unauthorized", "no":
            return BotUnusable(words)
        case "message_invalid", "no" if words in NOTHING_LEFT_TO_DO:
            return Done()
        case "message_invalid", "no":
            owners = answer["subclass"] in OUR_MESSAGE_IS_AT_FAULT and words not in OUR_OWN_SLIPS
            return Refused(words, Fault.PAIR if owners else Fault.UNKNOWN)
    raise AssertionError(f"the catalogue has a kind this test does not know: {answer}")


def body_of(answer: dict[str, Any], words: str | None = None) -> dict[str, Any]:
    body = {"ok": False, "error_code": answer["error_code"], "description": words or answer["description"]}
    return body | ({"parameters": answer["parameters"]} if answer["parameters"] else {})


def sends(answer: dict[str, Any]) -> bool:
    return "sendMessage" in answer["methods"] or "*" in answer["methods"]


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: f"{a['http_status']} {a['description'][:60]}")
def test_every_answer_in_the_catalogue_means_what_its_class_says(answer: dict[str, Any]) -> None:
    outcome = read_answer(answer["http_status"], body_of(answer), sends=sends(answer))

    assert outcome == expected(answer)


@pytest.mark.parametrize(
    "change", [str.upper, str.lower, lambda words: f"{words} (again)"], ids=["upper", "lower", "more"]
)
def test_the_spelling_of_a_description_decides_nothing(change: Any) -> None:
    """All but "Not Found" alone, which is told from "Not Found: method not found" by its end."""
    for answer in (a for a in ANSWERS if a["description"] != "Not Found"):
        outcome = read_answer(
            answer["http_status"], body_of(answer, change(answer["description"])), sends=sends(answer)
        )

        assert type(outcome) is type(expected(answer)), answer["description"]
        assert getattr(outcome, "fault", None) == getattr(expected(answer), "fault", None), answer["description"]


def test_nothing_in_the_catalogue_that_may_have_been_delivered_may_be_sent_again() -> None:
    unsure = [a for a in ANSWERS if a["delivered"] == "unknown"]

    outcomes = [read_answer(a["http_status"], body_of(a), sends=True) for a in unsure]

    assert len(unsure) > 5
    assert {type(outcome) for outcome in outcomes} == {Unconfirmed}


def test_the_catalogue_is_whole() -> None:
    assert len(CATALOGUE) == 124
    assert len(ANSWERS) == 122


# --- success ----------------------------------------------------------------------------------------------------------


def test_a_sent_message_is_known_by_its_id() -> None:
    assert read_answer(200, {"ok": True, "result": {"message_id": 7, "chat": {"id": -1}}}, sends=True) == Sent(7)


@pytest.mark.parametrize(
    "body",
    [
        {"ok": True},
        {"ok": True, "result": True},
        {"ok": True, "result": {}},
        {"ok": True, "result": {"message_id": None}},
        {"ok": True, "result": {"message_id": "7"}},
        {"ok": True, "result": {"message_id": 0}},
        {"ok": True, "result": {"message_id": -7}},
        {"ok": True, "result": {"message_id": True}},
        {"ok": True, "result": [7]},
    ],
)
def test_a_message_without_an_id_is_unconfirmed_whatever_the_status(body: dict[str, Any]) -> None:
    assert read_answer(200, body, sends=True) == Unconfirmed("Telegram answered OK without a message id")


@pytest.mark.parametrize("result", [True, {"message_id": 7}, None])
def test_a_deletion_or_an_edit_is_done_when_telegram_says_so(result: object) -> None:
    assert read_answer(200, {"ok": True, "result": result}, sends=False) == Done()


@pytest.mark.parametrize("body", [{"ok": False}, {"ok": "true", "result": {"message_id": 7}}, {}])
def test_a_status_of_200_alone_is_no_success(body: dict[str, Any]) -> None:
    assert not isinstance(read_answer(200, body, sends=True), Sent | Done)
    assert not isinstance(read_answer(200, body, sends=False), Sent | Done)


# --- no JSON ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 204, 301, 302, 500, 502, 503, 504, 520])
def test_a_gateways_page_leaves_it_open_whether_the_message_was_posted(status: int) -> None:
    assert isinstance(read_answer(status, None, sends=True), Unconfirmed)


@pytest.mark.parametrize("status", [400, 403, 405, 413, 414])
def test_a_refusal_without_words_is_nobodys_known_fault(status: int) -> None:
    assert read_answer(status, None, sends=True) == Refused(
        f"HTTP status {status} without a description", Fault.UNKNOWN
    )


@pytest.mark.parametrize("status", [401, 404])
def test_a_bot_that_is_not_known_is_told_by_the_status_alone(status: int) -> None:
    assert isinstance(read_answer(status, None, sends=True), BotUnusable)


def test_a_throttling_without_words_asks_for_half_a_minute() -> None:
    assert read_answer(429, None, sends=True) == Throttled(30.0, "HTTP status 429 without a description")


# --- what no catalogue holds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "Bad Request: SOMETHING_NEW"),
        (403, "Forbidden: something new"),
        (400, "Forbidden"),
        (406, "Not Acceptable: UPDATE_APP_TO_LOGIN"),
        (409, "Conflict: something new"),
        (404, "Not Found: something new"),
    ],
)
def test_a_refusal_in_new_words_is_kept_in_them_and_is_nobodys_known_fault(status: int, words: str) -> None:
    body = {"ok": False, "error_code": status, "description": words}

    assert read_answer(status, body, sends=True) == Refused(words, Fault.UNKNOWN)


def test_a_server_error_in_new_words_is_unconfirmed() -> None:
    body = {"ok": False, "error_code": 503, "description": "Service Unavailable: something new"}

    assert read_answer(503, body, sends=True) == Unconfirmed("Service Unavailable: something new")


def test_a_refusal_with_a_json_body_but_no_words_says_its_status() -> None:
    assert read_answer(400, {"ok": False}, sends=True) == Refused(
        "HTTP status 400 without a description", Fault.UNKNOWN
    )


@pytest.mark.parametrize(
    ("parameters", "seconds"),
    [
        ({"retry_after": 1}, 1.0),
        ({"retry_after": 10072}, 10072.0),
        ({"retry_after": 10**15}, LONGEST_PAUSE),
        ({"retry_after": 0}, 1.0),
        ({}, 30.0),
        (None, 30.0),
        ([], 30.0),
    ],
)  # fmt: skip
def test_a_throttling_lasts_as_long_as_telegram_says_and_at_least_a_second(parameters: object, seconds: float) -> None:
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": parameters}

    assert read_answer(429, body, sends=True) == Throttled(seconds, "Too Many Requests")


def test_a_pause_asked_for_counts_whatever_the_status() -> None:
    body = {"ok": False, "error_code": 400, "description": "Bad Request: slow down", "parameters": {"retry_after": 9}}

    assert read_answer(400, body, sends=True) == Throttled(9.0, "Bad Request: slow down")


def test_a_chats_new_id_counts_whatever_the_words() -> None:
    body = {"ok": False, "error_code": 400, "description": "new", "parameters": {"migrate_to_chat_id": -1007}}

    assert read_answer(400, body, sends=True) == Migrated(-1007)
