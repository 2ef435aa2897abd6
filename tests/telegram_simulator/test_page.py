"""The page shows each channel as a reader would see it, and nothing a bot writes can break it."""

import re

from infra.telegram_simulator.page import render
from tests.telegram_simulator.support import CHAT, OTHER, World, keyboard


def test_a_post_is_shown_under_its_channels_title_with_its_formatting() -> None:
    world = World()
    world.sent("Hi <b>there</b>", parse_mode="HTML")
    page = render(world.simulator)
    assert "Morning news" in page
    assert '<div class="text">Hi <b>there</b></div>' in page


def test_a_url_button_is_a_link_and_a_callback_button_is_not() -> None:
    world = World()
    buy, give = {"text": "Buy", "url": "https://t.me/b?start=x"}, {"text": "Give", "callback_data": "donate_start_1"}
    world.sent(reply_markup=keyboard(buy, give))
    page = render(world.simulator)
    assert re.search(r'<a class="key" href="https://t.me/b\?start=x"[^>]*>Buy</a>', page)
    assert '<span class="key" title="donate_start_1">Give</span>' in page


def test_a_deleted_post_is_gone_and_an_edited_one_is_marked() -> None:
    world = World()
    gone, kept = world.sent("the old post"), world.sent("the new post", chat_id=OTHER)
    assert "edited" not in re.sub(r"(?s)<style>.*</style>", "", render(world.simulator))
    world.call("deleteMessage", chat_id=CHAT, message_id=gone)
    world.call("editMessageText", chat_id=OTHER, message_id=kept, text="the newest post")
    page = render(world.simulator)
    assert "the old post" not in page
    assert "the newest post" in page
    assert "edited ·" in page


def test_nothing_written_by_others_becomes_markup() -> None:
    world = World()
    evil = "<script>alert(1)</script>\"'"
    world.simulator.add_channel(CHAT, evil)
    inert, link = {"text": evil, "callback_data": evil}, {"text": evil, "url": 'https://e.com/"><script>'}
    world.sent(evil, reply_markup=keyboard(inert, link))
    page = render(world.simulator)
    assert "<script" not in page
    assert 'e.com/"' not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_channel_without_a_title_shows_its_id() -> None:
    world = World(accept_unknown_channels=True)
    world.sent(chat_id=-1004242424242)
    assert '<h2 title="-1004242424242">-1004242424242</h2>' in render(world.simulator)


def test_only_the_200_most_recently_active_channels_are_shown_and_the_page_says_so() -> None:
    world = World(accept_unknown_channels=True)
    assert "most recently active" not in render(world.simulator)
    for number in range(250):
        world.sent(chat_id=-1005000000000 - number)
    page = render(world.simulator)
    assert page.count('<section class="room"') == 200
    assert "Only the 200 most recently active channels are shown." in page
    assert "-1005000000249" in page
    assert "-1005000000010" not in page
    assert "<b>252</b> channels" in page


def test_the_top_line_counts() -> None:
    world = World()
    world.sent()
    world.send(text="")
    page = render(world.simulator)
    assert "<b>1</b> post standing" in page
    assert "<b>1</b> accepted" in page
    assert "<b>1</b> refused" in page


def test_an_empty_channel_says_so() -> None:
    assert render(World().simulator).count("No post") == 2


def test_a_channel_the_bot_lost_is_marked() -> None:
    world = World()
    world.simulator.add_channel(CHAT, "Morning news", member="kicked")
    assert "bot removed" in render(world.simulator)


def test_the_page_loads_itself_anew_unless_told_not_to() -> None:
    world = World()
    assert '<meta http-equiv="refresh" content="5">' in render(world.simulator)
    assert "http-equiv" not in render(world.simulator, refresh_seconds=None)
