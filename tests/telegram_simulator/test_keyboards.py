"""What an inline keyboard may hold, and Telegram's words for what it may not."""

import json

import pytest

from infra.telegram_simulator.keyboards import Button, read_keyboard
from infra.telegram_simulator.links import BadLink, checked_link
from infra.telegram_simulator.refusals import Refused
from tests.telegram_simulator.support import keyboard


def reason(raw: str) -> str:
    with pytest.raises(Refused) as caught:
        read_keyboard(raw)
    assert caught.value.status == 400
    return caught.value.description.removeprefix("Bad Request: ")


def test_a_url_button_and_a_callback_button_are_taken() -> None:
    buy, give = {"text": "Buy", "url": "https://t.me/b?start=x"}, {"text": "Give", "callback_data": "donate_start_-1"}
    raw = keyboard(buy, give)
    assert read_keyboard(raw) == (
        (Button("Buy", url="https://t.me/b?start=x"),),
        (Button("Give", callback_data="donate_start_-1"),),
    )


def test_no_keyboard_is_no_keyboard() -> None:
    assert read_keyboard("") == ()
    assert read_keyboard("{}") == ()
    assert read_keyboard('{"inline_keyboard": [[]]}') == ()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("{", "can't parse reply keyboard markup JSON object"),
        ("[]", "object expected as reply markup"),
        ("null", "object expected as reply markup"),
        (
            '{"inline_keyboard": [{}]}',
            'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays',
        ),
        ('{"inline_keyboard": {}}', 'field "inline_keyboard" must be of type Array'),
        (keyboard("x"), "can't parse inline keyboard button: InlineKeyboardButton must be an Object"),
        (keyboard({"url": "https://e.com"}), "can't parse inline keyboard button: Can't find field \"text\""),
        (keyboard({"text": []}), 'can\'t parse inline keyboard button: Field "text" must be of type String'),
        (
            keyboard({"text": "x"}),
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        (
            keyboard({"text": "x", "callback_data": ""}),
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
        ),
        (
            keyboard({"text": "x", "url": "htp://x"}),
            "inline keyboard button URL 'htp://x' is invalid: Unsupported URL protocol",
        ),
        (
            keyboard({"text": "x", "url": "localhost"}),
            "inline keyboard button URL 'localhost' is invalid: Wrong HTTP URL",
        ),
        (keyboard({"text": "", "url": "https://e.com"}), "inline keyboard button text must be non-empty"),
        (keyboard({"text": "x", "url": "https://e.com", "callback_data": "y"}), "BUTTON_TYPE_INVALID"),
        (keyboard({"text": "x", "web_app": {"url": "https://e.com"}}), "BUTTON_TYPE_INVALID"),
        (keyboard({"text": "x", "copy_text": {"text": "y" * 257}}), "BUTTON_COPY_TEXT_INVALID"),
        ('{"keyboard": [["x"]]}', "REPLY_MARKUP_INVALID"),
    ],
)  # fmt: skip
def test_a_wrong_keyboard_is_refused(raw: str, expected: str) -> None:
    assert reason(raw) == expected


def test_callback_data_may_have_64_bytes_and_not_65() -> None:
    fits = "é" * 32
    assert read_keyboard(keyboard({"text": "x", "callback_data": fits}))[0][0].callback_data == fits
    assert reason(keyboard({"text": "x", "callback_data": fits + "a"})) == "BUTTON_DATA_INVALID"


def test_a_row_may_have_8_buttons_and_not_9() -> None:
    button = {"text": "x", "callback_data": "y"}
    assert len(read_keyboard(json.dumps({"inline_keyboard": [[button] * 8]}))[0]) == 8
    assert reason(json.dumps({"inline_keyboard": [[button] * 9]})) == "reply markup is too long"


def test_a_keyboard_may_have_100_buttons_and_not_101() -> None:
    button = {"text": "x", "callback_data": "y"}
    assert len(read_keyboard(keyboard(*[button] * 100))) == 100
    assert reason(keyboard(*[button] * 101)) == "reply markup is too long"


@pytest.mark.parametrize(
    ("link", "stored"),
    [
        ("https://t.me/bot?start=LTEw=_5d0_30", "https://t.me/bot?start=LTEw=_5d0_30"),
        ("HTTPS://Example.COM", "https://example.com/"),
        ("example.com?a b", "http://example.com/?a%20b"),
        ("http://u:p@example.com:8080/x", "http://u:p@example.com:8080/x"),
        ("http://[::1]/x", "http://[::1]/x"),
        ("tg://resolve?domain=x", "tg://resolve?domain=x"),
        ("http://bücher.de/", "http://bücher.de/"),
    ],
)
def test_a_good_link_is_stored_with_protocol_and_path(link: str, stored: str) -> None:
    assert checked_link(link) == stored


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("ftp://example.com", "Unsupported URL protocol"),
        ("javascript:alert(1)", "Wrong port number specified in the URL"),
        ("http://", "URL host is empty"),
        ("http://.", "Host is invalid"),
        ("http://localhost/", "Wrong HTTP URL"),
        ("http://example.com:0/", "Wrong port number specified in the URL"),
        ("http://example.com:70000/", "Wrong port number specified in the URL"),
        ("http://exa mple.com/", "Disallowed character in URL host"),
        ("http://e%zz.com/", "Wrong percent-encoded symbol in URL host"),
        ("http://[xyz]/", "Wrong IPv6 address specified in the URL"),
        ("tg://resolve.x", "Unallowed characters in URL host"),
    ],
)
def test_a_bad_link_is_refused_with_the_reason(link: str, why: str) -> None:
    with pytest.raises(BadLink) as caught:
        checked_link(link)
    assert str(caught.value) == why
