"""Documents a broadcast reads and writes, and what it costs SQLite."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.benchmark import work
from infra.benchmark.one_thread import OneThread
from infra.benchmark.sizes import Sizes
from infra.benchmark.tables import Cell, Say, Table

COLUMNS = ("a broadcast", "reads", "writes", "the pace's reads", "the pace's writes", "SQLite transactions")
NOTE = (
    "Documents as Firestore would count them, by the embedded engine's own functions and without races; a due query's documents are"
    " reads, and a tick's pace is shared by all that one second sends. The budget is 5 reads and 6 writes, by hand 6 and 7 with the"
    " pace's. SQLite's transactions are those of the events as well."
)


def measure(sizes: Sizes, say: Say) -> list[Table]:
    """Both messages replace older ones."""
    pairs = work.pairs(sizes.counted_pairs)
    with TemporaryDirectory(prefix="benchmark-") as folder, OneThread(Path(folder)) as engine:
        say(f"{len(pairs)} first broadcasts")
        engine.fill(pairs)
        engine.make_due()
        engine.tick()
        say(f"{len(pairs)} scheduled broadcasts")
        engine.clock.advance(timedelta(days=1))
        engine.forget_counts()
        engine.tick()
        scheduled = engine.counts
        say(f"{len(pairs)} pressed ones")
        engine.clock.advance(timedelta(hours=1))
        engine.forget_counts()
        for pair in pairs:
            engine.press(pair)
        pressed = engine.counts
    rows = [_row("scheduled", scheduled, len(pairs)), _row("by hand", pressed, len(pairs))]
    return [Table("Store operations of a broadcast that replaces both messages", COLUMNS, rows, NOTE)]


def _row(what: str, counts: Counter[str], broadcasts: int) -> list[Cell]:
    kinds = ("read", "write", "pace read", "pace write", "transaction")
    return [what, *(counts[kind] / broadcasts for kind in kinds)]
