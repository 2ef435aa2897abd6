"""`broadcastctl pause-all` and `broadcastctl resume-all`."""

import click

from infra.operator.text import plain
from infra.operator.workspace_access import opened
from shared.pace import pause_all, resume_all
from shared.store import read_pace, update_pace


@click.command("pause-all", short_help="Hold everything back until resume-all.")
@click.option(
    "--reason", default="paused by the operator", show_default=True, help="Shown in the status and in the log."
)
@click.pass_context
def pause_all_command(context: click.Context, reason: str) -> None:
    """Hold everything back: nothing is begun, and Resend is refused with nothing used up. What is in flight ends.

    No pair is touched. Only resume-all lifts it; then what was missed is sent once, in the order it was due.
    """
    with opened(context, writes=True) as workspace:
        held = update_pace(workspace.store, lambda pace, now: pause_all(pace, now=now, reason=plain(reason)))
        before = read_pace(workspace.store).record.paused_all
    if held or before is None:
        click.echo("Everything is paused; broadcastctl resume-all goes on.")
    else:
        click.echo(f"Everything was paused already: {plain(before.reason)}.")


@click.command("resume-all", short_help="Go on after pause-all.")
@click.pass_context
def resume_all_command(context: click.Context) -> None:
    """Go on after pause-all; what was missed meanwhile is sent once."""
    with opened(context, writes=True) as workspace:
        lifted = update_pace(workspace.store, lambda pace, _: resume_all(pace))
    click.echo("Everything goes on with the next tick." if lifted else "Nothing was paused.")
