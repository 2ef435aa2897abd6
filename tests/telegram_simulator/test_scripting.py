"""Faults on order: to whom they happen, how often, and whether the message is in Telegram afterwards."""

import pytest

from infra.telegram_simulator.replies import Action
from infra.telegram_simulator.scripting import Script
from tests.telegram_simulator.support import CHAT, OTHER, TOKEN, World, refused


def test_a_scripted_error_is_answered_as_often_as_ordered_and_nothing_is_posted() -> None:
    world = World()
    world.simulator.script(Script(effect="answer", status=403, description="Forbidden: x", times=2))
    assert refused(world.send()) == (403, "Forbidden: x")
    assert refused(world.send()) == (403, "Forbidden: x")
    assert world.visible_ids() == []
    assert world.send().status == 200


def test_a_script_meets_only_its_chat_and_its_method() -> None:
    world = World()
    world.simulator.script(Script(effect="answer", status=500, chat_id=CHAT, method="sendMessage"))
    assert world.send(chat_id=OTHER).status == 200
    assert world.call("getChat", chat_id=CHAT).status == 200
    assert refused(world.send()) == (500, "Internal Server Error")


def test_a_scripted_429_carries_its_wait() -> None:
    world = World()
    world.simulator.script(Script(effect="answer", status=429, parameters={"retry_after": 35}))
    reply = world.send()
    assert refused(reply) == (429, "Too Many Requests: retry after 35")
    assert ("Retry-After", "35") in reply.headers


def test_a_scripted_body_need_not_be_json() -> None:
    world = World()
    world.simulator.script(Script(effect="answer", status=502, body="<html>Bad Gateway</html>"))
    reply = world.send()
    assert (reply.status, reply.body) == (502, b"<html>Bad Gateway</html>")
    assert reply.headers == (("Content-Type", "text/html"),)


def test_a_lasting_fault_lasts_until_cleared() -> None:
    world = World()
    world.simulator.script(Script(effect="answer", status=400, times=None, chat_id=CHAT))
    assert {world.send().status for _ in range(50)} == {400}
    world.simulator.clear_scripts(CHAT)
    assert world.send().status == 200


def test_clearing_one_chat_leaves_the_faults_of_others() -> None:
    world = World()
    world.simulator.script(Script(effect="answer", chat_id=CHAT))
    world.simulator.script(Script(effect="answer", chat_id=OTHER))
    world.simulator.clear_scripts(CHAT)
    assert world.send(chat_id=CHAT).status == 200
    assert world.send(chat_id=OTHER).status == 500


@pytest.mark.parametrize(
    ("effect", "action", "posted"),
    [
        ("drop_before", Action.DROP, False),
        ("silence", Action.SILENCE, False),
        ("drop_after", Action.DROP, True),
        ("accept_then_silence", Action.SILENCE, True),
    ],
)
def test_a_lost_answer_leaves_the_message_posted_or_not(effect: str, action: Action, posted: bool) -> None:
    world = World()
    world.simulator.script(Script(effect=effect))  # type: ignore[arg-type]
    assert world.send().action is action
    assert len(world.visible_ids()) == posted
    assert world.simulator.calls()[-1].accepted is posted
    assert world.send().action is Action.ANSWER


def test_a_message_can_be_posted_though_the_answer_says_500() -> None:
    world = World()
    restart = "Internal Server Error: restart"
    world.simulator.script(Script(effect="accept_then_answer", status=500, description=restart))
    assert refused(world.send()) == (500, restart)
    assert len(world.visible_ids()) == 1


def test_a_fault_after_accepting_waits_for_a_call_that_is_accepted() -> None:
    world = World()
    world.simulator.script(Script(effect="drop_after"))
    assert refused(world.send(text="")) == (400, "Bad Request: message text is empty")
    assert world.send().action is Action.DROP


def test_a_delay_after_accepting_posts_at_once() -> None:
    world = World()
    world.simulator.script(Script(effect="delay_after", seconds=8))
    reply = world.send()
    assert (reply.delay_seconds, len(world.visible_ids())) == (8, 1)


def test_a_delay_before_accepting_posts_only_when_it_is_over() -> None:
    world = World()
    world.simulator.script(Script(effect="delay_before", seconds=8))
    pending = world.simulator.begin(TOKEN, "sendMessage", {"chat_id": CHAT, "text": "x"})
    assert (pending.wait_seconds, world.visible_ids()) == (8, [])
    arrived = world.clock.now()
    world.clock.advance(pending.wait_seconds)
    assert world.simulator.finish(pending).status == 200
    assert world.simulator.visible(CHAT)[0].sent_at == world.clock.now()
    assert world.simulator.calls()[-1].at == arrived


def test_a_delay_before_and_a_fault_after_can_meet_the_same_call() -> None:
    world = World()
    world.simulator.script(Script(effect="delay_before", seconds=2))
    world.simulator.script(Script(effect="drop_after"))
    reply = world.send()
    assert (reply.delay_seconds, reply.action) == (2, Action.DROP)


def test_scripts_are_met_in_the_order_they_were_given() -> None:
    world = World()
    for status in (500, 502, 504):
        world.simulator.script(Script(effect="answer", status=status))
    assert [world.send().status for _ in range(4)] == [500, 502, 504, 200]


def test_a_wrong_token_uses_up_no_script() -> None:
    world = World()
    world.simulator.script(Script(effect="drop_before"))
    assert world.simulator.call("nonsense", "getMe").status == 404
    assert world.send().action is Action.DROP


def test_scripted_errors_are_counted_by_status_and_lost_answers_as_0() -> None:
    world = World()
    world.simulator.script(Script(effect="answer", status=429, parameters={"retry_after": 1}))
    world.simulator.script(Script(effect="drop_before"))
    world.simulator.script(Script(effect="drop_after"))
    for _ in range(3):
        world.send()
    summary = world.simulator.summary()
    assert (summary.refused, summary.too_many_requests, summary.accepted) == ({429: 1, 0: 1}, 1, 1)


@pytest.mark.parametrize(
    "wrong", [{"effect": "answer", "times": 0}, {"effect": "delay_after"}, {"effect": "answer", "status": 99}]
)
def test_a_senseless_script_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"times|seconds|status"):
        Script(**wrong)  # type: ignore[arg-type]
