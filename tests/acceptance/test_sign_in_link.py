"""The links that sign in on the machine's own dashboard: printed at the start, made by broadcastctl, each good once."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests
from werkzeug.exceptions import NotFound
from werkzeug.test import Client

from infra.embedded.database import Database
from infra.embedded.sign_in_links import LIFE, Grant, SignInLinks, Void
from infra.embedded.signing_in import sign_in_app
from infra.embedded.workspace import address
from shared.sessions import Sessions
from shared.store import StoreUnavailable
from tests.acceptance.running import Program, wait_for, write_pairs
from tests.clocks import NOON, ManualClock
from tests.functions.world import SECRET
from tests.pairs import OWNER


@pytest.fixture
def links(tmp_path: Path) -> Iterator[SignInLinks]:
    database = Database(tmp_path / "links.db")
    yield SignInLinks(database)
    database.close()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


def printed(program: Program) -> str:
    """The link that stands in what the program printed."""
    wait_for(lambda: "/sign-in/" in program.log.read_text())
    found = re.search(r"http://\S+/sign-in/\S+", program.log.read_text())
    assert found is not None
    return found[0]


def test_a_link_is_good_once(links: SignInLinks) -> None:
    code = links.make(Grant(OWNER, operator=False), now=NOON)

    assert links.take(code, now=NOON) == Grant(OWNER, operator=False)
    assert links.take(code, now=NOON) is Void.USED


def test_a_link_is_good_for_an_hour(links: SignInLinks) -> None:
    code = links.make(Grant(None, operator=True), now=NOON)

    assert links.take(code, now=NOON + LIFE) is Void.EXPIRED
    assert links.take("another", now=NOON) is Void.UNKNOWN
    links.make(Grant(None, operator=True), now=NOON + 2 * LIFE + timedelta(seconds=1))
    assert links.take(code, now=NOON) is Void.UNKNOWN, "what is long past is not kept"


def test_of_two_at_once_one_gets_in(links: SignInLinks) -> None:
    code = links.make(Grant(OWNER, operator=True), now=NOON)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: links.take(code, now=NOON), range(8)))

    assert sorted(isinstance(answer, Grant) for answer in answers) == [False] * 7 + [True]


def test_the_database_opens_nothing(links: SignInLinks, tmp_path: Path) -> None:
    code = links.make(Grant(OWNER, operator=True), now=NOON)

    assert all(code.encode() not in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("localhost", "http://localhost:80"),
        ("192.0.2.7", "http://192.0.2.7:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
    ],
)
def test_the_printed_address_is_one_that_a_browser_can_open_and_sign_in_at(host: str, url: str) -> None:
    assert address(host, 80) == url


def test_records_that_cannot_be_reached_are_said_and_use_no_link_up(
    links: SignInLinks, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = f"/sign-in/{links.make(Grant(OWNER, operator=False), now=NOON)}"
    browser = Client(sign_in_app(links, lambda: Sessions([SECRET]), ManualClock(), NotFound()))

    def away(code: str, *, now: datetime) -> Grant:
        raise StoreUnavailable(f"locked at {now} for {len(code)} characters")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(links, "take", away)
        refused = browser.get(link)

    assert refused.status_code == 503
    assert "cannot reach its records" in refused.text
    assert refused.headers["Cache-Control"] == "no-store"
    assert browser.get(link).status_code == 303


@pytest.mark.server
def test_the_start_prints_a_link_that_signs_in_once_and_another_can_be_made(program: Program, tmp_path: Path) -> None:
    write_pairs(tmp_path / "pairs.csv", 2)
    program.settings["PAIRS"] = tmp_path / "pairs.csv"
    program.start()
    link, browser = printed(program), requests.Session()

    assert browser.head(link).status_code == 404, "looking for a preview uses nothing up"
    first = browser.get(link)
    second = requests.get(link, timeout=10)
    made = program.ctl("link", "--client", OWNER)
    third = requests.Session()
    opened = third.get(made.stdout.strip())

    assert first.url == program.url("/")
    assert "Open 0" in first.text
    assert "Operator" in first.text, "whoever reads the console owns the machine"
    assert "token" not in first.url
    assert (second.status_code, "used already" in second.text) == (410, True)
    assert "broadcastctl link" in second.text
    assert "Open 0" in opened.text
    assert "Operator" not in opened.text
    assert requests.get(program.url("/"), timeout=10).status_code == 401
    assert program.ctl("link", "--client", "980d37eb-e3c7-51da-8456-b67c003dd836").returncode == 1


@pytest.mark.server
def test_with_many_clients_the_link_leads_to_the_operators_page(program: Program) -> None:
    program.start()

    page = requests.Session().get(printed(program))

    assert page.url == program.url("/operator")
    assert page.text.count("Open as") == 6


def test_without_a_running_service_there_is_nothing_to_sign_in_to(program: Program) -> None:
    done = program.ctl("link")

    assert done.returncode == 1
    assert "make run" in done.stderr
