"""Every part of the benchmark in its tiny size: it finds what it must on any machine. Nothing is timed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from infra.benchmark.__main__ import PARTS, Part, main
from infra.benchmark.parts import cold_start, growth, kill, long_run, operations, peers, resend, simulator
from infra.benchmark.sizes import TINY, Sizes
from infra.benchmark.tables import Cell, Say, Table
from infra.benchmark.waiting import NotDone
from infra.bundles.__main__ import FUNCTIONS

pytestmark = pytest.mark.server

OURS = "Broadcast Manager, embedded"


def measured(measure: Callable[[Sizes, Say], list[Table]]) -> list[list[Mapping[str, Cell]]]:
    """The rows of each of its tables, by column; and it says what it is at."""
    said: list[str] = []
    tables = measure(TINY, said.append)
    assert said
    return [[dict(zip(table.columns, row, strict=True)) for row in table.rows] for table in tables]


def positive(row: Mapping[str, Cell], *columns: str) -> bool:
    return all(isinstance(value := row[column], int | float) and value > 0 for column in columns)


def test_the_simulated_telegram_answers_everything_alone() -> None:
    ((row,),) = measured(simulator.measure)

    assert row["messages"] == 2 * TINY.simulator_pairs
    assert positive(row, "messages/s")


def test_our_engine_sends_each_message_once_with_a_ceiling_and_without() -> None:
    (limited,), (free,) = measured(peers.measure)

    assert (limited["sender"], free["sender"]) == (OURS, OURS)
    assert (limited["messages"], free["messages"]) == (2 * TINY.limited_pairs, 2 * TINY.free_pairs)
    assert [(row["lost"], row["doubled"]) for row in (limited, free)] == [(0, 0), (0, 0)]
    assert all(positive(row, "messages/s", "% of ceiling", "peak MiB") for row in (limited, free))


def test_a_killed_engine_loses_and_doubles_nothing() -> None:
    ((row,),) = measured(kill.measure)

    assert (row["sender"], row["kills"], row["messages"]) == (OURS, 1, 2 * TINY.killed_pairs)
    assert (row["lost"], row["doubled"]) == (0, 0)


def test_presses_of_resend_are_answered_before_their_messages_arrive() -> None:
    ((answer, message),) = measured(resend.measure)

    assert positive(answer, "p50 ms", "p99 ms")
    assert positive(message, "p50 ms", "p99 ms")


def test_operations_are_those_the_functions_are_held_to() -> None:
    ((scheduled, pressed),) = measured(operations.measure)

    assert (scheduled["reads"], scheduled["writes"]) == (4, 6)
    assert (pressed["reads"], pressed["writes"]) == (4, 6)
    assert (pressed["the pace's reads"], pressed["the pace's writes"]) == (2, 1)
    assert positive(scheduled, "SQLite transactions")


def test_a_tick_beside_idle_pairs_is_one_query_and_one_read() -> None:
    (rows,) = measured(growth.measure)

    assert [row["idle pairs"] for row in rows] == ["10", "100"]
    assert {(row["queries"], row["pairs read"], row["pace read"], row["written"]) for row in rows} == {(1, 0, 1, 0)}


def test_a_long_run_sends_everything_once() -> None:
    ((row,),) = measured(long_run.measure)

    assert (row["messages"], row["lost"], row["doubled"]) == (2 * TINY.long_run_pairs, 0, 0)
    assert positive(row, "MiB, first third", "MiB, last third")


def test_every_functions_start_is_measured() -> None:
    (rows,) = measured(cold_start.measure)

    assert [row["start"] for row in rows] == ["import functions_framework", *FUNCTIONS]
    assert all(positive(row, "CPU ms", "MiB") for row in rows)


# --- the command ------------------------------------------------------------------------------------------------------


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, arguments)
    return done.exit_code, done.stdout, done.stderr


def test_one_part_can_be_run_alone() -> None:
    status, out, err = run("--tiny", "--only", "operations")

    assert status == 0
    assert "### Store operations of a broadcast that replaces both messages" in out
    assert out.count("\n## ") == 1
    assert "operations: 2 scheduled broadcasts" in err


def test_a_part_that_cannot_be_measured_is_said_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> list[Table]:
        raise NotDone("the engine does not answer")

    monkeypatch.setitem(PARTS, "peers", Part("Peers", 1, fails))

    status, out, err = run("--tiny", "--only", "peers", "--only", "operations")

    assert status == 1
    assert "peers: the engine does not answer" in err
    assert "### Store operations" in out


@pytest.mark.parametrize("more", [("--tiny",), ("--only", "growth")])
def test_the_page_is_not_written_from_less_than_everything(more: Sequence[str]) -> None:
    status, _, err = run("--write", *more)

    assert status == 2
    assert "the whole page" in err


def test_the_page_is_what_was_printed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "benchmark.md"
    monkeypatch.setattr("infra.benchmark.__main__.PAGE", page)
    few = {"operations": PARTS["operations"]}
    for name in list(PARTS):
        if name not in few:
            monkeypatch.delitem(PARTS, name)

    status, out, _ = run("--write")

    assert status == 0
    assert page.read_text(encoding="utf-8") == out
    assert "cores, Python" in out
