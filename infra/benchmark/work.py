"""The work every sender is given: the two messages of so many pairs, each to a channel of its own."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from infra.benchmark.owner import CLIENT
from infra.benchmark.telegram_process import BOT
from shared.messages import render
from shared.pair import Channel, Pair, new_pair_id

FIRST_OPEN, FIRST_CLOSED = -1001000000000, -1002000000000


def pairs(count: int) -> list[Pair]:
    """So many pairs with three tiers each; none was ever sent, and none is due within a day."""
    now = datetime.now(UTC)
    return [_pair(number, now) for number in range(count)]


def chats(pairs: Sequence[Pair]) -> list[int]:
    """All their chats; each is to get one message."""
    return [pair.chat(channel) for pair in pairs for channel in Channel]


def messages(pairs: Sequence[Pair]) -> list[dict[str, object]]:
    """The same messages as parameters of sendMessage: what a sender that knows no pairs is given."""
    return [_parameters(pair, channel) for pair in pairs for channel in Channel]


def _pair(number: int, now: datetime) -> Pair:
    open_id, closed_id = FIRST_OPEN - number, FIRST_CLOSED - number
    return Pair(
        id=new_pair_id(open_id),
        client_id=CLIENT,
        open_channel_id=open_id,
        closed_channel_id=closed_id,
        open_chat_id=open_id,
        closed_chat_id=closed_id,
        open_channel_title=f"Harbor & quay {number}",
        open_channel_description="Notes from the waterside, every weekday",
        closed_channel_title=f"Harbor {number} <inside>",
        closed_channel_description="The long reads",
        closed_channel_donation_message="Every coffee keeps the lamps burning.",
        sub_1_price=Decimal("5.00"),
        sub_1_time=7,
        sub_2_price=Decimal("15.00"),
        sub_2_time=30,
        sub_3_price=Decimal("120.00"),
        sub_3_time=365,
        next_send_time=now + timedelta(days=1),
        created_at=now,
        updated_at=now,
    )


def _parameters(pair: Pair, channel: Channel) -> dict[str, object]:
    message = render(pair, channel, bot_username=BOT)
    rows = [[{"text": b.text, **_action(b.url, b.callback_data)}] for b in message.buttons]
    return {
        "chat_id": pair.chat(channel),
        "text": message.html,
        "parse_mode": "HTML",
        "reply_markup": {"inline_keyboard": rows},
    }


def _action(url: str | None, callback_data: str | None) -> dict[str, str | None]:
    return {"url": url} if url is not None else {"callback_data": callback_data}
