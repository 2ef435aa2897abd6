"""`make run`: everything on one machine. Settings come from the environment and from `.env`; `.env.example` documents them."""

import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import FrameType
from typing import NoReturn

from waitress.server import BaseWSGIServer, MultiSocketServer, create_server

from infra.embedded.pages import page
from infra.embedded.service import Service, route
from infra.embedded.sign_in_links import SignInLinks
from infra.embedded.signing_in import sign_in_app
from infra.embedded.workspace import (
    REAL,
    SIMULATED,
    Holder,
    ServiceLock,
    Workspace,
    WorkspaceError,
    address,
    link_for_owner,
    open_workspace,
    read_settings,
)
from infra.operator.csv_table import FileError
from infra.operator.import_pairs import import_pairs
from infra.operator.pairs_csv import parse
from infra.telegram_simulator.channels import Channel
from infra.telegram_simulator.page import render as render_channels
from infra.telegram_simulator.server import SimulatorServer
from infra.telegram_simulator.simulator import Simulator
from shared import logs
from shared.access import SHORTEST_SECRET, secrets_of
from shared.clock import MachineClock
from shared.logs import fields
from shared.pair import Channel as PairChannel
from shared.sessions import Sessions
from shared.settings import (
    ALL,
    BOT_TOKEN,
    BOT_USERNAME,
    HOST,
    LOG_FORMAT,
    LOG_LEVEL,
    PAID_BROADCAST,
    PAIRS,
    PORT,
    TELEGRAM_API_URL,
    SettingError,
    Settings,
    check_rate,
)
from shared.store import StoreUnavailable
from shared.telegram import Bot, BotUnusable, NotDelivered
from shared.telegram_http import TelegramHttp, open_telegram

SAMPLE = Path(__file__).parents[1] / "sample" / "pairs.csv"
SIMULATED_TOKEN = "1000000001:simulated-telegram-takes-any-token"
SIMULATED_BOT = "simulated_broadcast_bot"
LONGEST_BODY = 64 * 1024
HTTP_THREADS = 8

log = logging.getLogger("broadcast_manager")


@dataclass(frozen=True)
class Line:
    """What the functions send through."""

    telegram: TelegramHttp
    bot_username: str
    simulator: Simulator | None


def main() -> None:
    """Run until Ctrl-C or SIGTERM. Exit status 2 for a setting or file that cannot be used, 1 where this machine is in the way."""
    try:
        settings = read_settings()
        settings.check(ALL)
        logs.set_up(settings.get(LOG_FORMAT), settings.get(LOG_LEVEL))
        check_rate(settings)
        with ExitStack() as at_the_end:
            _run(settings, at_the_end)
    except (SettingError, FileError) as error:
        _stop(str(error), 2)
    except (WorkspaceError, StoreUnavailable) as error:
        _stop(str(error), 1)
    except KeyboardInterrupt:
        _stop("Stopped before everything was started.", 130)


def _run(settings: Settings, at_the_end: ExitStack) -> None:
    real = bool(settings.get(BOT_TOKEN))
    workspace = open_workspace(settings, database=REAL if real else SIMULATED)
    at_the_end.callback(workspace.close)
    url = address(settings.get(HOST), settings.get(PORT))
    lock = ServiceLock(workspace.data_dir)
    lock.take(Holder(pid=os.getpid(), url=url, database=workspace.database.path.name))
    at_the_end.callback(lock.release)
    if len(workspace.jwt_secret.encode()) < SHORTEST_SECRET:
        log.warning("JWT_SECRET_KEY is shorter than %d bytes, which makes its tokens easier to forge.", SHORTEST_SECRET)
    line = _real_line(settings) if real else _simulated_line(workspace, at_the_end)
    at_the_end.callback(line.telegram.close)
    _import(workspace, real=real)
    if line.simulator is not None:
        _name_channels(line.simulator, workspace)
    stop = Event()
    service = Service(workspace, line.telegram, lambda: line.bot_username, stop=stop)
    server = _server(workspace, settings, service, line)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        service.start()
        _say_where(workspace, settings, line)
        server.run()
    finally:
        log.info("Stopping: calls that have begun are finished, the rest stays for the next start.")
        stop.set()
        server.close()
        service.join()


def _server(
    workspace: Workspace, settings: Settings, service: Service, line: Line
) -> BaseWSGIServer | MultiSocketServer:
    host, port = settings.get(HOST), settings.get(PORT)
    prefixes = {"/api": service.trigger, "/health": service.trigger, "/openapi.json": service.trigger}
    simulator = line.simulator
    if simulator is not None:
        prefixes["/telegram"] = page(lambda: render_channels(simulator))
    sessions: Callable[[], Sessions] = lambda: Sessions(secrets_of(workspace.settings))  # noqa: E731 - one line
    dashboard = sign_in_app(SignInLinks(workspace.database), sessions, workspace.clock, service.dashboard)
    try:
        return create_server(
            route(prefixes, dashboard),
            host=host,
            port=port,
            threads=HTTP_THREADS,
            max_request_body_size=LONGEST_BODY,
            ident="",
        )
    except ValueError:
        raise SettingError(
            f"HOST: this machine has no address {host}; 127.0.0.1 is itself, 0.0.0.0 all it has."
        ) from None
    except OSError as error:
        raise WorkspaceError(
            f"Port {port} on {host} cannot be used ({error.strerror}); stop what uses it, or set PORT to another one."
        ) from None


def _real_line(settings: Settings) -> Line:
    """Ask Telegram who the bot is: a wrong token is said at the start, not at the first message."""
    telegram = open_telegram(settings)
    bot = telegram.get_me()
    given = settings.get(BOT_USERNAME)
    match bot:
        case Bot(_, username):
            return Line(telegram, given or username, None)
        case BotUnusable(error):
            raise SettingError(
                f"BOT_TOKEN: Telegram does not know this bot ({error}). Copy the token anew from @BotFather."
            )
        case NotDelivered(why) if given:
            log.warning("Telegram cannot be reached now: %s. Messages wait until it can.", why)
            return Line(telegram, given, None)
        case _:
            raise SettingError(
                f"TELEGRAM_API_URL: nothing that could say the bot's name answers at {settings.get(TELEGRAM_API_URL)}"
                f" ({bot}); check it and the network, or set BOT_USERNAME."
            )


def _simulated_line(workspace: Workspace, at_the_end: ExitStack) -> Line:
    database = workspace.data_dir / "telegram.db"
    try:
        simulator = Simulator(
            MachineClock(), database=database, accept_unknown_channels=True, bot_username=SIMULATED_BOT
        )
    except (sqlite3.DatabaseError, ValueError) as error:
        raise WorkspaceError(
            f"{database} is no database of the simulated Telegram ({error}); move it away, and its channels begin empty."
        ) from None
    server = at_the_end.enter_context(SimulatorServer(simulator))
    settings = workspace.settings
    telegram = TelegramHttp(server.url, lambda: SIMULATED_TOKEN, paid=lambda: settings.get(PAID_BROADCAST))
    return Line(telegram, SIMULATED_BOT, simulator)


def _import(workspace: Workspace, *, real: bool) -> None:
    """Bring in the pairs of PAIRS, or the sample where Telegram is simulated; rows that cannot be used are said one by one."""
    given = workspace.settings.get(PAIRS)
    path = Path(given) if given else None if real else SAMPLE
    if path is None:
        return
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingError(f"PAIRS: cannot read {path}: {error.strerror}.") from None
    parsed = parse([(str(path), content)])
    summary = import_pairs(workspace.store, parsed.rows, now=workspace.clock.now(), policy=workspace.policy)
    for defect in (*parsed.defects, *summary.rejected):
        log.warning("%s", defect, extra=fields(event="row_rejected"))
    log.info(
        "%s: %d new pairs, %d updated, %d unchanged, %d rejected.",
        path,
        summary.new,
        summary.updated,
        summary.unchanged,
        len(parsed.defects) + len(summary.rejected),
        extra=fields(event="pairs_imported"),
    )


def _name_channels(simulator: Simulator, workspace: Workspace) -> None:
    known = {channel.chat_id for channel in simulator.channels()}
    pairs = [stored.record for stored in workspace.store.all_pairs()]
    channels = [Channel(pair.chat(which), pair.title(which)) for pair in pairs for which in PairChannel]
    simulator.add_channels([channel for channel in channels if channel.chat_id not in known])


def _say_where(workspace: Workspace, settings: Settings, line: Line) -> None:
    url = address(settings.get(HOST), settings.get(PORT))
    say: Callable[[str], None] = lambda text: print(text, flush=True)  # noqa: E731 - seven lines of one kind
    say("")
    say("Broadcast Manager is running. Ctrl-C stops it; what is left to do is done after the next start.")
    say(
        f"  Dashboard  {url}/sign-in/{link_for_owner(workspace)}   (signs you in, once; another: .venv/bin/broadcastctl link)"
    )
    if line.simulator is not None:
        say(f"  Channels   {url}/telegram   (Telegram is simulated; set BOT_TOKEN for the real one)")
    else:
        say(f"  Bot        @{line.bot_username} at {settings.get(TELEGRAM_API_URL)}")
    say(f"  API        {url}/api/…   (a token to try it: .venv/bin/broadcastctl token --client UUID)")
    say("  Operator   .venv/bin/broadcastctl status")
    say(f"  Records    {workspace.describe}")
    say("")


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _stop(sentence: str, status: int) -> NoReturn:
    print(logs.scrub(sentence), file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
