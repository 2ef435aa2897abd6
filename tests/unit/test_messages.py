"""The two messages of a pair, to the byte; and what the payment bot's decoders make of its links and buttons."""

from base64 import urlsafe_b64decode
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.messages import (
    LONGEST_CALLBACK,
    LONGEST_START,
    LONGEST_TEXT,
    Button,
    CannotRender,
    Message,
    donation_callback,
    render,
    replaced_text,
    start_token,
    utf16_length,
)
from shared.pair import Channel, Pair, Tier
from tests.pairs import a_pair

EXAMPLE_ID = -1003268562225


def offer(**changes: Any) -> Message:
    return render(a_pair(**changes), Channel.OPEN, bot_username="my_shop_bot")


def request(**changes: Any) -> Message:
    return render(a_pair(**changes), Channel.CLOSED, bot_username="my_shop_bot")


def tier(price: str, days: int = 30) -> Tier:
    return Tier(number=1, price=Decimal(price), days=days)


# --- texts ------------------------------------------------------------------------------------------------------------


def test_the_open_channel_gets_an_offer_with_a_link_for_each_tier() -> None:
    message = offer(
        open_channel_id=EXAMPLE_ID,
        open_channel_title="Harbor",
        open_channel_description="Notes from the quay",
        closed_channel_title="Harbor+",
        closed_channel_description="The long reads",
        sub_1_price=Decimal("5"),
        sub_1_time=30,
        sub_2_price=Decimal("9.99"),
        sub_2_time=90,
        sub_3_price=Decimal("100.50"),
        sub_3_time=365,
    )

    assert message == Message(
        html=(
            "Hello, welcome to <b>Harbor: Notes from the quay</b>\n\n"
            "Choose your Subscription Tier to gain access to <b>Harbor+: The long reads</b>."
        ),
        buttons=(
            Button(text="🥇 $5.00 for 30 days", url="https://t.me/my_shop_bot?start=LTEwMDMyNjg1NjIyMjU=_5d0_30"),
            Button(text="🥈 $9.99 for 90 days", url="https://t.me/my_shop_bot?start=LTEwMDMyNjg1NjIyMjU=_9d99_90"),
            Button(text="🥉 $100.50 for 365 days", url="https://t.me/my_shop_bot?start=LTEwMDMyNjg1NjIyMjU=_100d5_365"),
        ),
    )


def test_the_closed_channel_gets_a_request_with_one_button() -> None:
    message = request(open_channel_id=EXAMPLE_ID, closed_channel_donation_message="Thank you, crew.")

    assert message == Message(
        html="Enjoying the content? Consider making a donation.\n<b>Thank you, crew.</b>",
        buttons=(Button(text="💝 Donate to Support This Channel", callback_data="donate_start_-1003268562225"),),
    )


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_an_empty_description_leaves_no_colon_behind(empty: str) -> None:
    message = offer(
        open_channel_title="Harbor",
        open_channel_description=empty,
        closed_channel_title="Harbor+",
        closed_channel_description=empty,
    )

    assert message.html == (
        "Hello, welcome to <b>Harbor</b>\n\nChoose your Subscription Tier to gain access to <b>Harbor+</b>."
    )


ESCAPED = {"<b>&\"'": "&lt;b&gt;&amp;&quot;&#x27;", "&lt;": "&amp;lt;", "</b>": "&lt;/b&gt;", "a & b": "a &amp; b"}


@pytest.mark.parametrize(("written", "shown"), ESCAPED.items())
def test_everything_a_client_wrote_is_escaped(written: str, shown: str) -> None:
    message = offer(
        open_channel_title=written,
        open_channel_description=written,
        closed_channel_title=written,
        closed_channel_description=written,
    )

    assert message.html.count(f"<b>{shown}: {shown}</b>") == 2
    assert request(closed_channel_donation_message=written).html.endswith(f"\n<b>{shown}</b>")


@pytest.mark.parametrize("text", ["مرحبا بالعالم", "港口筆記", "⚓️👩‍👩‍👧", "e\u0301", "a\u202eb", "Ünï"])
def test_texts_of_every_script_stay_as_they_are(text: str) -> None:
    message = offer(open_channel_title=text, closed_channel_description=text)

    assert message.html.startswith(f"Hello, welcome to <b>{text}: ")
    assert f": {text}</b>." in message.html
    assert request(closed_channel_donation_message=text).html.endswith(f"<b>{text}</b>")


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        ("5", "$5.00"),
        ("9.99", "$9.99"),
        ("10.5", "$10.50"),
        ("99999999.99", "$99999999.99"),
        ("1E+2", "$100.00"),
    ],
)
def test_prices_show_two_decimals(price: str, shown: str) -> None:
    assert offer(sub_1_price=Decimal(price)).buttons[0].text == f"🥇 {shown} for 30 days"


def test_a_tier_without_price_or_days_has_no_button_and_the_others_keep_their_medal() -> None:
    message = offer(sub_1_time=None, sub_2_price=Decimal(7), sub_2_time=None, sub_3_price=Decimal(9), sub_3_time=90)

    assert [button.text for button in message.buttons] == ["🥉 $9.00 for 90 days"]


def test_what_a_message_too_old_to_delete_becomes_differs_by_channel() -> None:
    assert replaced_text(Channel.OPEN) == "This offer has been replaced by a newer one."
    assert replaced_text(Channel.CLOSED) == "This message has been replaced by a newer one."


# --- what cannot be rendered ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "changes", "sentence"),
    [
        (Channel.OPEN, {"sub_1_price": None}, "The pair has no subscription tier with a price and a number of days"),
        (Channel.OPEN, {"open_channel_title": " "}, "The open channel has no title; give it one."),
        (Channel.OPEN, {"closed_channel_title": ""}, "The closed channel has no title; give it one."),
        (Channel.OPEN, {"sub_1_price": Decimal(0)}, "Tier 1: price and days must be above zero."),
        (Channel.OPEN, {"sub_1_price": Decimal(-5)}, "Tier 1: price and days must be above zero."),
        (Channel.OPEN, {"sub_1_price": Decimal("NaN")}, "Tier 1: price and days must be above zero."),
        (Channel.OPEN, {"sub_1_price": Decimal("Infinity")}, "Tier 1: price and days must be above zero."),
        (Channel.OPEN, {"sub_1_time": 0}, "Tier 1: price and days must be above zero."),
        (Channel.OPEN, {"sub_1_price": Decimal("1E+60")}, "Tier 1: its link would be longer than Telegram allows"),
        (Channel.CLOSED, {"closed_channel_donation_message": "\n "}, "The donation message of the closed channel is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_rendered_is_said_in_a_sentence_for_the_owner(
    channel: Channel, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CannotRender) as error:
        render(a_pair(**changes), channel, bot_username="b")

    assert str(error.value).startswith(sentence)


@pytest.mark.parametrize("unit", ["x", "港", "&", "<", "😀"])
def test_a_text_may_be_as_long_as_telegram_takes_in_utf16_units_of_what_is_seen(unit: str) -> None:
    lead = "Enjoying the content? Consider making a donation.\n"
    fits = (LONGEST_TEXT - len(lead)) // utf16_length(unit)

    message = request(closed_channel_donation_message=unit * fits)

    assert message.buttons
    with pytest.raises(CannotRender, match=f"characters long and Telegram takes at most {LONGEST_TEXT}"):
        request(closed_channel_donation_message=unit * (fits + 1))


def test_an_offer_is_measured_as_a_whole() -> None:
    rest = utf16_length("Hello, welcome to H: \n\nChoose your Subscription Tier to gain access to H.")
    short = {"open_channel_title": "H", "closed_channel_title": "H", "closed_channel_description": ""}

    offer(**short, open_channel_description="x" * (LONGEST_TEXT - rest))

    with pytest.raises(CannotRender, match="The offer is 4097 characters long"):
        offer(**short, open_channel_description="x" * (LONGEST_TEXT - rest + 1))


@given(st.text())
def test_length_is_counted_in_utf16_units(text: str) -> None:
    assert utf16_length(text) == sum(2 if ord(c) > 0xFFFF else 1 for c in text)


# --- deep links -------------------------------------------------------------------------------------------------------


def payment_bot(token: str) -> tuple[str, float, int]:
    """The bot in service: strict about padding, and a `-` anywhere means another kind of command."""
    if "-" in token:
        raise ValueError("taken for chat-channel-cmd")
    hashed, _, rest = token.partition("_")
    channel = urlsafe_b64decode(hashed).decode()
    if rest == "DONATE":
        raise ValueError("taken for a donation")
    price, _, days = rest.rpartition("_")
    return channel, float(price.replace("d", ".")), int(days)


def command_bot(token: str) -> tuple[str, float, int]:
    """The other decoder: splits at every underscore, adds padding of its own."""
    parts = token.split("_")
    if len(parts) < 3:
        raise ValueError("not a subscription")
    return urlsafe_b64decode(parts[0] + "==").decode(), float(parts[1].replace("d", ".")), int(parts[2])


@pytest.mark.parametrize(
    ("price", "token"),
    [
        ("5", "LTEwMDMyNjg1NjIyMjU=_5d0_30"),
        ("5.00", "LTEwMDMyNjg1NjIyMjU=_5d0_30"),
        ("9.99", "LTEwMDMyNjg1NjIyMjU=_9d99_30"),
        ("10.5", "LTEwMDMyNjg1NjIyMjU=_10d5_30"),
        ("10.05", "LTEwMDMyNjg1NjIyMjU=_10d05_30"),
        ("0.5", "LTEwMDMyNjg1NjIyMjU=_0d5_30"),
        ("1000", "LTEwMDMyNjg1NjIyMjU=_1000d0_30"),
    ],
)
def test_a_token_is_the_id_in_base64_with_padding_the_price_with_d_for_the_point_and_the_days(
    price: str, token: str
) -> None:
    assert start_token(EXAMPLE_ID, tier(price)) == token


@given(
    channel=st.integers(-(10**13), 10**13),
    cents=st.integers(1, 9_999_999_999),
    days=st.integers(1, 32767),
    decoder=st.sampled_from([payment_bot, command_bot]),
)
def test_both_decoders_read_every_token_back(channel: int, cents: int, days: int, decoder: Any) -> None:
    price = Decimal(cents) / 100

    token = start_token(channel, tier(str(price), days))

    assert decoder(token) == (str(channel), float(price), days)


@given(channel=st.integers(-(10**13), 10**13), cents=st.integers(1, 9_999_999_999), days=st.integers(1, 32767))
def test_every_token_fits_and_holds_nothing_that_a_link_would_change(channel: int, cents: int, days: int) -> None:
    token = start_token(channel, tier(str(Decimal(cents) / 100), days))

    assert len(token) <= LONGEST_START
    assert all(c.isascii() and (c.isalnum() or c in "_=") for c in token)


def test_a_token_too_long_for_telegram_is_an_error_and_never_cut() -> None:
    days = 10 ** (LONGEST_START - len("LTEwMDMyNjg1NjIyMjU=_5d0_") - 1)

    assert len(start_token(EXAMPLE_ID, tier("5", days))) == LONGEST_START
    with pytest.raises(CannotRender, match="Tier 1: its link would be longer"):
        start_token(EXAMPLE_ID, tier("5", days * 10))


# --- callback data ----------------------------------------------------------------------------------------------------


def prefix_replaced(data: str) -> str:
    assert data.startswith("donate_start_")
    return data.replace("donate_start_", "")


def underscores_split(data: str) -> str:
    parts = data.split("_")
    assert len(parts) >= 3
    return "_".join(parts[2:])


@pytest.mark.parametrize("decoder", [prefix_replaced, underscores_split])
@given(channel=st.integers(-(10**13), 10**13))
def test_both_decoders_read_the_open_channel_from_the_donation_button(decoder: Any, channel: int) -> None:
    assert decoder(donation_callback(channel)) == str(channel)


def test_the_button_in_the_closed_channel_carries_the_open_channels_id() -> None:
    pair: Pair = a_pair()

    data = render(pair, Channel.CLOSED, bot_username="b").buttons[0].callback_data

    assert data == f"donate_start_{pair.open_channel_id}"


def test_a_moved_channel_keeps_its_id_in_links_and_buttons() -> None:
    moved = a_pair(open_channel_id=EXAMPLE_ID, open_chat_id=-1009999999999, closed_chat_id=-1008888888888)

    assert "LTEwMDMyNjg1NjIyMjU=" in (render(moved, Channel.OPEN, bot_username="b").buttons[0].url or "")
    assert render(moved, Channel.CLOSED, bot_username="b").buttons[0].callback_data == "donate_start_-1003268562225"


def test_callback_data_of_64_bytes_is_taken_and_of_65_is_an_error() -> None:
    longest = 10 ** (LONGEST_CALLBACK - len("donate_start_") - 1)

    assert len(donation_callback(longest)) == LONGEST_CALLBACK
    with pytest.raises(CannotRender, match="too long for the donation button"):
        donation_callback(longest * 10)
