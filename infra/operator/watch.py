"""Looking again every second until Ctrl-C: in place at a terminal, a line a look elsewhere."""

import sys
from collections import deque
from datetime import datetime
from functools import partial
from shutil import get_terminal_size

import click

from infra.operator.watch_view import RATE_OVER, Look, block, line
from infra.operator.workspace_access import Workspace
from shared.pace import PACE_ID
from shared.store import PACE

EVERY_SECONDS = 1.0


def watch(workspace: Workspace) -> None:
    """Show the backlog going down. Returns at Ctrl-C. Raises StoreUnavailable."""
    began = workspace.clock.now()
    show = partial(_in_place, workspace.describe) if _at_a_terminal() else _as_a_line
    looks: deque[Look] = deque([look(workspace, began)])
    drawn = 0
    try:
        while True:
            drawn = show(list(looks), drawn)
            workspace.clock.sleep(EVERY_SECONDS)
            looks.append(look(workspace, began))
            if len(looks) > RATE_OVER + 1:
                del looks[1]  # The first one says since when.
    except KeyboardInterrupt:
        return


def look(workspace: Workspace, began: datetime) -> Look:
    """Four counts and one read, whatever the number of pairs."""
    store, now = workspace.store, workspace.clock.now()
    pace = store.get(PACE, PACE_ID)
    return Look(
        now=now,
        due=store.count_due(now),
        running=store.count_running(),
        tried=store.count_attempted(began),
        refused=store.count_refused(began),
        pace=None if pace is None else pace.record,
    )


def _at_a_terminal() -> bool:
    return sys.stdout.isatty()


def _as_a_line(looks: list[Look], drawn: int) -> int:
    click.echo(line(looks))
    return drawn


def _in_place(records: str, looks: list[Look], drawn: int) -> int:
    """Draw over what was drawn; how many lines stand there now. A line that wraps would be two to go back."""
    width = get_terminal_size().columns - 1
    lines = [text[:width] for text in block(looks, records=records).splitlines()]
    back = f"\x1b[{drawn}F\x1b[J" if drawn else ""
    click.echo(back + "\n".join(lines), color=True)
    return len(lines)
