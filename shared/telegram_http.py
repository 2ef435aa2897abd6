"""The Bot API over HTTP, with connections kept alive.

A request's fate is unknown only once it began to leave, so the connection itself notes that moment; everything before it (name
look-up, connect, TLS) is safe to try again.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock, local
from typing import Any

import msgspec
import requests
from requests.adapters import HTTPAdapter
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util import Timeout

from shared.messages import Button, Message
from shared.pair import Fault
from shared.telegram import Bot, BotUnusable, NotDelivered, Outcome, Refused, Unconfirmed
from shared.telegram_answers import read_answer

CONNECT_SECONDS = 5.0
CALL_SECONDS = 45.0
"""The whole call. The Bot API server itself holds a call back up to 8 s before it answers 429 (tdlib/td, NetQueryCreator.cpp)."""
READ_SECONDS = 40.0
TIME_LIMITS = Timeout(total=CALL_SECONDS, connect=CONNECT_SECONDS, read=READ_SECONDS)
IDLE_SECONDS = 30.0
"""Connections unused for longer are not trusted: a box on the way may have forgotten them without a word."""
WELL_FORMED = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")

_call = local()


class _NotesDeparture:
    """Mixed into a connection: notes that bytes of the request began to leave."""

    sock: Any

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]  # the connection class this is mixed into has it
        _call.left = True
        super().send(data)  # type: ignore[misc]  # likewise


class _Http(_NotesDeparture, HTTPConnection):
    pass


class _Https(_NotesDeparture, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class _Adapter(HTTPAdapter):
    """No retries of its own; pools whose connections note the departure."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


class TelegramHttp:
    """The Bot API at `<url>/bot<token>/<method>`. Safe to use from several threads.

    `token` is asked for at each call, so that it can change while running.
    """

    def __init__(
        self,
        url: str,
        token: Callable[[], str],
        *,
        connections: int = 32,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._token = token
        self._monotonic = monotonic
        self._session = requests.Session()
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=connections, max_retries=0)
        self._session.mount("http://", self._adapter)
        self._session.mount("https://", self._adapter)
        self._idle_lock = Lock()
        self._last_call = monotonic()

    def send_message(self, chat: int, message: Message) -> Outcome:
        """Post a message; Sent is the only success."""
        keyboard = [[_button(button)] for button in message.buttons]
        parameters = {
            "chat_id": chat,
            "text": message.html,
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
            "reply_markup": {"inline_keyboard": keyboard},
        }
        return self._outcome("sendMessage", parameters, sends=True)

    def delete_messages(self, chat: int, message_ids: Sequence[int]) -> Outcome:
        """Delete up to 100 messages; those already gone are skipped (Bot API, deleteMessages)."""
        return self._outcome("deleteMessages", {"chat_id": chat, "message_ids": list(message_ids)}, sends=False)

    def edit_text(self, chat: int, message_id: int, text: str) -> Outcome:
        """Replace a message's text; leaving the keyboard out takes it away (Bot API, editMessageText)."""
        return self._outcome("editMessageText", {"chat_id": chat, "message_id": message_id, "text": text}, sends=False)

    def get_me(self) -> Bot | Outcome:
        """Who the bot is."""
        answer = self._post("getMe", {})
        if not isinstance(answer, tuple):
            return answer
        status, body = answer
        result = body.get("result") if body is not None and body.get("ok") is True else None
        if isinstance(result, Mapping) and isinstance(result.get("id"), int) and result.get("username"):
            return Bot(result["id"], str(result["username"]))
        outcome = read_answer(status, body, sends=False)
        return outcome if result is None else Refused("getMe answered without an id and a username", Fault.UNKNOWN)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _outcome(self, method: str, parameters: Mapping[str, Any], *, sends: bool) -> Outcome:
        answer = self._post(method, parameters)
        return read_answer(*answer, sends=sends) if isinstance(answer, tuple) else answer

    def _post(self, method: str, parameters: Mapping[str, Any]) -> tuple[int, Mapping[str, Any] | None] | Outcome:
        token = self._token()
        if not WELL_FORMED.fullmatch(token):
            return BotUnusable("BOT_TOKEN is not a bot token, which looks like 123456789:AbCdEf…")
        self._drop_idle_connections()
        _call.left = False
        try:
            response = self._session.post(
                f"{self._url}/bot{token}/{method}",
                data=msgspec.json.encode(parameters),
                headers={"Content-Type": "application/json"},
                timeout=TIME_LIMITS,  # type: ignore[arg-type]  # requests hands urllib3's own Timeout on
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return _failed(error, left=_call.left)
        return response.status_code, _json_object(response.content)

    def _drop_idle_connections(self) -> None:
        with self._idle_lock:
            now = self._monotonic()
            if now - self._last_call > IDLE_SECONDS:
                self._adapter.poolmanager.clear()
            self._last_call = now


def _failed(error: requests.RequestException, *, left: bool) -> Outcome:
    """The text is made from the error's kind alone: its message would hold the URL, and so the token."""
    if left:
        if isinstance(error, requests.Timeout):
            return Unconfirmed("Telegram did not answer in time")
        return Unconfirmed(f"the connection broke after the request had left ({_kind(error)})")
    if isinstance(error, requests.ConnectTimeout):
        return NotDelivered(f"no connection to Telegram within {CONNECT_SECONDS:.0f} s")
    return NotDelivered(f"no connection to Telegram ({_kind(error)})")


def _kind(error: BaseException) -> str:
    """The innermost cause's class name, such as ConnectionRefusedError."""
    seen = error
    while seen.args and isinstance(getattr(seen.args[0], "reason", None) or seen.args[0], BaseException):
        seen = getattr(seen.args[0], "reason", None) or seen.args[0]
    inner = seen.__cause__ or seen.__context__
    return type(inner or seen).__name__


def _json_object(raw: bytes) -> Mapping[str, Any] | None:
    try:
        body = msgspec.json.decode(raw)
    except msgspec.MsgspecError:
        return None
    return body if isinstance(body, dict) else None


def _button(button: Button) -> dict[str, str]:
    action = {"url": button.url, "callback_data": button.callback_data}
    return {"text": button.text, **{name: value for name, value in action.items() if value is not None}}
