"""Times, tables and counts as a terminal shows them."""

from datetime import timedelta

import pytest

from infra.operator.text import columns, counted, listing, plain, relative, table, when
from tests.clocks import NOON


@pytest.mark.parametrize(
    ("ahead", "words"),
    [
        (timedelta(0), "now"),
        (timedelta(seconds=0.9), "now"),
        (timedelta(seconds=-0.9), "now"),
        (timedelta(seconds=40), "in 40 s"),
        (timedelta(seconds=90), "in 1 min"),
        (timedelta(hours=3), "in 3 h"),
        (timedelta(hours=3, minutes=20), "in 3 h 20 min"),
        (timedelta(days=1, minutes=59), "in 1 day"),
        (timedelta(days=2, hours=4), "in 2 days 4 h"),
        (timedelta(days=376, hours=4), "in 376 days"),
        (-timedelta(hours=3), "3 h ago"),
    ],
)
def test_a_time_is_said_as_a_distance(ahead: timedelta, words: str) -> None:
    assert relative(NOON + ahead, NOON) == words


def test_a_time_is_shown_with_its_zone_and_distance() -> None:
    assert when(NOON + timedelta(hours=3), NOON) == "2026-06-01 15:00:00 UTC (in 3 h)"
    assert when(None, NOON) == "–"


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("色の", 4), ("e\u0301", 1), ("a\u200fb", 2), ("", 0)])
def test_a_text_takes_as_many_columns_as_a_terminal_gives_it(text: str, width: int) -> None:
    assert columns(text) == width


def test_a_table_is_aligned_also_beside_wide_characters() -> None:
    assert table(("A", "B"), [("色", "1"), ("abc", "2")]) == "A    B\n色   1\nabc  2"


def test_a_list_of_names_and_values_is_aligned() -> None:
    assert listing([("One", "1"), ("Three", "")]) == "One    1\nThree"


def test_nothing_in_a_text_disturbs_the_terminal() -> None:
    assert plain("a\n b\x1b[31m\u202e") == "a b\\u001b[31m\\u202e"


def test_a_count_has_its_noun() -> None:
    assert (counted(1, "pair"), counted(2, "pair"), counted(0, "pair")) == ("1 pair", "2 pairs", "0 pairs")
