"""deleteMessage, deleteMessages and editMessageText: what becomes of posts that stand already."""

import json

import pytest

from tests.telegram_simulator.support import CHAT, World, keyboard, refused, result

HOURS_48 = 48 * 3600


def delete(world: World, message_id: int) -> tuple[int, str]:
    reply = world.call("deleteMessage", chat_id=CHAT, message_id=message_id)
    return (200, "") if reply.status == 200 else refused(reply)


def delete_many(world: World, *message_ids: int) -> tuple[int, str]:
    reply = world.call("deleteMessages", chat_id=CHAT, message_ids=list(message_ids))
    return (200, "") if reply.status == 200 else refused(reply)


def edit(world: World, message_id: int, text: str, **params: object) -> tuple[int, str]:
    reply = world.call("editMessageText", chat_id=CHAT, message_id=message_id, text=text, **params)
    return (200, "") if reply.status == 200 else refused(reply)


def test_a_deleted_message_is_gone_for_readers_and_stays_on_record() -> None:
    world = World()
    message_id = world.sent()
    world.clock.advance(5)
    assert result(world.call("deleteMessage", chat_id=CHAT, message_id=message_id)) is True
    assert world.visible_ids() == []
    assert world.simulator.messages(CHAT)[0].deleted_at == world.clock.now()


def test_a_message_can_be_deleted_once() -> None:
    world = World()
    message_id = world.sent()
    delete(world, message_id)
    assert delete(world, message_id) == (400, "Bad Request: message to delete not found")


def test_an_id_is_never_given_twice() -> None:
    world = World()
    message_id = world.sent()
    delete(world, message_id)
    assert world.sent() == message_id + 1


def test_what_a_person_deleted_is_not_found() -> None:
    world = World()
    message_id = world.sent()
    world.simulator.delete_as_person(CHAT, message_id)
    assert delete(world, message_id) == (400, "Bad Request: message to delete not found")


@pytest.mark.parametrize(("age_seconds", "status"), [(HOURS_48 - 1, 200), (HOURS_48, 400)])
def test_a_message_can_be_deleted_until_it_is_48_hours_old(age_seconds: int, status: int) -> None:
    world = World()
    one, other = world.sent(), world.sent()
    world.clock.advance(age_seconds)
    expected = (200, "") if status == 200 else (400, "Bad Request: message can't be deleted")
    assert delete(world, one) == expected
    assert delete_many(world, other) == expected


@pytest.mark.parametrize(
    ("can_post", "can_delete", "own", "others"),
    [(True, True, True, True), (True, False, True, False), (False, True, True, True), (False, False, False, False)],
)
def test_own_posts_need_one_right_and_others_need_can_delete(
    can_post: bool, can_delete: bool, own: bool, others: bool
) -> None:
    world = World()
    mine, theirs = world.sent(), world.simulator.post_as_person(CHAT, "by hand")
    mine_too, theirs_too = world.sent(), world.simulator.post_as_person(CHAT, "by hand too")
    world.simulator.add_channel(CHAT, can_post=can_post, can_delete=can_delete)
    refusal = (400, "Bad Request: message can't be deleted")
    for deleting, own_id, others_id in ((delete, mine, theirs), (delete_many, mine_too, theirs_too)):
        assert deleting(world, own_id) == ((200, "") if own else refusal)
        assert deleting(world, others_id) == ((200, "") if others else refusal)
        assert (own_id in world.visible_ids(), others_id in world.visible_ids()) == (not own, not others)


@pytest.mark.parametrize("method", ["deleteMessage", "deleteMessages", "editMessageText"])
def test_a_kicked_bot_can_do_nothing(method: str) -> None:
    world = World()
    message_id = world.sent()
    world.simulator.add_channel(CHAT, member="kicked")
    reply = world.call(method, chat_id=CHAT, message_id=message_id, message_ids=[message_id], text="x")
    assert refused(reply) == (403, "Forbidden: bot was kicked from the channel chat")
    assert world.visible_ids() == [message_id]


def test_delete_messages_skips_what_is_missing() -> None:
    world = World()
    first, second = world.sent(), world.sent()
    assert delete_many(world, first, 999999, second, first) == (200, "")
    assert world.visible_ids() == []
    assert delete_many(world, first, second) == (200, "")


def test_one_undeletable_message_saves_all_the_others() -> None:
    world = World()
    old = world.sent()
    world.clock.advance(HOURS_48)
    fresh = world.sent()
    assert delete_many(world, fresh, old) == (400, "Bad Request: message can't be deleted")
    assert world.visible_ids() == [old, fresh]


@pytest.mark.parametrize(
    ("ids", "description"),
    [
        ("", "message identifiers are not specified"),
        ("[]", "message identifiers are not specified"),
        ("x", "can't parse message_ids JSON object"),
        ("5", "expected an Array of message identifiers"),
        (json.dumps(list(range(1, 102))), "too many message identifiers specified"),
        ('["x"]', "can't parse message identifier as a Number"),
        ("[1.5]", "can't parse message identifier as a Number"),
        ("[0]", "invalid message identifier specified"),
        ("[null]", "message identifier must be a Number"),
    ],
)
def test_delete_messages_wants_1_to_100_ids(ids: str, description: str) -> None:
    world = World()
    reply = world.call("deleteMessages", chat_id=CHAT, message_ids=ids)
    assert refused(reply) == (400, f"Bad Request: {description}")


def test_delete_messages_takes_100_ids() -> None:
    assert delete_many(World(), *range(1, 101)) == (200, "")


def test_delete_message_wants_a_chat_and_an_id() -> None:
    world = World()
    assert refused(world.call("deleteMessage", message_id=5)) == (400, "Bad Request: chat identifier is not specified")
    no_id = refused(world.call("deleteMessage", chat_id=CHAT))
    assert no_id == (400, "Bad Request: message identifier is not specified")


def test_an_edit_replaces_text_and_buttons_and_is_marked() -> None:
    world = World()
    markup = keyboard({"text": "Buy", "callback_data": "x"})
    message_id = world.sent("<b>old</b>", parse_mode="HTML", reply_markup=markup)
    world.clock.advance(60)
    message = result(world.call("editMessageText", chat_id=CHAT, message_id=message_id, text="new"))
    assert (message["text"], message["edit_date"]) == ("new", int(world.clock.now().timestamp()))
    assert "reply_markup" not in message
    (stored,) = world.simulator.visible(CHAT)
    assert (stored.text, stored.buttons) == ("new", ())
    assert (stored.edits[0].replaced_html, stored.edits[0].at) == ("<b>old</b>", world.clock.now())


def test_own_posts_can_be_edited_however_old() -> None:
    world = World()
    message_id = world.sent()
    world.clock.advance(400 * 86400)
    assert edit(world, message_id, "new") == (200, "")


def test_an_edit_that_changes_nothing_is_refused() -> None:
    world = World()
    message_id = world.sent("<b>same</b>", parse_mode="HTML")
    assert edit(world, message_id, " <strong>same</strong> ", parse_mode="HTML") == (
        400,
        "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as "
        "a current content and reply markup of the message",
    )
    assert edit(world, message_id, "same") == (200, "")


def test_a_deleted_message_cannot_be_edited() -> None:
    world = World()
    message_id = world.sent()
    delete(world, message_id)
    assert edit(world, message_id, "new") == (400, "Bad Request: message to edit not found")


def test_another_persons_post_cannot_be_edited_nor_an_own_one_without_the_right_to_post() -> None:
    world = World()
    mine, theirs = world.sent(), world.simulator.post_as_person(CHAT, "by hand")
    assert edit(world, theirs, "new") == (400, "Bad Request: message can't be edited")
    world.simulator.add_channel(CHAT, can_post=False)
    assert edit(world, mine, "new") == (400, "Bad Request: message can't be edited")


def test_an_edited_text_too_long_is_refused_in_other_words_than_a_sent_one() -> None:
    world = World()
    assert edit(world, world.sent(), "x" * 4097) == (400, "Bad Request: MESSAGE_TOO_LONG")


def test_an_edit_wants_a_message() -> None:
    world = World()
    reply = world.call("editMessageText", text="x")
    assert refused(reply) == (400, "Bad Request: message identifier is not specified")
    assert edit(world, 0, "x") == (400, "Bad Request: message to edit not found")
