"""`broadcastctl history`."""

import click

from infra.operator.lookup import find_pair
from infra.operator.options import CHANNEL_IDS_ALLOWED, as_json_option, pair_argument
from infra.operator.pair_view import describe_runs
from infra.operator.text import as_json as json_text
from infra.operator.text import plain
from infra.operator.workspace_access import opened
from shared.history import runs_of
from shared.presentation import run_


@click.command("history", short_help="The broadcasts of a pair, newest first.", context_settings=CHANNEL_IDS_ALLOWED)
@pair_argument
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many broadcasts."
)
@as_json_option
@click.pass_context
def history_command(context: click.Context, pair_id: str, limit: int, as_json: bool) -> None:
    """The broadcasts of a pair, newest first, with each message's outcome.

    \b
    Examples:
      broadcastctl history 384f41
      broadcastctl history -1002187725686 --limit 5 --json
    """
    with opened(context) as workspace:
        pair = find_pair(workspace.store, pair_id)
        runs = runs_of(workspace.store, pair, before=None, limit=limit)
        now = workspace.clock.now()
    if as_json:
        click.echo(json_text({"broadcast_id": pair.id, "broadcasts": [run_(run) for run in runs]}))
        return
    click.echo(f"{plain(pair.open_channel_title)} ({pair.id})")
    click.echo(describe_runs(runs, now=now) if runs else "No broadcast yet.")
