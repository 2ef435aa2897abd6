"""What a measurement found: a question and a table that answers it, as text that reads well at a terminal and on a page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

Cell = str | int | float | None
"""None: this is not known of this row."""
Say = Callable[[str], None]
"""Takes what is measured now, for whoever waits."""


@dataclass(frozen=True)
class Table:
    """One question's answer. The first column names the row; `notes` say how to read it."""

    question: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: str = ""

    def text(self) -> str:
        """As Markdown, its columns aligned."""
        cells = [[_shown(cell) for cell in row] for row in self.rows]
        lines = [list(self.columns), *cells]
        widths = [max(_width(line[place]) for line in lines) for place in range(len(self.columns))]
        ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        body = [_line(line, widths) for line in (list(self.columns), ruler, *cells)]
        return "\n".join([f"### {self.question}", "", *body, *(["", self.notes] if self.notes else [])])


def _shown(cell: Cell) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, float):
        decimals = 0 if cell >= 100 else 1 if cell >= 10 else 2
        return f"{cell:,.{decimals}f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _width(text: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = cells
    padded = [first + " " * (widths[0] - _width(first))]
    padded += [" " * (width - _width(cell)) + cell for cell, width in zip(others, widths[1:], strict=True)]
    return f"| {' | '.join(padded)} |"
