"""Faults on order: what the next calls shall meet instead of, or on top of, an honest answer."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Literal

import msgspec

from infra.telegram_simulator.replies import Action, Reply, error

Effect = Literal[
    "answer",  # refuse with the given status; nothing is accepted
    "drop_before",  # close the connection, nothing is accepted
    "silence",  # never answer, nothing is accepted
    "delay_before",  # wait, then treat the call as if it came only now
    "delay_after",  # accept, then wait before answering
    "drop_after",  # accept, then close the connection without an answer
    "accept_then_answer",  # accept, then answer with the given status as if it had failed
    "accept_then_silence",  # accept, then never answer
]
_AFTER = frozenset({"delay_after", "drop_after", "accept_then_answer", "accept_then_silence"})
_DELAYS = frozenset({"delay_before", "delay_after"})
_ANSWERS = frozenset({"answer", "accept_then_answer"})


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault: what happens, to whom, how often.

    It meets calls that match `chat_id` and `method` (None: any), `times` of them (None: until cleared). Effects after
    accepting meet only calls that succeed: one that is refused anyway gets its honest refusal and uses up nothing.
    An answer is the JSON Telegram would send (`description`, `parameters`) unless `body` gives it whole, such as the
    HTML of a gateway. `seconds` is the wait of the two delays.
    """

    effect: Effect
    times: int | None = 1
    chat_id: int | None = None
    method: str | None = None
    status: int = 500
    description: str | None = None
    parameters: dict[str, int] = {}
    body: str | None = None
    content_type: str = "text/html"
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise ValueError(f"times must be at least 1, or null for a lasting fault, not {self.times}")
        if self.effect in _DELAYS and self.seconds <= 0:
            raise ValueError(f"{self.effect} needs seconds above 0")
        if self.effect in _ANSWERS and not 200 <= self.status <= 599:
            raise ValueError(f"status must be 200 to 599, not {self.status}")

    def reply(self) -> Reply:
        """The scripted answer of an effect that has one."""
        if self.body is not None:
            return Reply(self.status, self.body.encode(), (("Content-Type", self.content_type),))
        if self.description is not None:
            description = self.description
        elif "retry_after" in self.parameters:
            description = f"Too Many Requests: retry after {self.parameters['retry_after']}"
        else:
            description = HTTPStatus(self.status).phrase
        return error(self.status, description, self.parameters)

    def applied_to(self, honest: Reply) -> Reply:
        """What becomes of the honest answer to an accepted call."""
        match self.effect:
            case "delay_after":
                return msgspec.structs.replace(honest, delay_seconds=honest.delay_seconds + self.seconds)
            case "accept_then_answer":
                return self.reply()
            case "drop_after":
                return msgspec.structs.replace(honest, action=Action.DROP)
            case "accept_then_silence":
                return msgspec.structs.replace(honest, action=Action.SILENCE)
            case _:
                return honest

    def instead(self) -> Reply:
        """What a call meets that is never accepted (effects `answer`, `drop_before`, `silence`)."""
        if self.effect == "answer":
            return self.reply()
        return Reply(0, b"", (), Action.DROP if self.effect == "drop_before" else Action.SILENCE)


class ScriptBook:
    """The faults still to come, in the order they were given."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Script, int | None]] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Script]:
        return (script for script, _ in self._waiting)

    def add(self, script: Script) -> None:
        """Put one more at the end."""
        self._waiting.append((script, script.times))

    def clear(self, chat_id: int | None = None) -> None:
        """Forget the faults of one chat, or all."""
        self._waiting = [entry for entry in self._waiting if chat_id is not None and entry[0].chat_id != chat_id]

    def before(self, chat_id: int | None, method: str) -> Script | None:
        """Use up the first fault for a call that has just arrived."""
        return self._take(False, chat_id, method)

    def after(self, chat_id: int | None, method: str) -> Script | None:
        """Use up the first fault for a call that has just been accepted."""
        return self._take(True, chat_id, method)

    def _take(self, after: bool, chat_id: int | None, method: str) -> Script | None:
        for index, (script, left) in enumerate(self._waiting):
            if (script.effect in _AFTER) is not after:
                continue
            if script.chat_id not in (None, chat_id) or (script.method or method).lower() != method:
                continue
            if left is not None:
                self._waiting[index : index + 1] = [(script, left - 1)] if left > 1 else []
            return script
        return None
