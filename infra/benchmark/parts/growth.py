"""What a tick costs beside pairs of which none is due, and how long it takes to bring them in."""

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.benchmark import work
from infra.benchmark.one_thread import OneThread
from infra.benchmark.sizes import Sizes
from infra.benchmark.tables import Cell, Say, Table

COLUMNS = (
    "idle pairs", "stored in s", "a tick, CPU ms", "fewest pairs = 1", "queries", "pairs read", "pace read", "written",
)  # fmt: skip


def measure(sizes: Sizes, say: Say) -> list[Table]:
    """A row for each number of pairs."""
    rows: list[list[Cell]] = []
    fewest = 0.0
    for count in sizes.idle_pairs:
        say(f"{count:,} idle pairs")
        row, milliseconds = _beside(count, sizes.ticks)
        fewest = fewest or milliseconds
        rows.append([*row[:2], milliseconds, milliseconds / fewest, *row[2:]])
    note = f"Medians of {sizes.ticks} ticks, from the event's publication to its acknowledgement."
    return [Table("A tick with nothing due", COLUMNS, rows, note)]


def _beside(count: int, ticks: int) -> tuple[list[Cell], float]:
    with TemporaryDirectory(prefix="benchmark-") as folder, OneThread(Path(folder)) as engine:
        pairs = work.pairs(count)
        begin = time.perf_counter()
        engine.fill(pairs)
        stored = time.perf_counter() - begin
        for _ in range(ticks):
            engine.tick()  # what is slow only the first times is not this number's doing
        engine.forget_counts()
        milliseconds = []
        for _ in range(ticks):
            begin = time.thread_time()
            engine.tick()
            milliseconds.append(1000 * (time.thread_time() - begin))
        counts = engine.counts
        written = counts["write"] + counts["pace write"]
        operations = [counts["query"], counts["read"], counts["pace read"], written]
    row: list[Cell] = [f"{count:,}", stored, *(number / ticks for number in operations)]
    return row, statistics.median(milliseconds)
