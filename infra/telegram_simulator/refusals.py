"""How Telegram says no: one exception, and the rule by which the server turns an inner error into a description."""

from collections.abc import Mapping


class Refused(Exception):
    """Raised when the Bot API would answer `ok: false`.

    `description` is complete ("Bad Request: chat not found"); `parameters` are the machine-readable part
    (`retry_after` in whole seconds, `migrate_to_chat_id`).
    """

    def __init__(self, status: int, description: str, parameters: Mapping[str, int] | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = dict(parameters or {})


def bad_request(message: str) -> Refused:
    """A 400 in the words of the server for TDLib's `message`.

    The first letter is lowered unless the second is "_" or a capital, so raw codes such as BUTTON_URL_INVALID
    stay (telegram-bot-api Client.cpp, fail_query_with_error).
    """
    keeps_case = len(message) > 1 and (message[1] == "_" or "A" <= message[1] <= "Z")
    return Refused(400, "Bad Request: " + (message if keeps_case else message[:1].lower() + message[1:]))


def forbidden(message: str) -> Refused:
    """A 403; `message` is what follows "Forbidden: "."""
    return Refused(403, "Forbidden: " + message)


def too_many_requests(retry_after: int) -> Refused:
    """A 429 asking to wait `retry_after` whole seconds (telegram-bot-api Query.cpp, set_retry_after_error)."""
    return Refused(429, f"Too Many Requests: retry after {retry_after}", {"retry_after": retry_after})
