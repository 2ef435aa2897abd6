"""`broadcastctl dead-letters`."""

import json

from infra.embedded.event_queue import MOST_ATTEMPTS
from shared.events import TickEvent, Topic
from tests.operator.conftest import Operator


def put_aside(operator: Operator) -> None:
    """An event that failed until it was put aside."""
    workspace = operator.workspace
    workspace.queue.publish([TickEvent()])
    for _ in range(MOST_ATTEMPTS):
        (taken,) = workspace.queue.take(Topic.TICKS, 1)
        workspace.queue.give_back(taken, "500: surprise")
        workspace.clock.advance(60)


def test_a_dead_letter_is_listed_with_what_was_said_about_it(operator: Operator) -> None:
    put_aside(operator)

    text = operator.run("dead-letters", "list").output
    (letter,) = json.loads(operator.run("dead-letters", "list", "--json").output)

    assert "500: surprise" in text
    assert (letter["topic"], letter["error"], letter["data"]) == ("ticks", "500: surprise", '{"v":1}')


def test_without_dead_letters_it_says_so(operator: Operator) -> None:
    assert operator.run("dead-letters", "list").output == "No dead letters.\n"


def test_a_dead_letter_that_is_put_back_is_delivered_again(operator: Operator) -> None:
    put_aside(operator)

    operator.run("dead-letters", "put-back", "1")

    assert len(operator.workspace.queue.take(Topic.TICKS, 1)) == 1


def test_an_id_that_is_not_there_is_said_and_counts_as_not_found(operator: Operator) -> None:
    result = operator.run("dead-letters", "put-back", "99", status=1)

    assert "there is no dead letter 99" in result.output
