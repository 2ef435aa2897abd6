"""What an owner is told to do, for every answer a send can get."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared import advice
from shared.advice import advice_on
from shared.pair import DeliveryState

CATALOGUE = json.loads((Path(__file__).parents[1] / "data" / "telegram-errors.json").read_text(encoding="utf-8"))
SENDING = [e for e in CATALOGUE if {"*", "sendMessage"} & set(e["methods"]) and not e["description"].startswith("<")]
UNKNOWN_TO_OWNERS = {"client_bug", "effect", "photo", "parse", "gateway"}
"""Kinds of refusal that are a fault of this program, or words of a gateway."""
WANTED = {
    "kicked": {advice.ADD_BOT},
    "not_member": {advice.ADD_BOT},
    "no_rights": {advice.ADD_BOT, advice.GIVE_RIGHT, advice.LIFT},
    "restricted": {advice.LIFT},
    "deleted": {advice.CHECK_CHANNEL},
    "not_found": {advice.CHECK_CHANNEL},
    "private_blocked": {advice.NOT_A_CHANNEL},
    "private_deleted": {advice.NOT_A_CHANNEL},
    "private_not_started": {advice.NOT_A_CHANNEL},
    "private_bot": {advice.NOT_A_CHANNEL},
    "empty": {advice.CHECK_TEXTS},
    "too_long": {advice.SHORTEN},
    "button": {advice.CHECK_BUTTONS},
    "migrated": {advice.CHECK_CHANNEL},
    "token_revoked": {advice.OPERATOR},
    "token_malformed": {advice.OPERATOR},
    "self_hosted": {advice.OPERATOR},
    "logged_out": {advice.OPERATOR},
    "frozen": {advice.OPERATOR},
    "flood_wait": {advice.WAIT},
    "server_concurrency": {advice.WAIT},
    "server_shutdown": {advice.WAIT},
    "server_restart": {advice.WAIT},
    "backend": {advice.WAIT},
    "routing": {advice.WAIT},
}


@pytest.mark.parametrize("entry", SENDING, ids=lambda e: e["description"][:60])
def test_every_refusal_of_a_message_has_the_advice_for_its_kind(entry: dict[str, Any]) -> None:
    kind = entry["subclass"]

    assert kind in WANTED or kind in UNKNOWN_TO_OWNERS
    if kind in WANTED:
        assert advice_on(entry["description"]) in WANTED[kind]


def test_the_words_are_read_without_regard_to_case() -> None:
    assert advice_on("FORBIDDEN: Bot was KICKED from the channel chat") == advice.ADD_BOT


@pytest.mark.parametrize("words", ["", "Bad Request: something new", "Teapot"])
def test_words_we_do_not_know_are_said_to_be_new(words: str) -> None:
    assert advice_on(words) == advice.UNKNOWN


def test_an_unconfirmed_message_is_to_be_looked_for_whatever_the_words() -> None:
    assert advice.advice(DeliveryState.UNCONFIRMED, "Forbidden: bot was kicked") == advice.LOOK
    assert advice.advice(DeliveryState.UNCONFIRMED, None) == advice.LOOK


@pytest.mark.parametrize("state", sorted(set(DeliveryState) - {DeliveryState.FAILED, DeliveryState.UNCONFIRMED}))
def test_where_nothing_went_wrong_there_is_nothing_to_do(state: DeliveryState) -> None:
    assert advice.advice(state, "overtaken by the next broadcast") == ""
