"""The whole way with everything real: program, browser, trigger, queue, send, Telegram's simulator, and back to the page."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.running import Program, wait_for, write_pairs
from tests.dashboard.conftest import PATIENCE


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    write_pairs(tmp_path / "pairs.csv", 1)
    made = Program(tmp_path, PAIRS=tmp_path / "pairs.csv")
    made.start()
    yield made
    made.kill()


def test_from_the_printed_link_to_the_messages_in_the_channels_and_the_word_sent(
    program: Program, chromium: Browser, shot: Callable[[Page, str], None]
) -> None:
    wait_for(program.all_settled)
    link = re.search(r"http://\S+/sign-in/\S+", program.log.read_text())
    assert link is not None
    before = program.pairs()[0]
    context = chromium.new_context()
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.goto(link[0])
    card = page.locator(".card")
    expect(card.locator(".head .state")).to_have_text("sent")

    card.get_by_role("button", name="Resend Messages").click()
    page.locator("#confirm button.primary").click()

    expect(card.locator(".note")).to_contain_text("Messages queued for sending!")
    expect(card.locator(".head .state")).to_have_text("sent", timeout=PATIENCE)
    expect(card.locator(".note")).to_be_hidden()
    expect(card.get_by_role("button", name=re.compile(r"⏰ Wait [45]:\d\d"))).to_be_visible()
    shot(page, "whole-way")
    after = program.pairs()[0]
    assert (before.open_live, before.closed_live) != (after.open_live, after.closed_live)
    assert after.manual_trigger_count == 1
    assert after.open_live is not None
    expect(card.get_by_role("link", name="See message").first).to_have_attribute(
        "href", f"https://t.me/c/{str(after.open_chat_id)[4:]}/{after.open_live.message_id}"
    )
    wait_for(lambda: requests.get(program.url("/telegram"), timeout=10).text.count("Hello, welcome to") == 1)
    page.get_by_role("link", name="History").click()
    expect(page.locator(".history > li").first).to_contain_text("by you")
    context.close()
