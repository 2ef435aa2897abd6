"""With a token and an address of the Bot API, as with a real bot; the simulated Telegram is another server here."""

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from flask_jwt_extended import JWTManager, create_access_token, create_refresh_token

from infra.telegram_simulator.limits import Limits
from infra.telegram_simulator.scripting import Script
from infra.telegram_simulator.server import SimulatorServer
from infra.telegram_simulator.simulator import Simulator
from shared.clock import MachineClock
from shared.pair import Cause, Channel, DeliveryState
from tests.acceptance.running import SECRET, TOKEN, Program, account, no_secret_in, wait_for, write_pairs
from tests.pairs import OWNER

pytestmark = pytest.mark.server


@dataclass(frozen=True)
class Telegram:
    """The simulated Telegram and where it listens."""

    simulator: Simulator
    url: str


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def latency() -> float:
    """Seconds that Telegram takes for a call."""
    return 0.0


@pytest.fixture
def telegram(limits: Limits, latency: float) -> Iterator[Telegram]:
    simulator = Simulator(
        MachineClock(), limits=limits, accept_unknown_channels=True, token=TOKEN, bot_username="acceptance_bot"
    )
    with SimulatorServer(simulator, latency_seconds=latency) as server:
        yield Telegram(simulator, server.url)


@pytest.fixture
def program(tmp_path: Path, telegram: Telegram) -> Iterator[Program]:
    write_pairs(tmp_path / "my.csv", 5)
    made = Program(tmp_path, BOT_TOKEN=TOKEN, TELEGRAM_API_URL=telegram.url, PAIRS="my.csv", TELEGRAM_RATE=25)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()
    if made.log.exists():
        no_secret_in(made.log.read_text())


def website_tokens(client_id: str) -> tuple[str, str]:
    """An access and a refresh token as the website's library makes them."""
    app = Flask("website")
    app.config["JWT_SECRET_KEY"] = SECRET
    JWTManager(app)
    with app.app_context():
        access = create_access_token(client_id, additional_claims={"username": "owner"})
        return access, create_refresh_token(client_id)


def test_the_pairs_of_a_file_are_posted_by_the_bot_the_token_belongs_to(program: Program, telegram: Telegram) -> None:
    program.start()
    wait_for(program.all_settled)

    assert account(program.pairs(), telegram.simulator) == {
        "sent": 10,
        "unconfirmed": 0,
        "unconfirmed but accepted": 0,
    }
    (offer,) = telegram.simulator.visible(-1001000000000)
    assert "https://t.me/acceptance_bot?start=LTEwMDEwMDAwMDAwMDA=_5d0_30" in str(offer.buttons)


def test_a_wrong_token_is_one_clear_sentence_without_the_token(program: Program) -> None:
    wrong = "111111111:AAwrong-token-nobody-has-ever-given-out-1"
    program.settings["BOT_TOKEN"] = wrong

    refused = program.run_to_the_end()

    assert refused.returncode == 2
    assert "BOT_TOKEN: Telegram does not know this bot" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "AAwrong" not in refused.stdout + refused.stderr


def test_a_telegram_that_cannot_be_reached_is_named_unless_the_bots_name_is_set(program: Program) -> None:
    program.settings["TELEGRAM_API_URL"] = "http://127.0.0.1:9"

    refused = program.run_to_the_end()

    assert refused.returncode == 2
    assert "TELEGRAM_API_URL: nothing that could say the bot's name answers at http://127.0.0.1:9" in refused.stderr
    no_secret_in(refused.stdout + refused.stderr)

    program.settings["BOT_USERNAME"] = "acceptance_bot"
    program.start()
    assert program.answers()


def test_the_websites_tokens_open_the_api_and_its_refresh_tokens_do_not(program: Program, telegram: Telegram) -> None:
    program.start()
    wait_for(program.all_settled)
    access, refresh = website_tokens(OWNER)
    pair = program.pairs()[0]

    def ask(token: str) -> requests.Response:
        return requests.post(
            program.url("/api/broadcast/trigger"),
            json={"broadcast_id": pair.id},
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )

    assert ask(refresh).status_code == 401
    pressed = ask(access)
    assert pressed.status_code == 200
    assert pressed.json()["eta_seconds"] <= 2
    wait_for(lambda: len(telegram.simulator.messages(pair.closed_chat_id)) == 2)
    wait_for(program.all_settled)
    after = next(p for p in program.pairs() if p.id == pair.id)
    assert after.last_broadcast is not None
    assert after.last_broadcast.cause is Cause.MANUAL
    wait_for(lambda: len(telegram.simulator.visible(pair.open_chat_id)) == 1)
    again = ask(access)
    assert again.status_code == 429
    assert 200 < again.json()["retry_after_seconds"] <= 300


def test_broadcastctl_speaks_to_the_running_program(program: Program) -> None:
    program.start()
    wait_for(program.all_settled)
    pair = program.pairs()[0]

    token = program.ctl("token", "--client", OWNER).stdout.strip()
    answer = requests.get(program.url("/api/channels"), headers={"Authorization": f"Bearer {token}"}, timeout=10)
    assert answer.json()["count"] == 5
    assert "5 " in program.ctl("status").stdout
    assert program.ctl("tick").returncode == 0
    assert program.ctl("pairs", "pause", pair.id, "--reason", "holiday").returncode == 0
    paused = next(p for p in program.pairs() if p.id == pair.id)
    assert not paused.is_active
    assert "holiday" in program.ctl("pairs", "show", pair.id).stdout


@pytest.mark.parametrize("latency", [0.06], ids=["60 ms"])
@pytest.mark.parametrize("limits", [Limits.off()], ids=["unlimited"])
@pytest.mark.parametrize("seed", range(2))
def test_killed_ten_times_at_random_moments_it_posts_everything_once_and_every_record_is_true(
    program: Program, telegram: Telegram, seed: int
) -> None:
    write_pairs(program.folder / "my.csv", 200)
    program.settings |= {"TELEGRAM_RATE": 100, "BOT_USERNAME": "acceptance_bot"}
    moments = random.Random(seed)

    for _ in range(10):
        program.start()
        # A random moment of the run is what is tested; there is no event to wait for.
        threading.Event().wait(moments.uniform(0.0, 1.0))
        program.kill()
    program.start()
    wait_for(program.all_settled, lambda: program.log.read_text()[-4000:])

    counts = account(program.pairs(), telegram.simulator)
    assert counts["sent"] + counts["unconfirmed"] == 400
    missing = 400 - telegram.simulator.accepted_count()
    assert missing == counts["unconfirmed"] - counts["unconfirmed but accepted"]


def test_ctrl_c_finishes_the_calls_that_have_begun_and_leaves_nothing_unconfirmed(
    program: Program, telegram: Telegram
) -> None:
    write_pairs(program.folder / "my.csv", 60)
    telegram.simulator.script(Script(effect="delay_after", method="sendMessage", seconds=0.5, times=None))
    program.start()
    wait_for(lambda: telegram.simulator.accepted_count() > 5)

    assert program.stop() == 0

    states = [
        pair.run.delivery(channel).state for pair in program.pairs() if pair.run is not None for channel in Channel
    ]
    assert DeliveryState.SENDING not in states
    assert DeliveryState.QUEUED in states
    assert "Traceback" not in program.log.read_text()
    telegram.simulator.clear_scripts()
    program.start()
    wait_for(program.all_settled)
    assert account(program.pairs(), telegram.simulator)["sent"] == 120


def test_at_the_default_pace_telegram_never_has_to_say_429(program: Program, telegram: Telegram) -> None:
    write_pairs(program.folder / "my.csv", 100)
    del program.settings["TELEGRAM_RATE"]
    program.start()
    wait_for(program.all_settled)

    summary = telegram.simulator.summary()
    assert summary.accepted == 200
    assert summary.too_many_requests == 0


def test_no_error_path_writes_the_token(program: Program, telegram: Telegram) -> None:
    chats = iter(range(-1001000000000, -1001000000000 - 5, -1))
    scripts: list[dict[str, Any]] = [
        {"effect": "answer", "status": 401, "description": "Unauthorized"},
        {"effect": "drop_before"},
        {"effect": "answer", "status": 502, "body": "<html>Bad Gateway</html>"},
        {"effect": "answer", "status": 400, "description": "Bad Request: chat not found"},
        # The last of them, since it holds back whatever comes after it.
        {"effect": "answer", "status": 429, "parameters": {"retry_after": 40}},
    ]
    for script in scripts:
        telegram.simulator.script(Script(method="sendMessage", chat_id=next(chats), **script))
    program.settings["LOG_LEVEL"] = "DEBUG"
    program.start()
    # The refused bot may be a later one of the calls, and stopping would leave it for the next start.
    wait_for(lambda: len(telegram.simulator.calls()) >= 6 and b"Unauthorized" in program.log.read_bytes())
    program.stop()

    written = program.log.read_bytes()
    for path in program.data_dir.iterdir():
        if path.name.startswith("broadcast.db"):
            written += path.read_bytes()
    assert b"Unauthorized" in written
    assert TOKEN.split(":")[1].encode() not in written
