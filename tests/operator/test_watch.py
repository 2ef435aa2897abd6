"""`broadcastctl status --watch`: a backlog that goes down, until Ctrl-C."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from infra.operator import watch
from infra.operator.watch_view import Look, block, line, rate
from shared.pace import Gate, GateReason, Pace, PausedAll
from shared.pair import Pair
from shared.store import PAIRS, StoreUnavailable
from tests.clocks import NOON, ManualClock
from tests.operator.conftest import Operator
from tests.pairs import a_pair
from tests.runs import at, claimed, failed, sent


class Waits(ManualClock):
    """In each wait the next of these things happens; then Ctrl-C is pressed."""

    def __init__(self, *things: Callable[[], object]) -> None:
        super().__init__()
        self._things = list(things)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if not self._things:
            raise KeyboardInterrupt
        self._things.pop(0)()


def change(operator: Operator, pair: Pair, after: Callable[[Pair], Pair]) -> None:
    stored = operator.workspace.store.get(PAIRS, pair.id)
    assert stored is not None
    operator.workspace.store.replace(PAIRS, stored, after(stored.record))


def watched(operator: Operator, *things: Callable[[], object]) -> list[str]:
    operator.workspace.clock = Waits(*things)
    return operator.run("status", "--watch").stdout.splitlines()


def test_a_look_a_second_shows_what_is_due_going_down_and_ctrl_c_ends_it(operator: Operator) -> None:
    one, other = a_pair(1), a_pair(2)
    operator.keep(one, other)

    lines = watched(
        operator,
        lambda: change(operator, one, claimed),
        lambda: change(operator, one, lambda pair: sent(pair, now=at(seconds=2))),
        lambda: change(operator, other, lambda pair: failed(claimed(pair), at(seconds=3))),
    )

    assert lines == [
        "12:00:00  due 2, in flight 0, tried 0, refused 0, 0.0 pairs/s, gate open",
        "12:00:01  due 1, in flight 1, tried 0, refused 0, 0.0 pairs/s, gate open",
        "12:00:02  due 1, in flight 0, tried 1, refused 0, 0.5 pairs/s, gate open",
        "12:00:03  due 0, in flight 0, tried 2, refused 1, 0.7 pairs/s, gate open",
    ]


def test_what_was_tried_before_the_watch_began_is_not_counted(operator: Operator) -> None:
    operator.keep(sent(claimed(a_pair()), now=at(seconds=-1)))

    assert "tried 0" in watched(operator)[0]


def test_at_a_terminal_it_is_drawn_in_place(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_at_a_terminal", lambda: True)
    operator.keep(a_pair())

    text = "\n".join(watched(operator, lambda: None))

    first, again = text.split("\x1b[6F\x1b[J")
    assert first.count("\n") == 6
    assert again.startswith("Records")


def test_no_line_is_wider_than_the_terminal(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_at_a_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    operator.workspace.describe = "SQLite in " + "a/long/path/" * 10

    lines = watched(operator)

    assert max(map(len, lines)) == 39


def test_it_reads_no_pair(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 100,000 of them a look must not take longer."""
    monkeypatch.setattr(operator.workspace.store, "all_pairs", None)
    monkeypatch.setattr(operator.workspace.store, "due_pairs", None)
    operator.keep(a_pair())

    assert len(watched(operator, lambda: None)) == 2
    assert operator.workspace.store.writes == 1


def test_a_store_that_does_not_answer_ends_it_with_a_sentence(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(_: object) -> int:
        raise StoreUnavailable("the store is down")

    operator.workspace.clock = Waits(lambda: monkeypatch.setattr(operator.workspace.store, "count_due", down))

    result = operator.run("status", "--watch", status=1)

    assert "the store is down" in result.stderr


def test_watch_and_json_do_not_go_together(operator: Operator) -> None:
    assert "--watch is for people" in operator.run("status", "--watch", "--json", status=2).stderr


def a_look(seconds: float, tried: int, due: int = 0, pace: Pace | None = None) -> Look:
    return Look(now=at(seconds=seconds), due=due, running=0, tried=tried, refused=0, pace=pace)


def test_the_rate_is_taken_over_the_last_ten_looks() -> None:
    slow = [a_look(second, second) for second in range(20)]
    fast = [a_look(20 + second, 20 + 15 * second) for second in range(10)]

    assert rate(slow[:1]) == 0
    assert rate(slow) == 1
    assert rate([*slow, *fast]) == 15


def test_a_long_watch_shows_the_rate_of_the_last_looks_and_not_of_all(operator: Operator) -> None:
    pairs = [a_pair(number) for number in range(1, 5)]
    operator.keep(*pairs)

    idle: list[Callable[[], object]] = [lambda: None] * 20
    busy = [lambda pair=pair: change(operator, pair, lambda p: sent(claimed(p), now=at(seconds=25))) for pair in pairs]
    lines = watched(operator, *idle, *busy)

    assert lines[-1].endswith("tried 4, refused 0, 0.4 pairs/s, gate open")


def test_it_says_how_long_the_backlog_will_take() -> None:
    looks = [a_look(0, 0, due=1000), a_look(1, 10, due=900)]

    assert "900, done in about 1 min" in block(looks, records="memory")
    assert "done in" not in block([a_look(0, 0, due=1000)], records="memory")


def test_it_names_what_holds_everything_back() -> None:
    gate = Gate(reason=GateReason.REFUSALS, since=NOON, blocked_until=NOON, block_seconds=30, detail="5 of 5")
    paused = PausedAll(since=NOON - timedelta(minutes=1), reason="a bad day")

    assert line([a_look(0, 0, pace=Pace(gate=gate))]).endswith("gate closed: refusals")
    assert line([a_look(0, 0, pace=Pace(paused_all=paused))]).endswith("everything paused")
    assert "refusals: 5 of 5" in block([a_look(0, 0, pace=Pace(gate=gate))], records="memory")
