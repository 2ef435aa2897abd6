"""One field of a pair, written as text, as a value: what the tables' own checks allow, and a sentence for everything else.

Pure. Each function raises FieldError with what is wrong and what to do.
"""

import re
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from shared.clock import aware
from shared.runs import LONGEST_ERROR

HIGHEST_PRICE = Decimal("99999999.99")
LONGEST_TIME = 32767
"""Days; the table's column is a smallint."""
HIGHEST_COUNT = 2**31 - 1

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_CHANNEL = re.compile(r"-[1-9][0-9]{4,12}", re.ASCII)
_POSITIVE_CHANNEL = re.compile(r"[1-9][0-9]{4,13}", re.ASCII)
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""Control characters, lone surrogates, and what embeds, overrides or isolates a direction of writing."""
_BOOLEANS = {"t": True, "true": True, "f": False, "false": False}


class FieldError(ValueError):
    """Raised when a field cannot be used; the text is the reason of its defect."""


def shown(text: str, longest: int = 40) -> str:
    """A value as a sentence quotes it: cut short, and with nothing in it that could disturb a terminal."""
    return escaped(repr(text if len(text) <= longest else text[:longest] + "…"))


def escaped(text: str) -> str:
    """The text with control and direction characters written as escapes."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def channel_id(text: str) -> int:
    """A channel's id as the Bot API writes it: negative, 5 to 14 characters."""
    if not text:
        raise FieldError("is empty; write the channel's id, a number that starts with -100")
    if _CHANNEL.fullmatch(text):
        return int(text)
    if text.startswith("@"):
        raise FieldError(f"{shown(text)} is a channel's name; write its id, a number that starts with -100")
    if _POSITIVE_CHANNEL.fullmatch(text):
        raise FieldError(f"{text} is positive; a channel's id is negative and starts with -100")
    raise FieldError(f"{shown(text)} is not a channel's id; it should start with -100 and have at most 14 characters")


def uuid(text: str, what: str) -> str:
    """A UUID in its usual form, in lower case."""
    if not text:
        raise FieldError(f"is empty; write {what}, a UUID")
    if not _UUID.fullmatch(text.lower()):
        raise FieldError(f"{shown(text)} is not a UUID; write {what}, such as 8dcdf36a-dbde-52a4-a034-ed11820e0506")
    return str(UUID(text))


def title(text: str) -> str:
    """One line of 1 to 30 characters."""
    value = _text(text, longest=30, lines=False)
    if _blank(value):
        raise FieldError("is empty; give the channel a title")
    return value


def description(text: str) -> str:
    """Up to 140 characters; may be empty."""
    return _text(text, longest=140, lines=True)


def donation_message(text: str) -> str:
    """1 to 256 characters."""
    value = _text(text, longest=256, lines=True)
    if _blank(value):
        raise FieldError("is empty; write what asks the subscribers for a donation")
    return value


def creator(text: str) -> str | None:
    """The name of whoever registered the pair, up to 50 characters."""
    return _text(text, longest=50, lines=False) or None


def price(text: str) -> Decimal:
    """Dollars, above zero, with two decimals."""
    if re.fullmatch(r"[0-9]+,[0-9]{1,2}", text):
        raise FieldError(f"{shown(text)} has a comma; write a point: {text.replace(',', '.')}")
    if not _NUMBER.fullmatch(text):
        raise FieldError(f"{shown(text)} is not a price; write a number with a point, such as 9.99")
    value = Decimal(text)
    if value <= 0:
        raise FieldError(f"{shown(text)} is not above zero; write a price above 0.00")
    if value > HIGHEST_PRICE:
        raise FieldError(f"{shown(text)} is too high; the highest price is {HIGHEST_PRICE}")
    if value != value.quantize(Decimal("0.01")):
        raise FieldError(f"{shown(text)} has more than two decimals; round it to cents")
    return value.quantize(Decimal("0.01"))


def days(text: str) -> int:
    """A subscription's length in days, 1 to 32767."""
    if not _WHOLE.fullmatch(text):
        raise FieldError(f"{shown(text)} is not a whole number of days; write one between 1 and {LONGEST_TIME}")
    if not 1 <= int(text) <= LONGEST_TIME:
        raise FieldError(f"{text} days is out of range; write a number between 1 and {LONGEST_TIME}")
    return int(text)


def boolean(text: str) -> bool:
    """As psql writes it: t or f."""
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise FieldError(f"{shown(text)} is neither true nor false; write t or f") from None


def notification_id(text: str, *, on: bool) -> int | None:
    """The Telegram user to notify, 5 to 15 digits; asked for only while notifications are on."""
    if on and not text:
        raise FieldError(
            "is empty while notification_status is t; write a Telegram user id of 5 to 15 digits, or set it f"
        )
    if re.fullmatch(r"[1-9][0-9]{4,14}", text):
        return int(text)
    if on or (text and not _WHOLE.fullmatch(text)):
        raise FieldError(f"{shown(text)} is not a Telegram user id; write 5 to 15 digits")
    return None


def count(text: str) -> int:
    """A counter; empty is 0."""
    if not text:
        return 0
    if not _WHOLE.fullmatch(text) or not 0 <= int(text) <= HIGHEST_COUNT:
        raise FieldError(f"{shown(text)} is not a count; write a whole number, 0 or more")
    return int(text)


def message_id(text: str) -> int | None:
    """A Telegram message's id, or None."""
    if not text:
        return None
    if not _WHOLE.fullmatch(text) or int(text) < 1:
        raise FieldError(f"{shown(text)} is not a message's id; write a whole number above 0, or leave it empty")
    return int(text)


def moment(text: str, *, naive_is_utc: bool = False) -> datetime | None:
    """A time with its zone, in UTC; None if empty. `naive_is_utc` is for the columns that are stored without a zone."""
    if not text:
        return None
    try:
        value = datetime.fromisoformat(text)
        if naive_is_utc and value.tzinfo is None:
            value = value.replace(tzinfo=UTC)
        return aware(value).astimezone(UTC)
    except OverflowError:
        raise FieldError(f"{shown(text)} is outside the calendar; write a time between the years 1 and 9999") from None
    except ValueError as error:
        if "no time zone" in str(error):
            raise FieldError(f"{shown(text)} has no time zone; add one, such as {text}+00") from None
        raise FieldError(f"{shown(text)} is not a time; write it as 2025-11-13 00:00:07+00") from None


def error_message(text: str) -> str | None:
    """An error as the table keeps it; what cannot be printed becomes a space."""
    return _UNPRINTABLE.sub(" ", text)[:LONGEST_ERROR] or None


def _text(text: str, *, longest: int, lines: bool) -> str:
    text = text.replace("\r\n", "\n")
    bad = sorted(set(_UNPRINTABLE.findall(text)) - set("\n\t" if lines else ""))
    if bad:
        names = ", ".join(f"U+{ord(c):04X}" for c in bad[:5])
        raise FieldError(
            f"has {names}: control characters, and characters that turn the direction of writing, are not allowed; delete them"
        )
    if len(text) > longest:
        raise FieldError(f"has {len(text)} characters and at most {longest} are allowed; shorten it")
    return text


def _blank(text: str) -> bool:
    """Whether nothing in the text can be seen: Telegram refuses such a message."""
    return not any(unicodedata.category(c)[0] not in "CZ" for c in text)
