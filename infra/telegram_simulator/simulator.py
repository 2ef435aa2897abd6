"""The simulated Telegram: one object that answers Bot API calls, remembers everything and can be told to fail."""

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from infra.telegram_simulator.channels import Channel, Kind, Membership, parsed_chat_id
from infra.telegram_simulator.clock import Clock
from infra.telegram_simulator.database import Database
from infra.telegram_simulator.limits import Limits, RateLimiter
from infra.telegram_simulator.methods import METHODS, Context
from infra.telegram_simulator.parameters import Parameters
from infra.telegram_simulator.record import Call, Message, Record, Summary
from infra.telegram_simulator.refusals import Refused, bad_request
from infra.telegram_simulator.replies import Reply, refusal, success
from infra.telegram_simulator.scripting import Script, ScriptBook

WELL_FORMED_TOKEN = re.compile(r"([1-9][0-9]{0,15}):[A-Za-z0-9_-]{30,}", re.ASCII)


class Pending(msgspec.Struct, frozen=True):
    """A call that has arrived and is not decided yet; `wait_seconds` is a scripted delay before it counts."""

    method: str
    parameters: Parameters
    bot_id: int
    chat_id: int | None
    at: datetime
    monotonic: float
    wait_seconds: float = 0.0
    decided: Reply | None = None
    reason: str = ""


class Simulator:
    """A strict fake of the Bot API for channel posts. All methods may be called from any thread.

    `database` keeps channels and messages on disk, committed before a call returns; faults, figures and the windows of
    the rate limits are of this process only. `token` None takes every well-formed one, each being a bot of its own;
    limits count per bot. `accept_unknown_channels` registers any negative chat id when it is first used.
    `keep_calls` bounds the list of calls (None: keep all).
    """

    def __init__(
        self,
        clock: Clock,
        *,
        limits: Limits | None = None,
        database: Path | None = None,
        accept_unknown_channels: bool = False,
        token: str | None = None,
        bot_username: str = "simulated_bot",
        keep_calls: int | None = 100_000,
    ) -> None:
        self.bot_username = bot_username
        self._clock = clock
        self._accept_unknown = accept_unknown_channels
        self._token = token
        self._lock = threading.RLock()
        self._limiter = RateLimiter(limits or Limits())
        self._scripts = ScriptBook()
        self._record = Record(keep_calls)
        self._database = Database(database) if database else None
        if self._database:
            for channel in self._database.channels():
                self._record.add_channel(channel)
            for message in self._database.messages():
                self._record.put(message)

    def renew_token(self, token: str) -> None:
        """What @BotFather's /revoke does: from now on only this token is the bot's."""
        with self._lock:
            self._token = token

    def close(self) -> None:
        """Close the database; nothing may be called afterwards."""
        with self._lock:
            if self._database:
                self._database.close()

    # Calls

    def call(self, token: str, method: str, params: Mapping[str, object] | None = None) -> Reply:
        """Answer one call now. A scripted delay before accepting is only reported, in `Reply.delay_seconds`; whoever
        can wait uses `begin` and `finish`."""
        pending = self.begin(token, method, params)
        reply = self.finish(pending)
        if pending.wait_seconds:
            reply = msgspec.structs.replace(reply, delay_seconds=reply.delay_seconds + pending.wait_seconds)
        return reply

    def begin(self, token: str, method: str, params: Mapping[str, object] | None = None) -> Pending:
        """Note a call's arrival and what is scripted for it. After `wait_seconds` it goes to `finish`."""
        parameters = Parameters(params or {})
        method = method.lower()  # the server takes any letter case
        chat_id = parsed_chat_id(parameters.text("chat_id"))
        with self._lock:
            at, monotonic = self._clock.now(), self._clock.monotonic()
            bot_id, decided, wait, reason = 0, None, 0.0, ""
            try:
                bot_id = self._bot_id(token)
                if method not in METHODS:
                    raise Refused(404, "Not Found: method not found")
            except Refused as refused:
                decided, reason = refusal(refused), refused.description
            else:
                script = self._scripts.before(chat_id, method)
                if script and script.effect == "delay_before":
                    wait = script.seconds
                elif script:
                    decided, reason = script.instead(), f"scripted: {script.effect}"
        return Pending(method, parameters, bot_id, chat_id, at, monotonic, wait, decided, reason)

    def finish(self, pending: Pending) -> Reply:
        """Decide a call that has arrived."""
        with self._lock:
            if pending.decided is not None:
                self._note(pending, pending.decided.status, pending.reason)
                return pending.decided
            context = Context(self, pending.bot_id, self._clock.now(), pending.parameters)
            try:
                result = METHODS[pending.method](context)
            except Refused as refused:
                reply = refusal(refused)
                self._note(pending, reply.status, refused.description)
                return reply
            message_id = result["message_id"] if isinstance(result, dict) and "message_id" in result else None
            reply = success(result)
            reason = ""
            if script := self._scripts.after(pending.chat_id, pending.method):
                reply, reason = script.applied_to(reply), f"scripted: {script.effect}"
            self._note(pending, reply.status, reason, accepted=True, message_id=message_id)
            return reply

    def _bot_id(self, token: str) -> int:
        well_formed = WELL_FORMED_TOKEN.fullmatch(token)
        if well_formed is None:  # api.telegram.org's answer; the published server says 401
            raise Refused(404, "Not Found")
        if self._token is not None and token != self._token:
            raise Refused(401, "Unauthorized")
        return int(well_formed[1])

    def _note(
        self, pending: Pending, status: int, reason: str, accepted: bool = False, message_id: int | None = None
    ) -> None:
        call = Call(
            pending.at, pending.monotonic, pending.bot_id, pending.method, pending.chat_id, status, accepted,
            message_id, reason,
        )  # fmt: skip
        self._record.note_call(call)

    # What methods see (the lock is held)

    def find_channel(self, chat_id: int) -> Channel | None:
        """The chat; an unknown channel is registered now if that is allowed."""
        channel = self._record.channel(chat_id)
        if channel is None and self._accept_unknown and chat_id < 0:
            channel = Channel(chat_id)
            self._keep_channels([channel])
        return channel

    def find_message(self, chat_id: int, message_id: int) -> Message | None:
        """The message, unless it was deleted."""
        return self._record.visible_message(chat_id, message_id)

    def next_message_id(self, chat_id: int) -> int:
        """The id of the chat's next message."""
        return self._record.next_message_id(chat_id)

    def seconds_to_wait(self, bot_id: int, chat_id: int, paid: bool) -> int:
        """Count a message against the limits: 0, or the seconds to wait and nothing is counted."""
        monotonic = self._clock.monotonic()
        wait = self._limiter.accept(bot_id, chat_id, monotonic, paid)
        if not wait:
            self._record.note_accepted(self._clock.now(), monotonic)
        return wait

    def keep(self, messages: Iterable[Message]) -> None:
        """Store messages, on disk first."""
        messages = list(messages)
        if self._database:
            self._database.save_messages(messages)
        for message in messages:
            self._record.put(message)

    def _keep_channels(self, channels: Sequence[Channel]) -> None:
        if self._database:
            self._database.save_channels(channels)
        for channel in channels:
            self._record.add_channel(channel)

    # Arranging

    def add_channel(
        self,
        chat_id: int,
        title: str = "",
        kind: Kind = "channel",
        can_post: bool = True,
        can_delete: bool = True,
        member: Membership = "administrator",
    ) -> None:
        """Register a chat, or change the title and the bot's rights in a known one."""
        self.add_channels([Channel(chat_id, title, kind, can_post, can_delete, member)])

    def add_channels(self, channels: Sequence[Channel]) -> None:
        """Register or change many at once."""
        with self._lock:
            self._keep_channels(channels)

    def migrate(self, chat_id: int, new_chat_id: int) -> None:
        """Turn a chat into another: every later call is told `migrate_to_chat_id`. The new chat gets its title and
        rights. KeyError if the chat is unknown."""
        with self._lock:
            old = self._record.channel(chat_id)
            if old is None:
                raise KeyError(chat_id)
            replace = msgspec.structs.replace
            kind: Kind = "supergroup" if old.kind == "group" else old.kind
            self._keep_channels([replace(old, migrated_to=new_chat_id), replace(old, chat_id=new_chat_id, kind=kind)])

    def script(self, script: Script) -> None:
        """Order a fault; faults apply in the order they were given."""
        with self._lock:
            self._scripts.add(script)

    def clear_scripts(self, chat_id: int | None = None) -> None:
        """Call off the faults of one chat, or all."""
        with self._lock:
            self._scripts.clear(chat_id)

    def post_as_person(self, chat_id: int, text: str) -> int:
        """A person writes in the chat; answers with the message's id. No limit counts it."""
        with self._lock:
            if self.find_channel(chat_id) is None:
                raise bad_request("chat not found")
            message = Message(chat_id, self.next_message_id(chat_id), 0, text, text, self._clock.now())
            self.keep([message])
            return message.message_id

    def delete_as_person(self, chat_id: int, message_id: int) -> None:
        """A person deletes a message; deleting a missing one does nothing."""
        with self._lock:
            message = self.find_message(chat_id, message_id) if self._record.channel(chat_id) else None
            if message:
                self.keep([msgspec.structs.replace(message, deleted_at=self._clock.now())])

    def reset(self, channels: bool = False) -> None:
        """Forget messages, calls, figures, faults and the limits' windows; the channels too if asked."""
        with self._lock:
            if self._database:
                self._database.forget(channels)
            if channels:
                self._record.forget_channels()
            else:
                self._record.forget_messages()
            self._scripts.clear()
            self._limiter.forget()

    # Looking

    def channels(self, most_recent: int | None = None) -> list[Channel]:
        """All chats, or only the most recently active ones; the most recent first."""
        with self._lock:
            return self._record.channels(most_recent)

    def messages(self, chat_id: int) -> list[Message]:
        """Every message ever accepted in the chat, deleted ones too, oldest first."""
        with self._lock:
            return self._record.messages(chat_id)

    def visible(self, chat_id: int) -> list[Message]:
        """What stands in the chat now, oldest first."""
        with self._lock:
            return self._record.visible(chat_id)

    def calls(self) -> list[Call]:
        """The calls so far (the last `keep_calls`), in the order in which they were decided."""
        with self._lock:
            return self._record.calls

    def accepted_count(self) -> int:
        """How many sendMessage calls were accepted since the start or the last reset."""
        with self._lock:
            return self._record.accepted

    def summary(self) -> Summary:
        """The figures now."""
        with self._lock:
            return self._record.summary()
