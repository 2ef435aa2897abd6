"""The Bot API over HTTP, with connections kept alive.

A request's fate is unknown only once it began to leave, so the connection itself notes that moment; everything before it (name
look-up, connect, TLS) is safe to try again.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from threading import Lock, local
from typing import Any

import msgspec
import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ReadTimeoutError
from urllib3.util import Timeout
from urllib3.util.proxy import connection_requires_http_tunnel

from shared.messages import Button, Message
from shared.pair import Fault
from shared.settings import BOT_TOKEN, PAID_BROADCAST, TELEGRAM_API_URL, Settings
from shared.telegram import (
    Bot,
    BotUnusable,
    Done,
    Membership,
    NotDelivered,
    Outcome,
    Refused,
    TooLate,
    Unconfirmed,
)
from shared.telegram_answers import read_answer

CONNECT_SECONDS = 5.0
CALL_SECONDS = 45.0
"""The whole call. The Bot API server itself holds a call back up to 8 s before it answers 429 (tdlib/td, NetQueryCreator.cpp)."""
READ_SECONDS = 40.0
TIME_LIMITS = Timeout(total=CALL_SECONDS, connect=CONNECT_SECONDS, read=READ_SECONDS)
KEPT_READY = 4
"""Open connections to have at hand: a call takes one for as long as Telegram needs, and the next one leaves meanwhile."""
IDLE_SECONDS = 30.0
"""Connections unused for longer are not trusted: a box on the way may have forgotten them without a word."""
FRESH_SECONDS = 1.0
"""Connections used so lately are open without a look at them; at a high pace all are, and looking would cost a fifth of a call."""
MOST_CONNECTIONS = 512
"""As many as the engine on one machine has senders: a connection more would be thrown away after one call."""
JSON = {"Content-Type": "application/json"}
WELL_FORMED = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")

_call = local()
log = logging.getLogger(__name__)


def seconds_passed() -> float:
    """Seconds from an arbitrary start that never jump, those a machine sleeps through too: its monotonic clock stands still then
    (Linux, clock_gettime(2)), and every connection would look as fresh as before.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class _MissedSlot(OSError):
    """Raised inside when the moment to leave has passed."""


class _NotesDeparture:
    """Mixed into a connection: the request's first byte leaves if it may or not at all, and it is noted that it left."""

    sock: Any
    used_at: float = float("-inf")
    """Reading of the monotonic clock when it was opened ahead of a call, or when its last call began."""

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]  # the connection class this is mixed into has it
        if not _call.left and not _call.may_leave():
            raise _MissedSlot
        _call.left = True
        super().send(data)  # type: ignore[misc]  # likewise

    def _tunnel(self) -> None:
        """What leaves in here is for a proxy alone, which is asked for a way to Telegram; it is no departure."""
        _call.left = True
        try:
            super()._tunnel()  # type: ignore[misc]  # likewise
        finally:
            _call.left = False


class _Http(_NotesDeparture, HTTPConnection):
    pass


class _Https(_NotesDeparture, HTTPSConnection):
    pass


class _DropsIdle:
    """Mixed into a pool: gives out no connection that was unused for long."""

    monotonic: Callable[[], float]

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)  # type: ignore[misc]  # the pool class this is mixed into has it
        if self.monotonic() - connection.used_at > IDLE_SECONDS:
            connection.close()
        return connection

    def _make_request(self, *args: Any, **kwargs: Any) -> Any:
        connection, *_ = args
        connection.used_at = self.monotonic()
        return super()._make_request(*args, **kwargs)  # type: ignore[misc]  # likewise

    def open(self, count: int) -> None:
        """See to it that the next `count` connections given out are open. Raises urllib3's errors and OSError."""
        pool: Any = self
        if self._were_just_used(pool.pool.queue[-count:], count):
            return
        tunnel = connection_requires_http_tunnel(pool.proxy, pool.proxy_config, pool.scheme)
        connect = pool._prepare_proxy if tunnel else lambda connection: connection.connect()
        taken = [self._get_conn() for _ in range(count)]
        try:
            for connection in taken:
                if connection.is_closed:
                    connection.timeout = CONNECT_SECONDS
                    connect(connection)
                    connection.used_at = self.monotonic()
        except BaseException:
            connection.close()  # or the pool would give out one that is neither open nor closed
            raise
        finally:
            for connection in reversed(taken):
                pool._put_conn(connection)

    def _were_just_used(self, next_out: Sequence[Any], count: int) -> bool:
        since = self.monotonic() - FRESH_SECONDS
        fresh = [c for c in next_out if c is not None and not c.is_closed and c.used_at > since]
        return len(fresh) == count


class _HttpPool(_DropsIdle, HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(_DropsIdle, HTTPSConnectionPool):
    ConnectionCls = _Https


class _Adapter(HTTPAdapter):
    """What requests knows of proxies and certificates; connections that note the departure, through a proxy as well."""

    def __init__(self, connections: int, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._note_departures(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        self._note_departures(manager)
        return manager

    def _note_departures(self, manager: PoolManager) -> None:
        clock = {"monotonic": staticmethod(self._monotonic)}
        manager.pool_classes_by_scheme = {
            "http": type("Pool", (_HttpPool,), clock),
            "https": type("Pool", (_HttpsPool,), clock),
        }


@dataclass(frozen=True)
class _Way:
    """How a request gets to Telegram: the pool of its connections, what comes before `/bot` in its target, its headers."""

    pool: _HttpPool | _HttpsPool
    target: str
    headers: Mapping[str, str]


def _find_way(url: str, adapter: HTTPAdapter) -> _Way:
    """As requests finds it: proxies and certificates of the environment. Raises requests' errors for an address that is none."""
    request = requests.Request("POST", url).prepare()
    assert request.url is not None
    found = requests.Session().merge_environment_settings(request.url, {}, None, None, None)
    verify, proxies = found["verify"], found["proxies"]
    pool = adapter.get_connection_with_tls_context(request, verify, proxies=proxies, cert=found["cert"])
    assert isinstance(pool, _HttpPool | _HttpsPool)
    adapter.cert_verify(pool, request.url, verify, found["cert"])  # type: ignore[no-untyped-call]  # the stubs have no types for it
    proxy = select_proxy(request.url, proxies)
    forwarded = proxy is not None and request.url.startswith("http:")
    headers = {**JSON, **(adapter.proxy_headers(proxy) if proxy is not None and forwarded else {})}
    return _Way(pool, adapter.request_url(request, proxies).rstrip("/"), headers)


def open_telegram(settings: Settings) -> "TelegramHttp":
    """The Bot API these settings name, for the bot of BOT_TOKEN; the token and PAID_BROADCAST may change while running."""
    return TelegramHttp(
        settings.get(TELEGRAM_API_URL), lambda: settings.get(BOT_TOKEN), paid=lambda: settings.get(PAID_BROADCAST)
    )


class TelegramHttp:
    """The Bot API at `<url>/bot<token>/<method>`. Safe to use from several threads.

    `token` is asked for at each call, so that it can change while running; and so is `paid`, whether messages beyond the free 30 a
    second are paid for with the bot's Stars.
    """

    def __init__(
        self,
        url: str,
        token: Callable[[], str],
        *,
        paid: Callable[[], bool] = lambda: False,
        connections: int = MOST_CONNECTIONS,
        monotonic: Callable[[], float] = seconds_passed,
    ) -> None:
        self._url = url
        self._token = token
        self._paid = paid
        self._monotonic = monotonic
        self._adapter = _Adapter(connections, monotonic)
        self._way_found: _Way | None = None
        self._readying = Lock()

    def make_ready(self) -> None:
        """Have open connections at hand; if none can be opened, the call itself will say so. One thread at a time does it."""
        if not self._readying.acquire(blocking=False):
            return
        try:
            self._way().pool.open(KEPT_READY)
        except (HTTPError, OSError, ValueError) as error:
            log.debug("No connection could be made ready: %s", type(error).__name__)
        finally:
            self._readying.release()

    def send_message(self, chat: int, message: Message, *, may_leave: Callable[[], bool]) -> Outcome:
        """Post a message; Sent is the only success. TooLate if `may_leave` says no.

        It is asked where the first byte leaves: everything before it takes longer on a busy machine.
        """
        keyboard = [[_button(button)] for button in message.buttons]
        parameters = {
            "chat_id": chat,
            "text": message.html,
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
            "reply_markup": {"inline_keyboard": keyboard},
        }
        if self._paid():
            parameters["allow_paid_broadcast"] = True
        return self._outcome("sendMessage", parameters, sends=True, may_leave=may_leave)

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

    def membership(self, chat: int) -> Membership | Outcome:
        """What the bot may do in a chat. Its own id is the part of its token before the colon (Bot API, Authorizing your bot)."""
        bot_id = self._token().partition(":")[0]
        if not bot_id.isdecimal():
            return BotUnusable("the token does not begin with the bot's id")
        about = self._result("getChat", {"chat_id": chat})
        if not isinstance(about, Mapping):
            return about
        member = self._result("getChatMember", {"chat_id": chat, "user_id": int(bot_id)})
        if not isinstance(member, Mapping):
            return member
        return Membership(
            kind=str(about.get("type")),
            title=str(about.get("title", "")),
            status=str(member.get("status")),
            can_post=member.get("can_post_messages"),
            can_send=member.get("can_send_messages"),
        )

    def _result(self, method: str, parameters: Mapping[str, Any]) -> Mapping[str, Any] | Outcome:
        answer = self._post(method, parameters)
        if not isinstance(answer, tuple):
            return answer
        status, body = answer
        result = body.get("result") if body is not None and body.get("ok") is True else None
        if isinstance(result, Mapping):
            return result
        outcome = read_answer(status, body, sends=False)
        return Refused(f"{method} answered without a result", Fault.UNKNOWN) if isinstance(outcome, Done) else outcome

    def close(self) -> None:
        """Close all connections."""
        self._adapter.close()

    def _outcome(
        self,
        method: str,
        parameters: Mapping[str, Any],
        *,
        sends: bool,
        may_leave: Callable[[], bool] = lambda: True,
    ) -> Outcome:
        answer = self._post(method, parameters, may_leave)
        return read_answer(*answer, sends=sends) if isinstance(answer, tuple) else answer

    def _post(
        self, method: str, parameters: Mapping[str, Any], may_leave: Callable[[], bool] = lambda: True
    ) -> tuple[int, Mapping[str, Any] | None] | Outcome:
        token = self._token()
        if not WELL_FORMED.fullmatch(token):
            return BotUnusable("BOT_TOKEN is not a bot token, which looks like 123456789:AbCdEf…")
        _call.left, _call.may_leave = False, may_leave
        try:
            way = self._way()
            response = way.pool.urlopen(
                "POST",
                f"{way.target}/bot{token}/{method}",
                body=msgspec.json.encode(parameters),
                headers=way.headers,
                timeout=TIME_LIMITS,
                retries=False,
                assert_same_host=False,
            )
        except (OSError, HTTPError, HTTPException, ValueError) as error:  # requests' own errors are OSErrors
            missed = not _call.left and _kind(error) == _MissedSlot.__name__
            return TooLate() if missed else _failed(error, left=_call.left)
        return response.status, _json_object(response.data)

    def _way(self) -> _Way:
        if self._way_found is None:
            self._way_found = _find_way(self._url, self._adapter)
        return self._way_found


def _failed(error: Exception, *, left: bool) -> Outcome:
    """The text is made from the error's kind alone: its message would hold the URL, and so the token."""
    if left:
        if isinstance(error, ReadTimeoutError):
            return Unconfirmed("Telegram did not answer in time")
        return Unconfirmed(f"the connection broke after the request had left ({_kind(error)})")
    if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
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
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    return body if isinstance(body, dict) else None


def _button(button: Button) -> dict[str, str]:
    action = {"url": button.url, "callback_data": button.callback_data}
    return {"text": button.text, **{name: value for name, value in action.items() if value is not None}}
