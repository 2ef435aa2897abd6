"""`broadcastctl status` and `broadcastctl tick`."""

import click

from infra.operator.options import as_json_option
from infra.operator.status_view import describe, document
from infra.operator.text import as_json as json_text
from infra.operator.watch import watch
from infra.operator.workspace_access import Failed, opened
from shared.events import TickEvent
from shared.overview import overview
from shared.pace import PACE_ID
from shared.store import PACE


@click.command("status", short_help="What is due, in flight and broken, and why.")
@as_json_option
@click.option("--watch", "watching", is_flag=True, help="Look again every second, until Ctrl-C.")
@click.pass_context
def status_command(context: click.Context, as_json: bool, watching: bool) -> None:
    """What is due, in flight and broken, and why; the gate and the pace."""
    if watching and as_json:
        raise click.UsageError("--watch is for people; leave --json out, or ask again and again")
    with opened(context) as workspace:
        if watching:
            watch(workspace)
            return
        seen = overview((stored.record for stored in workspace.store.all_pairs()), workspace.clock.now())
        # Looked at, not made: a status leaves no trace.
        stored_pace = workspace.store.get(PACE, PACE_ID)
        pace = None if stored_pace is None else stored_pace.record
        records, running = workspace.describe, workspace.service_running
    if as_json:
        click.echo(json_text(document(seen, pace, records=records, service_running=running)))
    else:
        click.echo(describe(seen, pace, records=records, service_running=running))


@click.command("tick", short_help="Look for what is due right now.")
@click.pass_context
def tick_command(context: click.Context) -> None:
    """Look for what is due now instead of at the next tick. Harmless at any time: ticks send nothing twice."""
    with opened(context, writes=True) as workspace:
        if not workspace.service_running:
            raise Failed(f"no service is running on DATA_DIR ({workspace.describe}); start it with make run")
        workspace.bus.publish([TickEvent()])
    click.echo("Ticked: what is due is being sent.")
