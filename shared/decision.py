"""What a rule answers: the record to write, if any, and the meaning of it.

Every rule is *record, event, time in → record, result out*. It is used in one read and one conditional write; a lost race
means reading again and deciding again, so a rule first asks whether its own earlier write is what it sees.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.pair import HistoryEntry

R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True)
class Decision(Generic[R, T]):
    """`record` is what to write, None when nothing changes; `result` says what it means.

    `archive` is a finished run that the history must hold before the record is written.
    """

    record: R | None
    result: T
    archive: HistoryEntry | None = None


def unchanged(result: T) -> "Decision[R, T]":
    """Nothing to write."""
    return Decision(None, result)
