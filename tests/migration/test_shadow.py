"""The shadow run: everything but the call to Telegram, beside what the original did."""

from datetime import datetime, timedelta
from threading import Event

from infra.migration.shadow import Noted, Verdict, compare, run
from shared.clock import MachineClock
from shared.pair import Pair
from shared.settings import Settings
from tests.clocks import NOON
from tests.pairs import a_pair

ONE, TWO, THREE, FOUR = (a_pair(number) for number in range(1, 5))
END = NOON + timedelta(hours=1)


def soon(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_each_pair_stands_beside_what_the_original_did() -> None:
    noted = [
        Noted(ONE.closed_chat_id, soon(5.5)),
        Noted(ONE.open_chat_id, soon(5)),
        Noted(TWO.open_chat_id, soon(1)),
    ]
    last_sent = {ONE.id: soon(6), TWO.id: NOON - timedelta(days=1), THREE.id: soon(9), FOUR.id: None}

    lines = compare([ONE, TWO, THREE, FOUR], noted, last_sent, began=NOON, ended=END)

    verdicts = {line.pair_id: line.verdict for line in lines}
    assert [line.pair_id for line in lines[:2]] == [TWO.id, ONE.id]
    assert verdicts == {
        ONE.id: Verdict.BOTH,
        TWO.id: Verdict.HERE,
        THREE.id: Verdict.ORIGINAL,
        FOUR.id: Verdict.NEITHER,
    }
    assert lines[1].would_send == (soon(5), soon(5.5))


def test_what_is_due_would_be_sent_once_and_the_given_pairs_stay_as_they_are() -> None:
    now = MachineClock().now()
    due = [a_pair(number, now=now) for number in range(1, 4)]
    later, paused = a_pair(8, now=now + timedelta(days=9)), a_pair(9, now=now, is_active=False)
    before: list[Pair] = [*due, later, paused]

    began, ended, noted = run(
        before, Settings({"TICK_SECONDS": "1"}), length=timedelta(hours=1), stop=Event(), watch=lambda _: None
    )

    assert sorted(n.chat for n in noted) == sorted(chat for p in due for chat in (p.open_chat_id, p.closed_chat_id))
    assert all(began <= n.at <= ended for n in noted)
    assert before == [*due, later, paused]


def test_it_can_be_stopped_at_any_time() -> None:
    stop = Event()
    stop.set()

    began, ended, _ = run(
        [a_pair(now=MachineClock().now() + timedelta(hours=1))],
        Settings({}),
        length=timedelta(days=9),
        stop=stop,
        watch=lambda _: None,
    )

    assert ended - began < timedelta(days=9)
