"""sendMessage and the calls about bot and chat: what is accepted, what is refused, in Telegram's words."""

import json

import pytest

from tests.telegram_simulator.support import CHAT, OTHER, TOKEN, World, keyboard, refused, result


def test_a_sent_message_is_answered_as_telegram_does() -> None:
    world = World()
    markup = keyboard({"text": "Buy", "url": "https://t.me/b?start=x"})
    message = result(world.send("<b>Hi</b> you", parse_mode="HTML", reply_markup=markup))
    message_id = world.visible_ids()[0]
    chat = {"id": CHAT, "title": "Morning news", "type": "channel"}
    assert message == {
        "message_id": message_id,
        "sender_chat": chat,
        "chat": chat,
        "date": int(world.clock.now().timestamp()),
        "text": "Hi you",
        "entities": [{"type": "bold", "offset": 0, "length": 2}],
        "reply_markup": json.loads(markup),
    }


def test_a_sent_message_is_on_record() -> None:
    world = World()
    world.sent("<b>Hi</b>", parse_mode="HTML", disable_notification="true")
    (message,) = world.simulator.messages(CHAT)
    assert (message.text, message.html, message.silent) == ("Hi", "<b>Hi</b>", True)
    assert (message.sent_at, message.deleted_at, message.edits) == (world.clock.now(), None, ())
    assert world.simulator.accepted_count() == 1


def test_ids_rise_by_one_in_a_chat_and_differ_between_chats() -> None:
    world = World()
    first, second, elsewhere = world.sent(), world.sent(), world.sent(chat_id=OTHER)
    assert second == first + 1
    assert elsewhere not in (first, second)


def test_ids_are_the_same_in_every_run() -> None:
    assert World().sent() == World().sent()


def test_without_a_parse_mode_markup_is_plain_text() -> None:
    world = World()
    world.sent("<b>&lt;</b>")
    assert world.simulator.visible(CHAT)[0].text == "<b>&lt;</b>"


def test_the_parse_mode_may_have_any_letter_case() -> None:
    assert result(World().send("<b>x</b>", parse_mode="html"))["text"] == "x"


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"text": ""}, "Bad Request: message text is empty"),
        ({"text": " \n "}, "Bad Request: text must be non-empty"),
        ({"text": "<b> </b>", "parse_mode": "HTML"}, "Bad Request: text must be non-empty"),
        (
            {"text": "0123456789a <br>", "parse_mode": "HTML"},
            'Bad Request: can\'t parse entities: Unsupported start tag "br" at byte offset 12',
        ),
        ({"text": "x", "parse_mode": "RTF"}, "Bad Request: unsupported parse_mode"),
        ({"text": "\ud83d"}, "Bad Request: strings must be encoded in UTF-8"),
        ({"chat_id": ""}, "Bad Request: chat_id is empty"),
        ({"chat_id": -1009999999999}, "Bad Request: chat not found"),
        ({"chat_id": "@nobody"}, "Bad Request: chat not found"),
        ({"chat_id": None}, "Bad Request: chat not found"),
        ({"reply_markup": "nonsense"}, "Bad Request: can't parse reply keyboard markup JSON object"),
        ({"reply_markup": [1]}, "Bad Request: object expected as reply markup"),
        ({"link_preview_options": "{"}, "Bad Request: can't parse link preview options JSON object"),
        ({"link_preview_options": True}, "Bad Request: object expected as link preview options"),
        (
            {"link_preview_options": {"is_disabled": "yes"}},
            'Bad Request: field "is_disabled" must be of type Boolean',
        ),
    ],
)
def test_a_wrong_call_is_refused_and_nothing_is_posted(params: dict[str, object], description: str) -> None:
    world = World()
    reply = world.call("sendMessage", **{"chat_id": CHAT, "text": "x", **params})
    assert refused(reply) == (400, description)
    assert world.visible_ids() == []
    assert world.simulator.accepted_count() == 0


def test_options_we_send_are_accepted() -> None:
    preview = {"is_disabled": True, "url": "https://e.com", "show_above_text": False}
    reply = World().send(link_preview_options=preview, disable_notification=True, allow_paid_broadcast=True)
    assert reply.status == 200


def test_a_text_may_have_4096_utf16_units_after_parsing_and_not_one_more() -> None:
    world = World()
    world.sent("<b>" + "x" * 4096 + "</b>", parse_mode="HTML")
    world.sent("\U0001f947" * 2048)
    assert refused(world.send("x" * 4097)) == (400, "Bad Request: message is too long")
    assert refused(world.send("\U0001f947" * 2048 + "x")) == (400, "Bad Request: message is too long")


def test_white_space_that_is_trimmed_does_not_count() -> None:
    assert World().send("x" * 4096 + "\n" * 100).status == 200


def test_raw_text_may_have_32768_bytes_and_not_one_more() -> None:
    world = World()
    assert world.send("<b>" * 10 + "</b>" * 10 + "x" + " " * 32697, parse_mode="HTML").status == 200
    assert refused(world.send(" " * 32769)) == (400, "Bad Request: text is too long")
    assert refused(world.send("é" * 16385)) == (400, "Bad Request: text is too long")


@pytest.mark.parametrize(
    ("place", "status", "description"),
    [
        ({"member": "kicked"}, 403, "Forbidden: bot was kicked from the channel chat"),
        ({"member": "left"}, 403, "Forbidden: bot is not a member of the channel chat"),
        ({"member": "kicked", "kind": "supergroup"}, 403, "Forbidden: bot was kicked from the supergroup chat"),
        ({"can_post": False}, 400, "Bad Request: need administrator rights in the channel chat"),
        (
            {"can_post": False, "kind": "supergroup"},
            400,
            "Bad Request: not enough rights to send text messages to the chat",
        ),
    ],
)
def test_without_the_right_to_post_nothing_is_posted(place: dict[str, str], status: int, description: str) -> None:
    world = World()
    world.simulator.add_channel(CHAT, "Morning news", **place)  # type: ignore[arg-type]
    assert refused(world.send()) == (status, description)
    assert world.send(chat_id=OTHER).status == 200


def test_unknown_channels_are_accepted_only_if_asked_for_and_never_people() -> None:
    world = World(accept_unknown_channels=True)
    assert world.send(chat_id=-1009999999999).status == 200
    assert refused(world.send(chat_id=4711)) == (400, "Bad Request: chat not found")


def test_a_migrated_chat_names_its_new_id_and_the_new_one_works() -> None:
    world = World()
    world.simulator.migrate(CHAT, -1002222222222)
    reply = world.send()
    assert refused(reply) == (400, "Bad Request: group chat was upgraded to a supergroup chat")
    assert json.loads(reply.body)["parameters"] == {"migrate_to_chat_id": -1002222222222}
    assert result(world.send(chat_id=-1002222222222))["chat"]["title"] == "Morning news"


@pytest.mark.parametrize("token", ["", "42:TEST", "123456:short", "bot" + TOKEN, TOKEN + "\n", "0" + TOKEN])
def test_a_malformed_token_is_404(token: str) -> None:
    assert refused(World().simulator.call(token, "getMe")) == (404, "Not Found")


def test_a_well_formed_but_wrong_token_is_401_and_the_right_one_works() -> None:
    world = World(token=TOKEN)
    assert refused(world.simulator.call(TOKEN + "x", "getMe")) == (401, "Unauthorized")
    assert world.call("getMe").status == 200


def test_no_token_is_kept_on_record() -> None:
    world = World()
    world.sent()
    assert TOKEN.partition(":")[2] not in repr(world.simulator.calls())


def test_an_unknown_method_is_404_and_a_known_one_may_have_any_letter_case() -> None:
    world = World()
    assert refused(world.call("sendMessages")) == (404, "Not Found: method not found")
    assert world.call("SENDMESSAGE", chat_id=CHAT, text="x").status == 200


def test_get_me_names_the_bot() -> None:
    me = result(World(bot_username="pay_bot").call("getMe"))
    assert (me["id"], me["is_bot"], me["username"]) == (123456, True, "pay_bot")


def test_get_chat_answers_only_for_a_chat_the_bot_is_in() -> None:
    world = World()
    assert result(world.call("getChat", chat_id=CHAT))["title"] == "Morning news"
    world.simulator.add_channel(CHAT, member="left")
    assert refused(world.call("getChat", chat_id=CHAT))[0] == 403


def test_get_chat_member_tells_the_bots_own_rights() -> None:
    world = World()
    world.simulator.add_channel(CHAT, can_post=True, can_delete=False)
    member = result(world.call("getChatMember", chat_id=CHAT, user_id=123456))
    assert member["status"] == "administrator"
    assert (member["can_post_messages"], member["can_delete_messages"]) == (True, False)


def test_get_chat_member_knows_nobody_else() -> None:
    world = World()
    assert refused(world.call("getChatMember", chat_id=CHAT, user_id=7)) == (400, "Bad Request: member not found")
    assert refused(world.call("getChatMember", chat_id=CHAT)) == (400, "Bad Request: invalid user_id specified")


def test_a_value_json_cannot_hold_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="text"):
        World().call("sendMessage", chat_id=CHAT, text=object())


def test_the_list_of_calls_can_be_capped_while_the_count_goes_on() -> None:
    world = World(keep_calls=2)
    for _ in range(5):
        world.call("getMe")
    assert len(world.simulator.calls()) == 2
    assert world.simulator.summary().calls == 5


def test_the_most_recently_active_channel_comes_first() -> None:
    world = World()
    world.sent(chat_id=CHAT)
    world.sent(chat_id=OTHER)
    world.sent(chat_id=CHAT)
    assert [channel.chat_id for channel in world.simulator.channels()] == [CHAT, OTHER]
    assert [channel.chat_id for channel in world.simulator.channels(most_recent=1)] == [CHAT]


def test_reset_forgets_what_happened_and_keeps_the_channels_unless_asked() -> None:
    world = World()
    first = world.sent()
    world.simulator.reset()
    assert (world.visible_ids(), world.simulator.summary().accepted, world.simulator.calls()) == ([], 0, [])
    assert world.sent() == first
    world.simulator.reset(channels=True)
    assert refused(world.send()) == (400, "Bad Request: chat not found")
