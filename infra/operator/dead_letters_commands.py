"""`broadcastctl dead-letters`."""

from dataclasses import asdict

import click

from infra.operator.options import as_json_option
from infra.operator.text import as_json as json_text
from infra.operator.text import table, when
from infra.operator.workspace_access import Failed, opened


@click.group("dead-letters", short_help="Events that were put aside after too many failed deliveries.")
def dead_letters() -> None:
    """Events that were put aside after too many failed deliveries.

    They are evidence of a fault. Putting one back is safe and hardly ever needed: the pair's record brings its work up again.
    """


@dead_letters.command("list", short_help="What was put aside, and why.")
@as_json_option
@click.pass_context
def list_command(context: click.Context, as_json: bool) -> None:
    """What was put aside, and why, the oldest first."""
    with opened(context) as workspace:
        letters = workspace.dead_letters.dead_letters()
        now = workspace.clock.now()
    if as_json:
        click.echo(json_text([asdict(x) | {"data": x.data.decode(errors="replace")} for x in letters]))
    elif not letters:
        click.echo("No dead letters.")
    else:
        rows = [(x.id, x.topic.value, when(x.dead_at, now), x.error, x.data.decode(errors="replace")) for x in letters]
        click.echo(table(("ID", "TOPIC", "PUT ASIDE", "WHY", "EVENT"), rows))


@dead_letters.command("put-back", short_help="Deliver one of them again.")
@click.argument("id")
@click.pass_context
def put_back_command(context: click.Context, id: str) -> None:
    """Deliver one of them again, as if it were new."""
    with opened(context, writes=True) as workspace:
        if not workspace.dead_letters.put_back(id):
            raise Failed(f"there is no dead letter {id}; broadcastctl dead-letters list shows them")
    click.echo(f"Dead letter {id} is delivered again.")
