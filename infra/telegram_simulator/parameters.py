"""Parameters of a call: every value is text, whatever way it came."""

from collections.abc import Mapping

import msgspec

from infra.telegram_simulator.refusals import Refused, bad_request

Value = str | int | float | bool | None | list["Value"] | dict[str, "Value"]


def as_text(name: str, value: object) -> str:
    """One value as the Bot API server sees it: a string as it is, anything else as its JSON (HttpReader.cpp).

    So a JSON null is the text "null", not an absent parameter. TypeError for what JSON cannot hold.
    """
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | int | float | list | tuple | dict):
        return msgspec.json.encode(value).decode()
    raise TypeError(f"parameter {name} cannot be sent to the Bot API: {type(value).__name__}")


class Parameters:
    """The named texts of one call; an absent one is empty, as in the server."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = {name: as_text(name, value) for name, value in values.items()}

    def text(self, name: str) -> str:
        """The value, or ""."""
        return self._values.get(name, "")

    def flag(self, name: str) -> bool:
        """True for "true", "yes" and "1" in any letter case; anything else is false (Client.cpp, to_bool)."""
        value = self._values.get(name)
        return value is not None and value.strip().lower() in ("true", "yes", "1")

    def message_id(self, name: str = "message_id") -> int:
        """0 when absent, negative or no number (Client.cpp, get_message_id)."""
        value = self._values.get(name, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 10 else 0

    def message_ids(self, name: str = "message_ids") -> list[int]:
        """A JSON array of 1 to 100 ids, each a number or a string of digits (Client.cpp, get_message_ids)."""
        raw = self._values.get(name, "")
        if not raw:
            raise bad_request("Message identifiers are not specified")
        try:
            value = msgspec.json.decode(raw.encode())
        except msgspec.DecodeError:
            raise bad_request(f"Can't parse {name} JSON object") from None
        if not isinstance(value, list):
            raise bad_request("Expected an Array of message identifiers")
        if len(value) > 100:
            raise bad_request("Too many message identifiers specified")
        if not value:
            raise bad_request("Message identifiers are not specified")
        return [_one_id(item) for item in value]

    def check_encoding(self) -> None:
        """Refused when a value has half a surrogate pair: it could not have travelled as UTF-8."""
        for value in self._values.values():
            if not value.isascii():
                try:
                    value.encode()
                except UnicodeEncodeError:
                    raise bad_request("Strings must be encoded in UTF-8") from None

    def check_link_preview(self) -> None:
        """Refused when `link_preview_options` is not what the Bot API docs describe."""
        raw = self._values.get("link_preview_options")
        if not raw:
            return
        try:
            options = msgspec.json.decode(raw.encode())
        except msgspec.DecodeError:
            raise bad_request("Can't parse link preview options JSON object") from None
        if not isinstance(options, dict):
            raise bad_request("Object expected as link preview options")
        for field in ("is_disabled", "prefer_small_media", "prefer_large_media", "show_above_text"):
            if not isinstance(options.get(field, False), bool):
                raise bad_request(f'Field "{field}" must be of type Boolean')
        if not isinstance(options.get("url", ""), str):
            raise bad_request('Field "url" must be of type String')


def _one_id(item: object) -> int:
    if isinstance(item, bool) or not isinstance(item, int | float | str):
        raise bad_request("Message identifier must be a Number")
    try:
        number = int(str(item))
    except ValueError:
        raise _not_a_number() from None
    if not -(2**31) <= number < 2**31:
        raise _not_a_number()
    if number <= 0:
        raise bad_request("Invalid message identifier specified")
    return number


def _not_a_number() -> Refused:
    return bad_request("Can't parse message identifier as a Number")
