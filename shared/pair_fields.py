"""What an owner says of a pair, read from text fields: its channels, texts, tiers and notification. Pure.

A row of a CSV and the body of a request are read by the same rules; they are those of the table `main_clients_database`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from shared import fields
from shared.fields import FieldError

T = TypeVar("T")

EDITABLE = (
    "open_channel_title",
    "open_channel_description",
    "closed_channel_title",
    "closed_channel_description",
    "closed_channel_donation_message",
    "sub_1_price",
    "sub_1_time",
    "sub_2_price",
    "sub_2_time",
    "sub_3_price",
    "sub_3_time",
    "notification_status",
    "notification_id",
)
"""What may change while the pair goes on."""
ELSEWHERE = frozenset(
    {
        "tier_count",
        "client_wallet_address",
        "client_payout_currency",
        "client_payout_network",
        "payout_strategy",
        "payout_threshold_usd",
        "payout_threshold_updated_at",
        "accumulated_amount",
        "client_id",
        "broadcast_id",
        "updated_at",
        "id",
    }
)
"""Keys of the website's records that are kept, or decided, elsewhere: taken without a word, and not stored."""
KNOWN = frozenset({"open_channel_id", "closed_channel_id", "created_by", *EDITABLE}) | ELSEWHERE


@dataclass(frozen=True)
class Refusal:
    """A field that cannot be used, and why."""

    field: str
    error: str


class FieldReader:
    """Fields read one by one; what cannot be used is collected, at most once a field."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.refused: list[Refusal] = []

    def text(self, field: str) -> str:
        """The field as it stands; empty if there is none."""
        return self._values.get(field, "")

    def get(self, field: str, parse: Callable[[str], T]) -> T | None:
        """The field's value, or None and a refusal."""
        try:
            return parse(self.text(field))
        except FieldError as error:
            self.refuse(field, str(error))
            return None

    def refuse(self, field: str, reason: str) -> None:
        """This field cannot be used."""
        if all(refusal.field != field for refusal in self.refused):
            self.refused.append(Refusal(field, reason))


def from_json(record: Mapping[str, Any]) -> FieldReader:
    """A reader of a JSON object; null is empty. What is no text, number or truth value, and unknown keys, are refused."""
    values: dict[str, str] = {}
    refused: list[Refusal] = []
    for field, value in record.items():
        if field not in KNOWN:
            refused.append(Refusal(fields.shown(field), "is not a field of a channel; check its spelling"))
        elif field in ELSEWHERE:
            continue
        elif value is None or isinstance(value, str | bool | int | float):
            values[field] = _as_text(value)
        else:
            refused.append(Refusal(field, "is neither a text nor a number"))
    reader = FieldReader(values)
    reader.refused += refused
    return reader


def _as_text(value: str | bool | int | float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, float):
        decimal = Decimal(repr(value))
        return f"{decimal:f}" if decimal.is_finite() else repr(value)
    return str(value).strip()


def pair_fields(reader: FieldReader) -> dict[str, Any]:
    """Every field of a pair that its owner decides; None for those the reader refused."""
    open_id = reader.get("open_channel_id", fields.channel_id)
    closed_id = reader.get("closed_channel_id", fields.channel_id)
    if open_id is not None and open_id == closed_id:
        reader.refuse(
            "closed_channel_id", f"{closed_id} is the open channel as well; the pair needs two different channels"
        )
    values: dict[str, Any] = {
        "open_channel_id": open_id,
        "closed_channel_id": closed_id,
        "created_by": reader.get("created_by", fields.creator),
        "open_channel_title": reader.get("open_channel_title", fields.title),
        "open_channel_description": reader.get("open_channel_description", fields.description),
        "closed_channel_title": reader.get("closed_channel_title", fields.title),
        "closed_channel_description": reader.get("closed_channel_description", fields.description),
        "closed_channel_donation_message": reader.get("closed_channel_donation_message", fields.donation_message),
    }
    for number in (1, 2, 3):
        values |= _tier(reader, number)
    return values | _notification(reader)


def _tier(reader: FieldReader, number: int) -> dict[str, Any]:
    price, time = f"sub_{number}_price", f"sub_{number}_time"
    has_price, has_time = bool(reader.text(price)), bool(reader.text(time))
    if not has_price and not has_time:
        if number == 1:
            reader.refuse(price, "tier 1 is empty; the pair needs at least one tier with a price and a number of days")
        return {price: None, time: None}
    if not has_time:
        reader.refuse(time, f"is empty though tier {number} has a price; write its days, or leave both empty")
    if not has_price:
        reader.refuse(
            price, f"is empty though tier {number} has a number of days; write its price, or leave both empty"
        )
    return {
        price: reader.get(price, fields.price) if has_price else None,
        time: reader.get(time, fields.days) if has_time else None,
    }


def _notification(reader: FieldReader) -> dict[str, Any]:
    on = reader.get("notification_status", fields.boolean) if reader.text("notification_status") else False
    known = None
    if on is not None:
        known = reader.get("notification_id", lambda text: fields.notification_id(text, on=on))
    return {"notification_status": on, "notification_id": known}
