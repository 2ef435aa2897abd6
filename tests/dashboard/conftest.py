"""A real browser on a dashboard over real HTTP, with a world whose time the test moves."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from shared.sessions import Session, Sessions
from tests.clocks import NOON
from tests.dashboard.serving import Served, serve
from tests.functions.world import SECRET, World, make_world
from tests.pairs import OWNER, a_pair

HOW_TO_GET_IT = "these tests need a browser: apt-get install -y chromium"
SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
PATIENCE = 15_000
"""Milliseconds after which what does not come true is a failure; on an idle machine nothing takes a tenth of it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browsers belong to no quick loop."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.server)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of this process."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail(HOW_TO_GET_IT)
        pytest.skip(HOW_TO_GET_IT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture
def world() -> Iterator[World]:
    made, close = make_world()
    yield made
    close()


@pytest.fixture
def served(world: World) -> Iterator[Served]:
    """The dashboard of this world at an address."""
    with serve(world.apps["dashboard"]) as address:
        yield address


Opened = Callable[..., Page]


@pytest.fixture
def opened(chromium: Browser, served: Served) -> Iterator[Opened]:
    """Opens a page as the owner, in a browser of its own; at the end nothing may have gone wrong in any of them."""
    wrong: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        # What the browser says of an answer that is no 2xx is no fault of the page.
        if message.type == "error" and "Failed to load resource" not in message.text:
            wrong.append(message.text)

    with ExitStack() as at_the_end:

        def open_page(path: str = "/", *, signed_in: bool = True, operator: bool = False, **options: Any) -> Page:
            context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
            at_the_end.callback(context.close)
            context.set_default_timeout(PATIENCE)
            if signed_in:
                sign_in(context, served, operator=operator)
            page = context.new_page()
            page.on("console", heard)
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.goto(served.url + path)
            return page

        yield open_page
    assert wrong == []


def sign_in(context: BrowserContext, served: Served, *, operator: bool) -> None:
    """What signing in leaves in the browser."""
    session = Session(id=str(uuid4()), client_id=OWNER, operator=operator, expires_at=NOON + timedelta(hours=12))
    value = Sessions([SECRET]).sign(session)
    name = f"broadcast-manager-{urlsplit(served.url).port}"
    context.add_cookies([{"name": name, "value": value, "url": served.url, "httpOnly": True}])


def stop_time(page: Page, at: datetime = NOON) -> None:
    """From now on time passes in this browser only by `page.clock.run_for`; its pages are to be loaded after this."""
    page.clock.install(time=at)
    page.clock.pause_at(at + timedelta(seconds=1))


@pytest.fixture
def shot() -> Callable[[Page, str], None]:
    """Keeps what the page looks like in build/screenshots."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def take(page: Page, name: str) -> None:
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)

    return take


def add_later(world: World, number: int = 1, **changes: Any) -> str:
    """A pair that is due in hours; its id."""
    pair = a_pair(number, next_send_time=NOON + timedelta(hours=9), **changes)
    world.add(pair)
    return pair.id
