"""Pairs for tests."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.pair import Pair, new_pair_id
from tests.clocks import NOON

OWNER = "8dcdf36a-dbde-52a4-a034-ed11820e0506"
OUTSIDER = "980d37eb-e3c7-51da-8456-b67c003dd836"


def a_pair(number: int = 1, *, now: datetime = NOON, **changes: Any) -> Pair:
    """A pair with one tier, due now; `number` gives it channels of its own."""
    open_id, closed_id = -1001000000000 - number, -1002000000000 - number
    fields: dict[str, Any] = {
        "id": new_pair_id(open_id),
        "client_id": OWNER,
        "open_channel_id": open_id,
        "closed_channel_id": closed_id,
        "open_chat_id": open_id,
        "closed_chat_id": closed_id,
        "open_channel_title": f"Harbor {number}",
        "open_channel_description": "Notes from the quay",
        "closed_channel_title": f"Harbor {number}+",
        "closed_channel_description": "The long reads",
        "closed_channel_donation_message": "Thank you, crew.",
        "sub_1_price": Decimal("5.00"),
        "sub_1_time": 30,
        "next_send_time": now,
        "created_at": now,
        "updated_at": now,
    }
    return Pair(**{**fields, **changes})
