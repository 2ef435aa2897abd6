"""tgcast with its queue in SQLite, tuned: more workers and a shorter look for work than its defaults, which reach half the ceiling.

Started again on a folder that has a queue, it goes on with what is there.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from tgcast import Task, Telecast

from infra.benchmark.drivers.turns import Work, read_work, take_turns

WORKERS_AT_A_CEILING, WORKERS = 32, 64
FAST = 100.0
"""Messages a second above which more workers are needed."""
POLL_SECONDS = 0.05
LOOK_SECONDS = 0.1
LEFT = "SELECT count(*) FROM tasks WHERE state IN ('queued', 'leased', 'failed')"


def send_all(work: Work) -> None:
    """Put everything into the queue and wait until nothing is left in it."""
    path = work.folder / "tgcast.db"
    begun = path.exists()
    engine = Telecast(
        bot_token=work.token,
        store_dsn=str(path),
        telegram_base_url=work.telegram_url,
        global_rps=work.rate,
        max_concurrency=WORKERS if work.rate > FAST else WORKERS_AT_A_CEILING,
        poll_interval=POLL_SECONDS,
    )
    if not begun:
        for message in work.messages:
            engine.enqueue(Task(**message, idempotency_key=str(message["chat_id"])))
    engine.start()
    _wait_until_empty(path)
    engine.shutdown()


def _wait_until_empty(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        while connection.execute(LEFT).fetchone()[0]:
            time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    given = read_work()
    take_turns(lambda: send_all(given))
