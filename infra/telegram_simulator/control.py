"""The control plane: how tests in other processes arrange the simulated Telegram and look at it, as JSON over HTTP."""

import msgspec

from infra.telegram_simulator.channels import Channel
from infra.telegram_simulator.record import Message
from infra.telegram_simulator.replies import Reply
from infra.telegram_simulator.requests import Request
from infra.telegram_simulator.scripting import Script
from infra.telegram_simulator.simulator import Simulator

_JSON = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))


class ChannelRecord(msgspec.Struct, frozen=True):
    """One chat with every message it ever had."""

    channel: Channel
    messages: list[Message]


class _Clear(msgspec.Struct, forbid_unknown_fields=True):
    chat_id: int | None = None


class _Migrate(msgspec.Struct, forbid_unknown_fields=True):
    chat_id: int
    new_chat_id: int


class _Reset(msgspec.Struct, forbid_unknown_fields=True):
    channels: bool = False


def answer(simulator: Simulator, request: Request) -> Reply:
    """Answer a request whose path begins with /control/. 404 unknown path, 405 wrong method, 400 bad body.

    GET record, calls, summary. POST script (one Script or a list), clear-scripts ({chat_id}), channels (a list of
    Channel), migrate ({chat_id, new_chat_id}), reset ({channels: bool}).
    """
    what = request.path.removeprefix("/control/")
    looking, arranging = what in ("record", "calls", "summary"), what in _ARRANGING
    if not looking and not arranging:
        return _json({"error": f"there is no /control/{what}"}, 404)
    if request.method != ("GET" if looking else "POST"):
        return _json({"error": f"/control/{what} takes {'GET' if looking else 'POST'}"}, 405)
    if what == "record":
        return _json([ChannelRecord(channel, simulator.messages(channel.chat_id)) for channel in simulator.channels()])
    if what == "calls":
        return _json(simulator.calls())
    if what == "summary":
        return _json(simulator.summary())
    try:
        _ARRANGING[what](simulator, request.body or b"{}")
    except msgspec.DecodeError as reason:
        return _json({"error": str(reason)}, 400)
    except KeyError as unknown:
        return _json({"error": f"there is no chat {unknown}"}, 400)
    return _json({"ok": True})


def _script(simulator: Simulator, body: bytes) -> None:
    scripts = msgspec.json.decode(body, type=Script | list[Script])
    for script in scripts if isinstance(scripts, list) else [scripts]:
        simulator.script(script)


def _clear(simulator: Simulator, body: bytes) -> None:
    simulator.clear_scripts(msgspec.json.decode(body, type=_Clear).chat_id)


def _channels(simulator: Simulator, body: bytes) -> None:
    simulator.add_channels(msgspec.json.decode(body, type=list[Channel]))


def _migrate(simulator: Simulator, body: bytes) -> None:
    wanted = msgspec.json.decode(body, type=_Migrate)
    simulator.migrate(wanted.chat_id, wanted.new_chat_id)


def _reset(simulator: Simulator, body: bytes) -> None:
    simulator.reset(msgspec.json.decode(body, type=_Reset).channels)


_ARRANGING = {
    "script": _script, "clear-scripts": _clear, "channels": _channels, "migrate": _migrate, "reset": _reset,
}  # fmt: skip


def _json(value: object, status: int = 200) -> Reply:
    return Reply(status, msgspec.json.encode(value), _JSON)
