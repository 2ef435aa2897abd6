"""What a month on Google Cloud costs, from the operations of a broadcast and a table of prices: `python -m infra.cost`.

List prices in US dollars for a single US region, July 2026; others differ by some tens of per cent. For people, not for an invoice.
"""

from dataclasses import dataclass

import click

DAYS = 30.4
READS, WRITES, DELETES = 4.0, 6.0, 1.0
"""Documents of a scheduled broadcast that replaces both messages (`make rehearse`); a history entry goes by TTL a year later."""
TICK_READS = 2.0
EVENTS = 3.0
"""A broadcast's own event and one for each message; a tick's are 43,800 a month."""
PUSHED_BYTES = 2_000.0
"""Pub/Sub counts at least 1,000 bytes for publishing an event and as many for delivering it."""
SEND_SECONDS, FANOUT_SECONDS = 1.0, 0.1
"""How long an instance is busy with an event: a send waits for its slot about a second ahead."""
CONCURRENCY = 10.0
"""Sends that share an instance's time when there is work, well below its 80."""
LOG_BYTES = 7_000.0
"""A broadcast's six lines of ours, and Cloud Run's own for each of its requests."""
HISTORY_BYTES, PAIR_BYTES = 1_500.0, 4_000.0
"""Some 830 and 2,350 bytes of JSON, a document's name, its index entries, and room for longer texts."""
HISTORY_DAYS = 400

FREE_READS, FREE_WRITES = 50_000.0, 20_000.0
"""A day, for one database of a project. Deletions by TTL, backups and recovery have no free amount."""
PER_READ, PER_WRITE, PER_DELETE = 0.30e-6, 0.90e-6, 0.10e-6
PER_GIB_STORED, FREE_GIB_STORED = 0.15, 1.0
BACKUPS, PER_GIB_BACKED_UP, PER_GIB_RECOVERABLE = 14.0, 0.03, 0.15
"""Each of the daily backups is a whole copy; point-in-time recovery costs as much again as what is stored."""
FREE_GIB_EVENTS, PER_GIB_EVENTS = 10.0, 40 / 1024
FREE_CPU_SECONDS, PER_CPU_SECOND = 180_000.0, 0.000024
FREE_GIB_SECONDS, PER_GIB_SECOND = 360_000.0, 0.0000025
FREE_REQUESTS, PER_REQUEST = 2_000_000.0, 0.40e-6
FREE_GIB_LOGS, PER_GIB_LOGS = 50.0, 0.50
GIB = 1024.0**3
TICK_SECONDS = 0.3
MEMORY_GIB = 0.5
RATE = 25.0
"""Messages a second; a tick works as long as there are any to hand out."""


@dataclass(frozen=True)
class Month:
    """Dollars for each service."""

    firestore: float
    backups: float
    functions: float
    pubsub: float
    logging: float

    @property
    def total(self) -> float:
        """All together."""
        return self.firestore + self.backups + self.functions + self.pubsub + self.logging


def month(pairs: int) -> Month:
    """What so many pairs cost, each with one broadcast a day."""
    ticks = 24 * 60.0
    reads = pairs * READS + ticks * TICK_READS
    writes, deletes = pairs * WRITES, pairs * DELETES
    stored = pairs * (HISTORY_DAYS * HISTORY_BYTES + PAIR_BYTES) / GIB
    firestore = (
        DAYS * (_above(reads, FREE_READS) * PER_READ + _above(writes, FREE_WRITES) * PER_WRITE + deletes * PER_DELETE)
        + _above(stored, FREE_GIB_STORED) * PER_GIB_STORED
    )
    backups = stored * (BACKUPS * PER_GIB_BACKED_UP + PER_GIB_RECOVERABLE)
    busy = DAYS * (pairs * (2 * SEND_SECONDS / CONCURRENCY + FANOUT_SECONDS + 2 / RATE) + ticks * TICK_SECONDS)
    requests = DAYS * (pairs * EVENTS + ticks)
    functions = (
        _above(busy, FREE_CPU_SECONDS) * PER_CPU_SECOND
        + _above(busy * MEMORY_GIB, FREE_GIB_SECONDS) * PER_GIB_SECOND
        + _above(requests, FREE_REQUESTS) * PER_REQUEST
    )
    pubsub = _above(requests * PUSHED_BYTES / GIB, FREE_GIB_EVENTS) * PER_GIB_EVENTS
    logging = _above(DAYS * pairs * LOG_BYTES / GIB, FREE_GIB_LOGS) * PER_GIB_LOGS
    return Month(firestore, backups, functions, pubsub, logging)


def _above(amount: float, free: float) -> float:
    return max(0.0, amount - free)


@click.command()
def main() -> None:
    """Print the table that docs/cost.md shows."""
    click.echo(table())


def table() -> str:
    """In Markdown."""
    lines = [
        "| pairs | Firestore | its backups | functions | Pub/Sub | logs | a month |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for pairs in (17, 1_000, 10_000, 100_000):
        found = month(pairs)
        cells = [found.firestore, found.backups, found.functions, found.pubsub, found.logging, found.total]
        lines.append(f"| {pairs:,} | " + " | ".join(f"${cell:,.2f}" for cell in cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
